/* Connectionist temporal classification on a CPU: loss and gradient (or posteriors) in one pass
 * over the data.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables,
 * equations (6)-(8); backward variables, (9)-(11); gradient, (14)-(16).
 *
 * C99 and C++11; built with -O3 -fopenmp-simd as a shared library. Results are right with any
 * flags except those that break IEEE arithmetic (-ffast-math).
 *
 * There is no exp or log in the inner loop. A lattice cell is a number m * 2^e, both doubles, with
 * an integer e of its own: a scale shared by a frame or by neighbours loses the cells that matter
 * once a network has collapsed onto the blank. Doubles as exponents are exact to 2^53, cannot
 * overflow here, and their maximum is one instruction everywhere. An impossible cell has m = 0 and
 * a very low e. Where a group of 16 frames needs no exponents inside, as most do, it has none
 * (linear.h). Short sequences are computed side by side (side_by_side.h).
 *
 * Labels and blanks lie in two arrays, not interleaved: label[j] is label j, blank[j] is the blank
 * before it, and blank[S] is the last. */
#include "../export.h"
#include "checks.h"
#include "order.h"
#include "side_by_side.h"

static size_t ctc_shim_layout(const ctc_shim_batch *b, char *block, ctc_shim_scratch *w,
                              ctc_shim_side *side) {
    size_t used = 0, width = (size_t)b->width, row = ctc_shim_row_size(b) * sizeof(double);
    size_t blocks = b->gradient ? (size_t)(b->longest / b->rows + 1) : 0;
    size_t beside = ctc_shim_reads_frames(b) ? (size_t)(CTC_SHIM_GROUP * b->C * b->item) : 0;
    w->table = (double *)ctc_shim_carve(block, &used, (size_t)b->rows * row);
    w->carry = (double *)ctc_shim_carve(block, &used, row);
    w->linear = (double *)ctc_shim_carve(block, &used, row);
    w->beta = (double *)ctc_shim_carve(block, &used, b->gradient ? 3 * row : 0);
    w->checkpoints =
        (double *)ctc_shim_carve(block, &used, blocks * ctc_shim_alpha_size(b) * sizeof(double));
    w->frames =
        (ctc_shim_frame *)ctc_shim_carve(block, &used, (size_t)b->longest * sizeof(ctc_shim_frame));
    w->skip = (double *)ctc_shim_carve(block, &used, width * sizeof(double));
    w->pairs = (double *)ctc_shim_carve(block, &used, 2 * width * sizeof(double));
    w->posterior =
        (double *)ctc_shim_carve(block, &used, (width + CTC_SHIM_LANES) * sizeof(double));
    if (block) w->posterior++; /* posterior[-1] is written, too, the first of a vector */
    w->label = (int32_t *)ctc_shim_carve(block, &used, (width + CTC_SHIM_LANES) * sizeof(int32_t));
    w->earliest = (int32_t *)ctc_shim_carve(block, &used, width * sizeof(int32_t));
    w->e = ctc_shim_carve(block, &used, beside);
    w->reference = (double *)ctc_shim_carve(block, &used,
                                            (size_t)(b->C / CTC_SHIM_CHUNK + 1) * sizeof(double));
    w->exps = ctc_shim_carve(block, &used, (size_t)(b->padded + CTC_SHIM_CHUNK) * (size_t)b->item);
    w->scores = ctc_shim_carve(block, &used, (size_t)(b->copies * b->padded * b->item));
    if (side) used += ctc_shim_side_layout(b, block ? block + used : NULL, side);
    return used;
}

/* A thread takes the next piece of work whenever it is free. Results do not depend on which takes
 * it. */
typedef struct {
    const ctc_shim_batch *batch;
    ctc_shim_scratch scratch;
    ctc_shim_side side;
    ctc_shim_signal_check signal_check;
    const ctc_shim_order *order;
    int64_t *next;
} ctc_shim_worker;

static void *ctc_shim_work(void *argument) {
    ctc_shim_worker *worker = (ctc_shim_worker *)argument;
    const ctc_shim_order *order = worker->order;
    const int64_t pieces = ctc_shim_pieces(order);
    ctc_shim_pad(worker->batch, &worker->scratch);
    for (;;) {
        int64_t i = ctc_shim_take(worker->next), first, left;
        if (i >= pieces || ctc_shim_stops(&worker->signal_check, 0)) break;
        if (i < order->alone) {
            ctc_shim_sequence(worker->batch, &worker->scratch, order->n[i]);
            continue;
        }
        first = order->alone + (i - order->alone) * CTC_SHIM_SIDE;
        left = order->N - first;
        ctc_shim_side_by_side(worker->batch, &worker->scratch, &worker->side, order->n + first,
                              left < CTC_SHIM_SIDE ? left : (int64_t)CTC_SHIM_SIDE);
    }
    ctc_shim_stream_end();
    return NULL;
}

/* Asks for huge pages. A large gradient is often new memory, and a page fault every 4 KiB costs
 * more than the arithmetic. */
static void ctc_shim_prefer_huge_pages(const ctc_shim_batch *b) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t huge = 1 << 21;
    const int64_t bytes = b->N * b->T * b->C * b->item;
    uintptr_t start = ((uintptr_t)b->gradient + huge - 1) / huge * huge;
    uintptr_t stop = ((uintptr_t)b->gradient + (uintptr_t)bytes) / huge * huge;
    if (b->gradient && bytes >= (1 << 23) && b->gradient_stride_n > 0 && b->gradient_stride_t > 0 &&
        stop > start)
        madvise((void *)start, stop - start, MADV_HUGEPAGE); /* a hint, which may fail */
#else
    (void)b;
#endif
}

/* Decides how rows are read, and how many rows of the lattice are kept. */
static void ctc_shim_plan(ctc_shim_batch *b) {
    b->padded = b->C < CTC_SHIM_CHUNK ? (b->C + 15) / 16 * 16 : b->C;
    b->plain = ctc_shim_plain(b);
    /* Copies have no remainder of a vector, and contain epsilon. */
    b->copies = b->plain && b->padded == b->C && !b->ratios ? 0 : CTC_SHIM_GROUP;
    b->streams = b->C > CTC_SHIM_CHUNK &&
                 (double)b->N * (double)b->T * (double)(b->C * b->item) > CTC_SHIM_STREAM_BYTES;
    /* S + 1 cells, rounded up. */
    b->width = (b->labels + CTC_SHIM_LANES) / CTC_SHIM_LANES * CTC_SHIM_LANES;
    b->rows = (int64_t)(CTC_SHIM_TABLE_BYTES / (double)(ctc_shim_row_size(b) / 2 * sizeof(double)));
    /* Twice as much still pays where nothing then has to be computed again. */
    if (2 * b->rows > b->longest) b->rows = b->longest;
    /* Whole groups, at least one. */
    b->rows = b->gradient ? (b->rows + CTC_SHIM_GROUP - 1) / CTC_SHIM_GROUP * CTC_SHIM_GROUP : 2;
    if (b->rows < CTC_SHIM_GROUP && b->gradient) b->rows = CTC_SHIM_GROUP;
    /* Of a long sequence the checkpoints would need most of the memory: fewer of them, then. */
    while (b->gradient && b->longest / b->rows > 6 * b->rows) b->rows *= 2;
}

/* Two blocks of memory: the order of the work; the scratch of each thread, and the threads. */
static int64_t ctc_shim_run(ctc_shim_batch *b, int64_t threads, ctc_shim_signals *signals,
                            int64_t *report) {
    double work;
    int64_t i, next = 0, error = ctc_shim_check(b, &work, report);
    size_t bytes;
    char *memory = NULL, *block;
    ctc_shim_worker *workers, sizes;
    ctc_shim_order order;
    if (error || b->N <= 0) return error;
    ctc_shim_plan(b);
    order.N = b->N;
    order.n = (int64_t *)malloc((size_t)b->N * 2 * sizeof(int64_t));
    if (order.n) {
        ctc_shim_arrange(b, ctc_shim_work_of(b, b->longest), order.n + b->N, &order);
        threads = ctc_shim_threads(threads, work, ctc_shim_pieces(&order));
        bytes = ctc_shim_layout(b, NULL, &sizes.scratch, order.alone < b->N ? &sizes.side : NULL);
        memory = (char *)malloc((size_t)threads * (bytes + sizeof(ctc_shim_worker)) + 64);
    }
    if (!memory) {
        free(order.n);
        return ctc_shim_report(report, CTC_SHIM_ERROR_MEMORY, 0, 0, 0);
    }
    block = memory + (64 - (uintptr_t)memory % 64) % 64;
    workers = (ctc_shim_worker *)(void *)(block + (size_t)threads * bytes);
    for (i = 0; i < threads; i++) {
        workers[i].batch = b;
        workers[i].order = &order;
        workers[i].next = &next;
        ctc_shim_layout(b, block + (size_t)i * bytes, &workers[i].scratch,
                        order.alone < b->N ? &workers[i].side : NULL);
        workers[i].signal_check.signals = signals;
        workers[i].signal_check.handles = i == 0;
        workers[i].signal_check.work = 0;
        workers[i].scratch.signal_check = &workers[i].signal_check;
    }
    ctc_shim_prefer_huge_pages(b);
    ctc_shim_share(ctc_shim_work, workers, sizeof(ctc_shim_worker), threads, signals);
    free(memory);
    free(order.n);
    return signals->stop ? ctc_shim_report(report, CTC_SHIM_ERROR_SIGNAL, 0, 0, 0) : 0;
}

CTC_SHIM_EXPORT int64_t CTC_SHIM_ENTRY(ctc_shim_loss)(ctc_shim_call *call) {
    ctc_shim_batch b = ctc_shim_batch_of(call);
    ctc_shim_signals signals = ctc_shim_signals_of(call->python);
    int64_t error;
    ctc_shim_release(&signals);
    error = ctc_shim_run(&b, call->threads, &signals, call->report);
    ctc_shim_regain(&signals);
    return error;
}
