/* CTC decoding on a CPU: the best path, and the prefix beam search of TensorFlow's v1 op with its
 * pruning.
 *
 * A. Graves, "Supervised sequence labelling with recurrent neural networks", 2012, section 7.5.3.
 * The rules of pruning are those of tensorflow/core/util/ctc/ctc_beam_search.h, written down step
 * by step in reference/decoders.py, with which the tests compare.
 *
 * C99 and C++11. Probabilities are doubles in log space. TensorFlow looks at every class of every
 * prefix; here only the W + 1 best classes of a frame are candidates for a beam of W, and a prefix
 * is done as soon as the next of them would be below the worst of the beam. */
#include "../export.h"
#include "decode_beam.h"
#include "decode_greedy.h"
#include "threads.h"

static void *ctc_shim_decode_some(void *argument) {
    ctc_shim_decoder *d = (ctc_shim_decoder *)argument;
    const ctc_shim_decoding *g = d->decoding;
    int64_t n;
    while (!d->failed && !ctc_shim_stops(&d->signal_check, 0) &&
           (n = ctc_shim_take(d->next_sequence)) < g->batch.N) {
        if (g->width) ctc_shim_search(d, n);
        else ctc_shim_greedy(d, n);
    }
    return NULL;
}

static int64_t ctc_shim_decode_check(ctc_shim_batch *b, double *work, int64_t *report) {
    int64_t n;
    if (ctc_shim_too_large(b->T, b->C, 0, report)) return CTC_SHIM_ERROR_SIZE;
    if (b->C > 0 ? b->blank < -b->C || b->blank >= b->C : b->N > 0 && b->T > 0)
        return ctc_shim_report(report, CTC_SHIM_ERROR_BLANK, 0, b->C, b->blank);
    if (b->blank < 0) b->blank += b->C;
    *work = 0;
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n);
        if (T < 0 || T > b->T)
            return ctc_shim_report(report, CTC_SHIM_ERROR_INPUT_LENGTH, n, b->T, T);
        *work += (double)T * (double)b->C;
    }
    return ctc_shim_report(report, 0, 0, 0, 0);
}

static size_t ctc_shim_best_layout(ctc_shim_best *best, char *block, size_t used) {
    const size_t item = sizeof(ctc_shim_item);
    best->recent_room = best->room ? 64 + best->room / 16 : 0;
    best->sorted = (ctc_shim_item *)ctc_shim_carve(block, &used, (size_t)best->room * item);
    best->recent = (ctc_shim_item *)ctc_shim_carve(block, &used, (size_t)best->recent_room * item);
    return used;
}

static size_t ctc_shim_decoder_layout(const ctc_shim_decoding *g, char *block,
                                      ctc_shim_decoder *d) {
    size_t used = 0, width = (size_t)g->width, C = (size_t)g->batch.C,
           padded = (size_t)ctc_shim_padded(g->width);
    used = ctc_shim_best_layout(&d->next, block, used);
    used = ctc_shim_best_layout(&d->classes, block, used);
    d->beam = (ctc_shim_branch *)ctc_shim_carve(block, &used, width * sizeof(ctc_shim_branch));
    d->next_beam = (ctc_shim_branch *)ctc_shim_carve(block, &used, width * sizeof(ctc_shim_branch));
    d->one = (double *)ctc_shim_carve(block, &used, padded * sizeof(double));
    d->two = (double *)ctc_shim_carve(block, &used, padded * sizeof(double));
    d->seen = (int64_t *)ctc_shim_carve(block, &used, width ? C * sizeof(int64_t) : 0);
    d->scratch.exps = ctc_shim_carve(block, &used, CTC_SHIM_CHUNK * (size_t)g->batch.item);
    d->scratch.scores =
        ctc_shim_carve(block, &used, (size_t)g->batch.copies * C * (size_t)g->batch.item);
    return used;
}

static int64_t ctc_shim_decode_batch(ctc_shim_decoding *g, int64_t threads,
                                     ctc_shim_signals *signals, int64_t *report) {
    ctc_shim_batch *b = &g->batch;
    double work;
    int64_t i, next = 0, failed = 0, error = ctc_shim_decode_check(b, &work, report);
    size_t bytes;
    char *memory, *block;
    ctc_shim_decoder first, *decoders;
    if (error || b->N <= 0) return error;
    memset(&first, 0, sizeof first);
    first.decoding = g;
    first.next_sequence = &next;
    first.next.room = g->width;
    first.classes.room = !g->width ? 0 : b->C <= g->width ? b->C : g->width + 1;
    first.prefix_room = g->width ? 1024 : 0; /* grows */
    threads = ctc_shim_threads(threads, work * (double)(g->width ? 1 + g->width : 1), b->N);
    bytes = ctc_shim_decoder_layout(g, NULL, &first);
    memory = (char *)calloc((size_t)threads * (bytes + sizeof first) + 64, 1);
    if (!memory) return ctc_shim_report(report, CTC_SHIM_ERROR_MEMORY, 0, 0, 0);
    block = memory + (64 - (uintptr_t)memory % 64) % 64;
    decoders = (ctc_shim_decoder *)(block + (size_t)threads * bytes);
    for (i = 0; i < threads; i++) {
        decoders[i] = first;
        decoders[i].signal_check.signals = signals;
        decoders[i].signal_check.handles = i == 0;
        ctc_shim_decoder_layout(g, block + (size_t)i * bytes, &decoders[i]);
        if (g->width) {
            decoders[i].prefixes =
                (ctc_shim_prefix *)malloc((size_t)first.prefix_room * sizeof(ctc_shim_prefix));
            decoders[i].failed = !decoders[i].prefixes;
        }
    }
    ctc_shim_share(ctc_shim_decode_some, decoders, sizeof first, threads, signals);
    for (i = 0; i < threads; i++) {
        failed |= decoders[i].failed;
        free(decoders[i].prefixes);
    }
    free(memory);
    if (signals->stop) return ctc_shim_report(report, CTC_SHIM_ERROR_SIGNAL, 0, 0, 0);
    return failed ? ctc_shim_report(report, CTC_SHIM_ERROR_MEMORY, 0, 0, 0) : 0;
}

CTC_SHIM_EXPORT int64_t CTC_SHIM_ENTRY(ctc_shim_decode)(ctc_shim_decode_call *call) {
    ctc_shim_decoding g;
    ctc_shim_batch *b = &g.batch;
    ctc_shim_signals signals = ctc_shim_signals_of(call->python);
    int64_t error;
    memset(&g, 0, sizeof g);
    b->item = call->type == CTC_SHIM_TYPE_F32 ? 4 : 8;
    b->logits = (const char *)call->logits;
    b->stride_n = call->logits_stride_n;
    b->stride_t = call->logits_stride_t;
    b->stride_c = call->logits_stride_c;
    b->N = call->N;
    b->T = call->T;
    b->C = b->padded = call->C;
    b->input_lengths = (const char *)call->input_lengths;
    b->input_lengths_stride = call->input_lengths_stride;
    b->blank = call->blank;
    b->normalize = call->normalize;
    b->copies = !ctc_shim_plain(b);
    g.width = call->beam_width;
    g.paths = call->paths;
    g.merge = call->merge;
    g.labels = (int64_t *)call->labels;
    g.lengths = (int64_t *)call->lengths;
    g.scores = (double *)call->log_probs;
    ctc_shim_release(&signals);
    error = ctc_shim_decode_batch(&g, call->threads, &signals, call->report);
    ctc_shim_regain(&signals);
    return error;
}
