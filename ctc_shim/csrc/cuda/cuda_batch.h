/* What the kernels of ctc.cu are given, by value: read by CUDA C++, by the launcher (C) and by the tests (C++). */
enum { CTC_F32 = 0, CTC_F64 = 1, CTC_BF16 = 2, CTC_F16 = 3 }; /* kinds of scores */
enum {
    CTC_LANES = 32,
    CTC_CHOICES = 4, /* of cells in a lane: 1, 2, 4, 8. A warp holds a strip of up to 256 labels; longer targets are several strips */
    CTC_BLOCK = 32   /* frames between checkpoints */
};

typedef struct {
    /* (N, T, C); (N, S), (N,), (N,) of int32 or int64; (N,) or null. `upstream` and `loss` are float for all scores but double */
    const void *logits, *targets, *input_lengths, *target_lengths, *upstream;
    void *loss, *gradient;         /* (N,); as logits, or null */
    long long N, T, C, S;
    long long stride_n, stride_t;  /* of logits and gradient, in elements */
    int blank, normalize, zero;    /* blank: 0 .. C - 1; zero: an infeasible target costs 0 */
    int wide;                      /* bits 1, 2, 4: targets, input_lengths, target_lengths are int64 */
    int kind, unused;              /* of logits and gradient */
    /* Working memory, with no particular content before. */
    double *statistics;            /* (N, T, 2): maximum and ln sum exp(z - maximum) of a frame; the latter NaN for NaN or +inf in it */
    double *cells;                 /* (N, strips * checkpoints + CTC_BLOCK + 1, K, 4, 32): rows of the lattice */
    double *borders;               /* (N, strips, T, 6) where there are several: what one strip of a row tells the next */
    unsigned long long *classes;   /* (N, C): sums of posteriors */
    int *labels, *frames, *counts; /* (N, S), (N,), (N,): the integers, checked by `prepare` */
    int *verdict;                  /* (N,) */
} ctc_batch;
