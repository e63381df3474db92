/* What the kernels of loss.cu are given, by value. For CUDA C++, for the launcher, which is C, and
 * for the tests in C++. NVRTC has no stdint.h, so this header includes nothing; launcher.c checks
 * that it agrees with ctc_shim.h. */
#ifndef CTC_CUDA_BATCH_H
#define CTC_CUDA_BATCH_H

enum { CTC_F32 = 0, CTC_F64 = 1, CTC_BF16 = 2, CTC_F16 = 3 }; /* element types of scores */
#if !defined(CTC_FEW_WARPS) /* benchmarks/gpu.py tries other numbers */
#define CTC_FEW_WARPS 4
#endif
enum {
    CTC_LANES = 32,
    /* Of cells in a lane: 1, 2, 4, 8. A warp holds a strip of up to 256 labels; a longer target has
     * several strips. */
    CTC_CHOICES = 4,
    CTC_BLOCK = 32, /* frames between checkpoints */
    /* The fast chain. */
    CTC_K = 2,           /* labels of a thread */
    CTC_PART = 4,        /* frames for which powers of two are stored */
    CTC_ROUND = 16,      /* frames between barriers, where few warps have all labels, */
    CTC_SHORT_ROUND = 8, /* and where more do, which have fewer registers each */
    CTC_ROW_WARPS = 24,  /* that may share a frame in `rows` */
    CTC_SHORT = 128,     /* labels, for 8 threads a frame in `posterior` */
    CTC_FRAMES = 8       /* frames of a block, a warp each, in the kernels that go over frames */
};
/* Warps that a block of `chain` may have, and labels + 2 of so many. */
#define CTC_WARPS(ROUND) ((ROUND) == CTC_ROUND ? CTC_FEW_WARPS : 16)
#define CTC_MOST_PLACES(ROUND) ((32 * CTC_K - (ROUND)) * CTC_WARPS(ROUND) + (ROUND))
enum { CTC_FINE = 0, CTC_INFEASIBLE = 1, CTC_WRONG = 2 }; /* verdicts on the integers */
enum {
    CTC_AGAIN = 1,          /* flags: the careful chain computes loss and gradient */
    CTC_AGAIN_GRADIENT = 2, /* the gradient alone */
    CTC_NOT_NORMALIZED = 4  /* a frame is given whose probabilities have a sum above 1 */
};

typedef struct {
    const void *logits;                                   /* (N, T, C) */
    const void *targets, *input_lengths, *target_lengths; /* (N, S), (N,), (N,): int32 or int64 */
    const void *upstream;  /* (N,), or null; double beside double scores, else float, as `loss` */
    void *loss, *gradient; /* (N,); as logits, or null */
    long long N, T, C, S;
    long long stride_n, stride_t; /* of logits and gradient, in elements */
    long long upstream_stride;    /* in elements: 0 where all are the same */
    int blank, normalize, zero;   /* blank: 0 .. C - 1; zero: an infeasible target costs 0 */
    int adds;                     /* without `normalize`: exp(logits) is added to the gradient */
    int wide;    /* bits 1, 2, 4: targets, input_lengths, target_lengths are int64 */
    int kind;    /* of logits and gradient */
    int careful; /* the careful chain computes all sequences, not only those in `flags` */
    /* Working memory, with no particular content before. */
    /* (N, T, 2): maximum of a frame, and in the fast path sum exp(z - maximum) - 1, in the careful
     * one its ln, which is NaN where the frame has a NaN or +inf. */
    double *statistics;
    /* (N, strips * checkpoints + CTC_BLOCK + 1, K, 4, 32): rows of the lattice. */
    double *cells;
    /* (N, strips, T, 6) where there are several strips: what one strip of a row passes to the next.
     */
    double *borders;
    unsigned long long *classes;   /* (N, C): sums of posteriors */
    int *labels, *frames, *counts; /* (N, S), (N,), (N,): the integers, as `prepare` checked them */
    int *verdict, *flags;          /* (N,) */
    /* Of the fast path; a word is the upper half of a double. */
    int rows, places;    /* T and S + 2, rounded up */
    unsigned *emissions; /* (N, rows, places): of labels, relative to a power of two; else 0 */
    unsigned *blanks;    /* (N, rows, 2): that of the blank; 2^16 * the power + bits to the least */
    unsigned *lattice;   /* (N, rows, places): words of labels, then posteriors */
    unsigned *powers;    /* (N, rows / CTC_PART, places): of these words */
    double *middle;      /* (N, 2, places, 2): labels and blanks, in places of a direction, */
    int *middle_powers;  /* and their powers */
    int *first;          /* (N, S): the first label of the same class */
    double *totals;      /* (N,): the sum over all paths, 1 .. 2 */
} ctc_batch;
#endif
