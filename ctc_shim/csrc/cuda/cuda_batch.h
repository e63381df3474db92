/* What the kernels of loss.cu are given, by value. For CUDA C++, for the launcher, which is C, and
 * for the tests in C++. NVRTC has no stdint.h, so this header includes nothing; launcher.c checks
 * that it agrees with ctc_shim.h. */
#ifndef CTC_CUDA_BATCH_H
#define CTC_CUDA_BATCH_H

enum { CTC_F32 = 0, CTC_F64 = 1, CTC_BF16 = 2, CTC_F16 = 3 }; /* element types of scores */
#if !defined(CTC_LABELS_OF_A_THREAD) /* benchmarks/gpu.py tries other numbers */
#define CTC_LABELS_OF_A_THREAD 2
#endif
#if !defined(CTC_FRAMES_OF_A_ROUND)
#define CTC_FRAMES_OF_A_ROUND 8
#endif
enum {
    CTC_LANES = 32,
    /* Of cells in a lane: 1, 2, 4, 8. A warp holds a strip of up to 256 labels; a longer target has
     * several strips. */
    CTC_CHOICES = 4,
    CTC_BLOCK = 32, /* frames between checkpoints */
    /* The fast chain. */
    CTC_K = CTC_LABELS_OF_A_THREAD,
    CTC_ROUND = CTC_FRAMES_OF_A_ROUND, /* between meetings of warps; labels that two compute */
    CTC_HALF = CTC_ROUND / 2,          /* frames for which powers of two are stored */
    CTC_WARPS = CTC_K > 2 ? 8 : 16,    /* that a block may have */
    CTC_OWN = 32 * CTC_K - CTC_ROUND,  /* labels that a warp has beyond those of the warp before */
    CTC_PLACES_IN_ALL = CTC_OWN * CTC_WARPS + CTC_ROUND, /* labels + 2 */
    CTC_ROW_WARPS = 24,                                  /* that may share a frame in `rows` */
    CTC_SHORT = 128, /* labels, for 8 threads a frame in `posterior` */
    CTC_FRAMES = 8   /* frames of a block, a warp each, in the kernels that go over frames */
};
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
    int blank, normalize, zero;   /* blank: 0 .. C - 1; zero: an infeasible target costs 0 */
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
    /* Of the fast path; a word is the upper half of a double. P = S + 2. */
    /* (N, T, S + 4): emissions of the labels, relative to a power of two, between zeros. */
    unsigned *emissions;
    long long emission_step, cell_step; /* bytes from a frame to the next, in these and in rows */
    unsigned *blanks;       /* (N, T, 2): that of the blank; 2^16 * the power + bits to the least */
    unsigned *alpha, *beta; /* (N, T, P, 2): labels and blanks */
    int *alpha_powers, *beta_powers; /* (N, T / CTC_HALF, P, 2), of beta from the last frame on */
    int *first;                      /* (N, S): the first label of the same class */
    double *totals;                  /* (N,): the sum over all paths, 1 .. 2 */
    int *total_powers;               /* (N,) */
} ctc_batch;
#endif
