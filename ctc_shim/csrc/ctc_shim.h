/* The interface of the compiled libraries: for C and C++, and the source of every binding.
 *
 * tools/bindings.py makes ctc_shim/native/interface.py from this text, generated C code includes
 * it, and Numba fills the structs as arrays of int64. So each field is 8 bytes wide, a pointer,
 * int64_t or double, and the struct of a call ends with a report of four int64_t. Zero the struct,
 * then set the fields that are needed. Strides are in bytes, and may be negative.
 *
 * Raise CTC_SHIM_ABI with every change of a struct, an enum or an entry. */
#ifndef CTC_SHIM_H
#define CTC_SHIM_H
#include <stdint.h>

#define CTC_SHIM_ABI 5

/* Element types of logits and gradient. CPUs take F32 and F64. Losses and upstream gradients are
 * F64 beside F64 logits, and F32 beside all others. */
enum ctc_shim_type {
    CTC_SHIM_TYPE_F32 = 0,
    CTC_SHIM_TYPE_F64 = 1,
    CTC_SHIM_TYPE_BF16 = 2,
    CTC_SHIM_TYPE_F16 = 3
};

/* What happens to a target that does not fit into its frames; the order of contract.POLICIES. */
enum ctc_shim_policy {
    CTC_SHIM_POLICY_INF = 0,
    CTC_SHIM_POLICY_ZERO = 1,
    CTC_SHIM_POLICY_RAISE = 2,
    CTC_SHIM_POLICY_TENSORFLOW = 3 /* an error only where there are fewer frames than labels */
};

/* What an entry returns, with the rest of the report: row n and two more numbers. 0: no error. */
enum ctc_shim_error {
    CTC_SHIM_ERROR_INPUT_LENGTH = 1,  /* n, the longest allowed, the length */
    CTC_SHIM_ERROR_TARGET_LENGTH = 2, /* n, the longest allowed, the length */
    CTC_SHIM_ERROR_LABEL = 3,         /* n, s, the label */
    CTC_SHIM_ERROR_INFEASIBLE = 4,    /* n, frames needed, frames given */
    CTC_SHIM_ERROR_BLANK = 5,         /* 0, C, the blank; or frames without classes: C is 0 */
    CTC_SHIM_ERROR_MEMORY = 6,
    CTC_SHIM_ERROR_ROWS = 7,  /* arrays of different lengths: only callers can see this */
    CTC_SHIM_ERROR_SIZE = 8,  /* the axis (0: frames, 1: classes, 2: labels), the most, the size */
    CTC_SHIM_ERROR_SIGNAL = 9 /* the handler of a signal raised, see ctc_shim_python */
};

/* Frames, classes and labels are counted in 32 bits inside. */
#define CTC_SHIM_LARGEST 2147483647

/* What `logits` holds. */
enum ctc_shim_input {
    CTC_SHIM_INPUT_SCORES = 0,
    CTC_SHIM_INPUT_PROBABILITIES = 1 /* p: scores are ln(p + epsilon), the gradient is that by p */
};

/* What `gradient` receives. */
enum ctc_shim_mode {
    CTC_SHIM_MODE_GRADIENT = 0,
    CTC_SHIM_MODE_POSTERIORS = 1,
    CTC_SHIM_MODE_PYTORCH = 2 /* exp(logits) - posterior, without `normalize` */
};

/* Functions of the Python that called and holds its GIL. A call that is given them releases the GIL
 * while it computes, and lets signals be handled about ten times a second. Where a handler raises,
 * as Ctrl-C's does, the call ends with CTC_SHIM_ERROR_SIGNAL and the exception set. */
typedef struct {
    void *save;    /* PyEval_SaveThread */
    void *restore; /* PyEval_RestoreThread */
    void *check;   /* PyErr_CheckSignals */
} ctc_shim_python;

/* Loss and gradient of a batch. On an error nothing but the report is written, except that a signal
 * leaves the results half written.
 *
 * On a CPU: integers are int64_t; classes of the gradient are contiguous; PROBABILITIES need
 * `normalize` and the gradient mode. On a GPU: all arrays are contiguous, logits and gradient as
 * (N, T, C) or (T, N, C); integers are int32_t or int64_t, as their strides say; blank is in
 * 0 .. C - 1; a row with a wrong integer gets NaN, and policies other than ZERO act as INF. */
typedef struct {
    int64_t type;       /* enum ctc_shim_type */
    const void *logits; /* (N, T, C) */
    int64_t logits_stride_n, logits_stride_t, logits_stride_c;
    int64_t N, T, C, S;
    const void *targets; /* (N, S) */
    int64_t targets_stride_n, targets_stride_s;
    const void *input_lengths; /* (N,) */
    int64_t input_lengths_stride;
    const void *target_lengths; /* (N,) */
    int64_t target_lengths_stride;
    int64_t blank;     /* -C .. C - 1 */
    int64_t normalize; /* 1: logits, normalised here; 0: log probabilities */
    int64_t policy;    /* enum ctc_shim_policy */
    int64_t input;     /* enum ctc_shim_input */
    double epsilon;    /* at least 0 */
    int64_t mode;      /* enum ctc_shim_mode */
    void *loss;        /* (N,) contiguous, written */
    void *gradient;    /* (N, T, C), written whole; null: the loss alone */
    int64_t gradient_stride_n, gradient_stride_t;
    const void *upstream; /* (N,): multiplies the gradients; null: 1 */
    int64_t upstream_stride;
    /* (N, T) int64_t, contiguous, written by ctc_shim_align alone, which reads the arrays above and
     * the blank: the states of the most likely path. 2 s is the blank before label s, 2 s + 1 the
     * label; -1 in padded frames and where every path has probability 0. Any of these in a
     * sequence with NaN or +inf. */
    void *states;
    int64_t threads; /* at most so many; 0: as many as are worth it. Results do not depend on it */
    const void *python; /* ctc_shim_python; null: the call is not interrupted */
    int64_t report[4];
} ctc_shim_call;

/* The most probable labels of a batch: the best path, or a prefix beam search. */
typedef struct {
    int64_t type;       /* enum ctc_shim_type: F32 or F64 */
    const void *logits; /* (N, T, C) */
    int64_t logits_stride_n, logits_stride_t, logits_stride_c;
    int64_t N, T, C;
    const void *input_lengths; /* (N,) int64_t */
    int64_t input_lengths_stride;
    int64_t blank, normalize;
    int64_t beam_width; /* 0: the best path, and `paths` is 1 */
    int64_t paths;      /* hypotheses wanted for each sequence */
    int64_t merge;   /* equal neighbours become one: along the best path, or in a beam's result */
    void *labels;    /* (N, paths, T) int64_t, filled with -1 before the call; labels, written */
    void *lengths;   /* (N, paths) int64_t, written; 0 where there is no such hypothesis */
    void *log_probs; /* (N, paths) double: ln p, written; -inf where there is no such hypothesis */
    int64_t threads;
    const void *python;
    int64_t report[4];
} ctc_shim_decode_call;

#if defined(__cplusplus)
extern "C" {
#endif
/* Of the library for CPUs. They return report[0]. */
int64_t ctc_shim_loss(ctc_shim_call *call);
int64_t ctc_shim_decode(ctc_shim_decode_call *call);
int64_t ctc_shim_align(ctc_shim_call *call);
/* Threads that a call uses at most: CTC_SHIM_THREADS or OMP_NUM_THREADS from the environment, else
 * the processors that this process may use. */
int64_t ctc_shim_processors(void);
/* What runs on this processor: "base", or "v2", "v3", "v4" for x86-64-v2 and so on. */
const char *ctc_shim_variant(void);
/* 0 where a small batch comes out right on each variant that this processor runs. */
int64_t ctc_shim_trial(void);

/* Of the launcher for GPUs: see csrc/cuda/launcher.c. */
int64_t ctc_shim_cuda_open(const char *driver, const char *ptx, char *message, int64_t room);
int64_t ctc_shim_cuda_launch(const ctc_shim_call *call, int64_t cells, void *work, int64_t bytes,
                             void *stream, char *message, int64_t room);
int64_t ctc_shim_cuda_scale(const ctc_shim_call *call, void *stream, char *message, int64_t room);

/* Of every library: CTC_SHIM_ABI and the hash of the sources it was built from. */
int64_t ctc_shim_abi(void);
const char *ctc_shim_source_hash(void);
#if defined(__cplusplus)
}
#endif
#endif
