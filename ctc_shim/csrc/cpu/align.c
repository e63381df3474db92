/* Forced alignment on a CPU: the most likely path of each sequence that spells its target. */
#include "../export.h"
#include "best_path.h"
#include "checks.h"

typedef struct {
    const ctc_shim_batch *batch;
    ctc_shim_viterbi viterbi;
    int64_t *next, *states;
} ctc_shim_aligner;

static void *ctc_shim_align_some(void *argument) {
    ctc_shim_aligner *a = (ctc_shim_aligner *)argument;
    int64_t n;
    while (!ctc_shim_stops(&a->viterbi.signal_check, 0) &&
           (n = ctc_shim_take(a->next)) < a->batch->N)
        ctc_shim_best_path(a->batch, &a->viterbi, n, a->states + n * a->batch->T);
    return NULL;
}

static size_t ctc_shim_align_layout(const ctc_shim_batch *b, char *block, ctc_shim_viterbi *v) {
    const size_t cells = ((size_t)b->labels + 2) * sizeof(double);
    size_t used = 0, i;
    double **arrays[4] = {&v->blank, &v->label, &v->next_blank, &v->next_label};
    for (v->block = 1; v->block * v->block < b->longest; v->block++) {
    }
    for (i = 0; i < 4; i++) {
        *arrays[i] = (double *)ctc_shim_carve(block, &used, cells);
        if (block) *arrays[i] += 1; /* they start at -1 */
    }
    v->emission = (double *)ctc_shim_carve(block, &used, cells);
    v->no_skip = (double *)ctc_shim_carve(block, &used, cells);
    v->offset = (int64_t *)ctc_shim_carve(block, &used, cells);
    v->checkpoints = (double *)ctc_shim_carve(block, &used, (size_t)v->block * 2 * cells);
    v->shift = (double *)ctc_shim_carve(block, &used, (size_t)b->longest * sizeof(double));
    v->moves = (int8_t *)ctc_shim_carve(block, &used, (size_t)(v->block * 2 * (v->block + 1)));
    return used;
}

static int64_t ctc_shim_align_batch(ctc_shim_batch *b, int64_t *states, int64_t threads,
                                    ctc_shim_signals *signals, int64_t *report) {
    double work;
    int64_t i, next = 0, error = ctc_shim_check(b, &work, report);
    size_t bytes;
    char *memory, *block;
    ctc_shim_aligner *aligners, first;
    if (error || b->N <= 0) return error;
    memset(&first, 0, sizeof first);
    first.batch = b;
    first.next = &next;
    first.states = states;
    first.viterbi.signal_check.signals = signals;
    threads = ctc_shim_threads(threads, work, b->N);
    bytes = ctc_shim_align_layout(b, NULL, &first.viterbi);
    memory = (char *)malloc((size_t)threads * (bytes + sizeof first) + 64);
    if (!memory) return ctc_shim_report(report, CTC_SHIM_ERROR_MEMORY, 0, 0, 0);
    block = memory + (64 - (uintptr_t)memory % 64) % 64;
    aligners = (ctc_shim_aligner *)(block + (size_t)threads * bytes);
    for (i = 0; i < threads; i++) {
        aligners[i] = first;
        aligners[i].viterbi.signal_check.handles = i == 0;
        ctc_shim_align_layout(b, block + (size_t)i * bytes, &aligners[i].viterbi);
    }
    ctc_shim_share(ctc_shim_align_some, aligners, sizeof first, threads, signals);
    free(memory);
    return signals->stop ? ctc_shim_report(report, CTC_SHIM_ERROR_SIGNAL, 0, 0, 0) : 0;
}

CTC_SHIM_EXPORT int64_t CTC_SHIM_ENTRY(ctc_shim_align)(ctc_shim_call *call) {
    ctc_shim_batch b = ctc_shim_batch_of(call);
    ctc_shim_signals signals = ctc_shim_signals_of(call->python);
    int64_t error;
    b.policy = CTC_SHIM_POLICY_INF;
    ctc_shim_release(&signals);
    error =
        ctc_shim_align_batch(&b, (int64_t *)call->states, call->threads, &signals, call->report);
    ctc_shim_regain(&signals);
    return error;
}
