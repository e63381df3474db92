/* What the kernels of loss.cu are given, by value. For CUDA C++, for the launcher, which is C, and
 * for the tests in C++. NVRTC has no stdint.h, so this header includes nothing; launcher.c checks
 * that it agrees with ctc_shim.h. */
#ifndef CTC_CUDA_BATCH_H
#define CTC_CUDA_BATCH_H

enum { CTC_F32 = 0, CTC_F64 = 1, CTC_BF16 = 2, CTC_F16 = 3 }; /* element types of scores */
enum {
    CTC_LANES = 32,
    /* Of cells in a lane: 1, 2, 4, 8. A warp holds a strip of up to 256 labels; a longer target has
     * several strips. */
    CTC_CHOICES = 4,
    CTC_BLOCK = 32 /* frames between checkpoints */
};

typedef struct {
    const void *logits;                                   /* (N, T, C) */
    const void *targets, *input_lengths, *target_lengths; /* (N, S), (N,), (N,): int32 or int64 */
    const void *upstream;  /* (N,), or null; double beside double scores, else float, as `loss` */
    void *loss, *gradient; /* (N,); as logits, or null */
    long long N, T, C, S;
    long long stride_n, stride_t; /* of logits and gradient, in elements */
    int blank, normalize, zero;   /* blank: 0 .. C - 1; zero: an infeasible target costs 0 */
    int wide;         /* bits 1, 2, 4: targets, input_lengths, target_lengths are int64 */
    int kind, unused; /* of logits and gradient */
    /* Working memory, with no particular content before. */
    /* (N, T, 2): maximum and ln sum exp(z - maximum) of a frame; the latter is NaN where the frame
     * has a NaN or +inf. */
    double *statistics;
    /* (N, strips * checkpoints + CTC_BLOCK + 1, K, 4, 32): rows of the lattice. */
    double *cells;
    /* (N, strips, T, 6) where there are several strips: what one strip of a row passes to the next.
     */
    double *borders;
    unsigned long long *classes;   /* (N, C): sums of posteriors */
    int *labels, *frames, *counts; /* (N, S), (N,), (N,): the integers, as `prepare` checked them */
    int *verdict;                  /* (N,) */
} ctc_batch;
#endif
