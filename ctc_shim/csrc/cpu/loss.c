/* Connectionist temporal classification on a CPU: loss and gradient (or posteriors) in one pass over the data.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables, equations (6)-(8); backward
 * variables, (9)-(11); gradient, (14)-(16). What must come out is written down in the contract the tests check.
 *
 * One text for C99 and C++11, built as a shared library.
 * Build with -O3 -fopenmp-simd; it is right with any flags except those that break IEEE arithmetic (-ffast-math).
 *
 * How it stays right over any dynamic range without exp or log in the inner loop: a lattice cell is a number
 * m * 2^e, both doubles, e an integer kept per cell (a scale shared by a frame, or by neighbours, loses the cells that
 * matter once a network has collapsed onto the blank). Doubles as exponents are exact to 2^53, cannot overflow here, and
 * their maximum is one instruction everywhere. An impossible cell has m = 0 exactly and a very low e. That is the general
 * case; where a group of 16 frames can do without exponents inside, and most can, it does (ctc_linear.h).
 * Two lanes: label[j] is label j, blank[j] the blank before it (blank[S] is the last), so there is no interleaving.
 */
#ifndef CTC_SHIM_KERNEL
#define CTC_SHIM_KERNEL
#include "base.h"     /* compilers, constants */
#include "rows.h"     /* softmax of a row, emissions: all that depends on the element type */
#include "lattice.h"  /* one frame, with an exponent in each cell */
#include "linear.h"   /* groups of frames in plain doubles */
#include "batch.h"    /* what a call is given, and what a thread works with */
#include "sequence.h" /* forwards and backwards through one sequence */
#include "threads.h"  /* errors, memory, threads */

/* ---- the batch -------------------------------------------------------------------------------------------------- */

/* Everything that can be wrong with a batch, before anything is written. Fills in the sizes over the batch, and the work. */
static int64_t ctc_shim_check(ctc_shim_batch *b, double *work, int64_t *report) {
    int64_t n, s;
    if (b->C > 0 && (b->blank < -b->C || b->blank >= b->C)) return ctc_shim_error(report, 5, 0, b->C, b->blank);
    if (b->blank < 0) b->blank += b->C;
    b->longest = b->labels = 0;
    *work = 0;
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n), S = ctc_shim_labels_of(b, n);
        if (T < 0 || T > b->T) return ctc_shim_error(report, 1, n, b->T, T);
        if (S < 0 || S > b->S) return ctc_shim_error(report, 2, n, b->S, S);
        for (s = 0; s < S; s++) {
            int64_t label = ctc_shim_label_of(b, n, s);
            if (label < 0 || label >= b->C || label == b->blank) return ctc_shim_error(report, 3, n, s, label);
        }
        if (T > b->longest) b->longest = T;
        if (S > b->labels) b->labels = S;
        *work += (double)T * (double)(b->C + 4 * S);
    }
    if (b->infeasible < 2) return ctc_shim_error(report, 0, 0, 0, 0);
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n), fewest = ctc_shim_fewest(b, n);
        if (T < (b->infeasible == 2 ? fewest : ctc_shim_labels_of(b, n))) return ctc_shim_error(report, 4, n, fewest, T);
    }
    return ctc_shim_error(report, 0, 0, 0, 0);
}

static size_t ctc_shim_layout(const ctc_shim_batch *b, char *block, ctc_shim_scratch *w) {
    size_t used = 0, width = (size_t)b->width, row = ctc_shim_row_size(b) * sizeof(double);
    size_t blocks = b->gradient ? (size_t)(b->longest / b->rows + 1) : 0;
    w->table = (double *)ctc_shim_carve(block, &used, (size_t)b->rows * row);
    w->carry = (double *)ctc_shim_carve(block, &used, row);
    w->linear = (double *)ctc_shim_carve(block, &used, row);
    w->beta = (double *)ctc_shim_carve(block, &used, b->gradient ? 3 * row : 0);
    w->checkpoints = (double *)ctc_shim_carve(block, &used, blocks * ctc_shim_alpha_size(b) * sizeof(double));
    w->frames = (ctc_shim_frame *)ctc_shim_carve(block, &used, (size_t)b->longest * sizeof(ctc_shim_frame));
    w->skip = (double *)ctc_shim_carve(block, &used, width * sizeof(double));
    w->pairs = (double *)ctc_shim_carve(block, &used, 2 * width * sizeof(double));
    w->posterior = (double *)ctc_shim_carve(block, &used, (width + CTC_SHIM_LANES) * sizeof(double));
    if (block) w->posterior += CTC_SHIM_LANES; /* backward writes posterior[-1] */
    w->label = (int32_t *)ctc_shim_carve(block, &used, width * sizeof(int32_t));
    w->earliest = (int32_t *)ctc_shim_carve(block, &used, width * sizeof(int32_t));
    w->reference = (double *)ctc_shim_carve(block, &used, (size_t)(b->C / CTC_SHIM_CHUNK + 1) * sizeof(double));
    w->exps = ctc_shim_carve(block, &used, (size_t)(b->padded + CTC_SHIM_CHUNK) * (size_t)b->item);
    w->scores = ctc_shim_carve(block, &used, (size_t)(b->copies * b->padded * b->item));
    return used;
}

/* Sequences are taken one by one by whichever thread is free; each is computed in the same way whoever takes it. */
typedef struct { const ctc_shim_batch *batch; ctc_shim_scratch scratch; const int64_t *order; int64_t *next; } ctc_shim_worker;

static void *ctc_shim_work(void *argument) {
    ctc_shim_worker *worker = (ctc_shim_worker *)argument;
    const ctc_shim_batch *b = worker->batch;
    ctc_shim_pad(b, &worker->scratch);
    for (;;) {
        int64_t i = ctc_shim_take(worker->next);
        if (i >= b->N) return NULL;
        ctc_shim_sequence(b, &worker->scratch, worker->order ? worker->order[2 * i + 1] : i);
    }
}

static int ctc_shim_longer(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Pairs (work, n), most work first: the last thread to finish then has little left. */
static void ctc_shim_arrange(const ctc_shim_batch *b, int64_t *order) {
    int64_t n;
    for (n = 0; n < b->N; n++) {
        order[2 * n] = ctc_shim_frames_of(b, n) * (b->C + 4 * ctc_shim_labels_of(b, n));
        order[2 * n + 1] = n;
    }
    qsort(order, (size_t)b->N, 2 * sizeof(int64_t), ctc_shim_longer);
}

/* A large gradient is often fresh memory, and a page fault every 4 KiB costs more than the arithmetic: ask for huge pages. */
static void ctc_shim_prefer_huge_pages(const ctc_shim_batch *b) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t huge = 1 << 21;
    const int64_t bytes = b->N * b->T * b->C * b->item;
    uintptr_t start = ((uintptr_t)b->gradient + huge - 1) / huge * huge;
    uintptr_t stop = ((uintptr_t)b->gradient + (uintptr_t)bytes) / huge * huge;
    if (b->gradient && bytes >= (1 << 23) && b->gradient_stride_n > 0 && b->gradient_stride_t > 0 && stop > start)
        madvise((void *)start, stop - start, MADV_HUGEPAGE); /* a hint: what it returns does not matter */
#else
    (void)b;
#endif
}

static int64_t ctc_shim_run(ctc_shim_batch *b, int64_t threads, int64_t *report) {
    double work;
    int64_t i, next = 0, error = ctc_shim_check(b, &work, report);
    size_t bytes, pairs;
    char *memory;
    ctc_shim_worker *workers;
    if (error || b->N <= 0) return error;
    b->padded = b->C < CTC_SHIM_CHUNK ? (b->C + 15) / 16 * 16 : b->C;
    b->plain = ctc_shim_plain(b);
    b->copies = b->plain && b->padded == b->C && !b->ratios ? 0 : CTC_SHIM_GROUP; /* vectors have no remainder, epsilon is added */
    b->width = (b->labels + CTC_SHIM_LANES) / CTC_SHIM_LANES * CTC_SHIM_LANES; /* S + 1 cells, rounded up */
    b->rows = (int64_t)(CTC_SHIM_TABLE_BYTES / (double)(ctc_shim_row_size(b) * sizeof(double)));
    if (b->rows > b->longest) b->rows = b->longest;
    b->rows = b->gradient ? (b->rows + CTC_SHIM_GROUP - 1) / CTC_SHIM_GROUP * CTC_SHIM_GROUP : 2; /* whole groups, at least one */
    if (b->rows < CTC_SHIM_GROUP && b->gradient) b->rows = CTC_SHIM_GROUP;
    threads = ctc_shim_threads(threads, work, b->N);
    {
        ctc_shim_scratch sizes;
        bytes = ctc_shim_layout(b, NULL, &sizes);
    }
    pairs = threads > 1 ? (size_t)b->N * 2 * sizeof(int64_t) : 0;
    memory = (char *)malloc((size_t)threads * (bytes + sizeof(ctc_shim_worker)) + pairs + 64);
    if (!memory) return ctc_shim_error(report, 6, 0, 0, 0);
    workers = (ctc_shim_worker *)(memory + ((64 - (uintptr_t)memory % 64) % 64) + (size_t)threads * bytes + pairs);
    for (i = 0; i < threads; i++) {
        char *block = memory + ((64 - (uintptr_t)memory % 64) % 64);
        workers[i].batch = b;
        workers[i].order = pairs ? (const int64_t *)(block + (size_t)threads * bytes) : NULL;
        workers[i].next = &next;
        ctc_shim_layout(b, block + (size_t)i * bytes, &workers[i].scratch);
    }
    if (pairs) ctc_shim_arrange(b, (int64_t *)workers[0].order);
    ctc_shim_prefer_huge_pages(b);
    ctc_shim_share(ctc_shim_work, workers, sizeof(ctc_shim_worker), threads);
    free(memory);
    return 0;
}

/* Returns 0, or what is wrong with the batch (then nothing was written), with report = kind, n, s or limit, value:
 *   1 input length, 2 target length, 3 label, 4 target does not fit (n, U_n, T_n), 5 blank (0, C, blank), 6 out of memory.
 * logits (N, T, C), targets (N, S), lengths (N,): any strides, in bytes. loss (N,) contiguous. gradient: NULL for the loss
 * alone, or (N, T, C) with contiguous classes, written whole. mode 0: gradient times upstream (N,), 1: posteriors instead.
 * infeasible: 0 inf, 1 zero, 2 raise, 3 as TensorFlow. threads: at most so many, 0: as many as there
 * are processors; results do not depend on it.
 * The second entry takes probabilities: scores are ln(p + epsilon), epsilon >= 0, and the gradient is that by p; normalize is 1
 * and mode 0 there. */
#define CTC_SHIM_ARGUMENTS(REAL) \
    const REAL *logits, int64_t stride_n, int64_t stride_t, int64_t stride_c, int64_t N, int64_t T, int64_t C, \
    const int64_t *targets, int64_t targets_stride_n, int64_t targets_stride_s, int64_t S, const int64_t *input_lengths, \
    int64_t input_lengths_stride, const int64_t *target_lengths, int64_t target_lengths_stride, int64_t blank, \
    int64_t normalize, int64_t infeasible, REAL *loss, REAL *gradient, int64_t gradient_stride_n, int64_t gradient_stride_t, \
    int64_t mode, const REAL *upstream, int64_t upstream_stride, int64_t threads, int64_t *report
#define CTC_SHIM_DEFINE(REAL, NAME, LAST_ARGUMENT, EPSILON) \
    CTC_SHIM_ENTRY int64_t NAME(CTC_SHIM_ARGUMENTS(REAL) LAST_ARGUMENT) { \
        ctc_shim_batch b; \
        memset(&b, 0, sizeof b); \
        b.logits = (const char *)logits; b.stride_n = stride_n; b.stride_t = stride_t; b.stride_c = stride_c; \
        b.N = N; b.T = T; b.C = C; b.S = S; b.item = (int64_t)sizeof(REAL); \
        b.targets = (const char *)targets; b.targets_stride_n = targets_stride_n; b.targets_stride_s = targets_stride_s; \
        b.input_lengths = (const char *)input_lengths; b.input_lengths_stride = input_lengths_stride; \
        b.target_lengths = (const char *)target_lengths; b.target_lengths_stride = target_lengths_stride; \
        b.blank = blank; b.normalize = normalize; b.infeasible = infeasible; b.mode = mode; b.epsilon = EPSILON; b.ratios = b.epsilon >= 0; \
        b.loss = (char *)loss; b.gradient = (char *)gradient; \
        b.gradient_stride_n = gradient_stride_n; b.gradient_stride_t = gradient_stride_t; \
        b.upstream = (const char *)upstream; b.upstream_stride = upstream_stride; \
        return ctc_shim_run(&b, threads, report); \
    }
#define CTC_SHIM_EPSILON , double epsilon

CTC_SHIM_DEFINE(float, ctc_shim_f32, , -1)
CTC_SHIM_DEFINE(double, ctc_shim_f64, , -1)
CTC_SHIM_DEFINE(float, ctc_shim_probabilities_f32, CTC_SHIM_EPSILON, epsilon)
CTC_SHIM_DEFINE(double, ctc_shim_probabilities_f64, CTC_SHIM_EPSILON, epsilon)
#endif
