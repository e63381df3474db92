/* CTC decoding on a CPU: the best path, and the prefix beam search of TensorFlow's v1 op with its pruning.
 *
 * A. Graves, "Supervised sequence labelling with recurrent neural networks", 2012, section 7.5.3; the rules of pruning are those
 * of tensorflow/core/util/ctc/ctc_beam_search.h, written down step by step in ../reference_decoders.py, which the tests compare.
 *
 * Linked with ctc.c, with which it shares rows and threads. C99 and C++11. Probabilities are doubles in log space.
 *
 * What makes it fast where TensorFlow looks at every class of every prefix: only the W + 1 best classes of a frame can enter a
 * beam of W, and a prefix is done as soon as the next of them would come out below the beam's worst. */
#include "ctc_base.h"
#include "ctc_rows.h"
#include "ctc_lattice.h"
#include "ctc_batch.h"
#include "ctc_threads.h"

/* One place in a heap, the worst on top. `order`: what came first wins a tie. */
typedef struct { double total; int64_t order; int32_t branch, label; } ctc_shim_item;

/* A prefix: the path from the root. slot: its place in the beam, or -1. */
typedef struct { int32_t parent, label, child, sibling, slot; } ctc_shim_prefix;

/* A prefix in the beam: ln p of its alignments up to the last frame, and of those that end in the blank or in its label. */
typedef struct {
    double total, blank, label, old_total, old_blank;
    int32_t prefix, symbol;     /* symbol: the prefix' last label, -1 for the empty one */
    int32_t child, sibling;     /* other prefixes of the beam that are one label longer */
    int32_t alive, muted;       /* not pushed out of the beam in this frame; may not grow in this frame */
} ctc_shim_branch;

typedef struct {
    ctc_shim_batch batch;
    int64_t width, paths, merge;
    int64_t *labels, *lengths;
    double *scores;
} ctc_shim_decoding;

typedef struct {
    const ctc_shim_decoding *decoding;
    ctc_shim_scratch scratch;   /* the row only */
    ctc_shim_item *heap, *best; /* (width,) the next beam; (classes,) the best classes of a frame */
    ctc_shim_branch *beam, *next_beam;
    int64_t *seen;              /* (C,) stamps: children already in the beam */
    ctc_shim_prefix *prefixes;
    int64_t classes, prefix_count, prefix_room, stamp, failed;
    int64_t *next;
    const void *row;            /* the frame at hand: ln p of class c is (row[c] - shift) - rest */
    double maximum, shift, rest;
} ctc_shim_decoder;

/* ---- heap ------------------------------------------------------------------------------------------------------- */

CTC_SHIM_INLINE int ctc_shim_better(const ctc_shim_item *a, const ctc_shim_item *b) {
    return a->total > b->total || (a->total == b->total && a->order < b->order);
}

/* Puts `item` into the hole at `place` of a heap of n, downwards. */
static void ctc_shim_sift(ctc_shim_item *heap, int64_t n, int64_t place, ctc_shim_item item) {
    int64_t child;
    while ((child = 2 * place + 1) < n) {
        child += child + 1 < n && ctc_shim_better(&heap[child], &heap[child + 1]);
        if (!ctc_shim_better(&item, &heap[child])) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = item;
}

static void ctc_shim_heapify(ctc_shim_item *heap, int64_t n) {
    int64_t i;
    for (i = n / 2 - 1; i >= 0; i--) ctc_shim_sift(heap, n, i, heap[i]);
}

/* A heap as a list, best first. */
static void ctc_shim_sort(ctc_shim_item *heap, int64_t n) {
    for (n--; n > 0; n--) {
        ctc_shim_item worst = heap[0];
        ctc_shim_sift(heap, n, 0, heap[n]);
        heap[n] = worst;
    }
}

/* Adds to the best `room` items; the heap is one only when it is full. Returns the branch that was pushed out, or -1. */
static int32_t ctc_shim_push(ctc_shim_item *heap, int64_t *n, int64_t room, ctc_shim_item item) {
    int32_t out;
    if (*n < room) {
        heap[(*n)++] = item;
        if (*n == room) ctc_shim_heapify(heap, room);
        return -1;
    }
    out = heap[0].label < 0 ? heap[0].branch : -1;
    ctc_shim_sift(heap, room, 0, item);
    return out;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static double ctc_shim_log_p(const ctc_shim_decoder *d, int64_t c) {
    double score = d->decoding->batch.item == 4 ? (double)((const float *)d->row)[c] : ((const double *)d->row)[c];
    return (score - d->shift) - d->rest;
}

/* Makes frame t the one at hand; 0 where a score is NaN or +inf. */
static int ctc_shim_read(ctc_shim_decoder *d, int64_t n, int64_t t) {
    const ctc_shim_batch *b = &d->decoding->batch;
    const void *row = ctc_shim_scores(b, &d->scratch, n, t, 0);
    char *spare = d->scratch.exps;
    ctc_shim_sum sum = b->item == 4 ? ctc_shim_row_f32((const float *)row, b->C, b->normalize, 0, NULL, (float *)spare, NULL)
                                    : ctc_shim_row_f64((const double *)row, b->C, b->normalize, 0, NULL, (double *)spare, NULL);
    int normal = b->normalize && sum.maximum != -INFINITY;
    d->row = row;
    d->maximum = sum.maximum;
    d->shift = normal ? sum.maximum : 0;
    d->rest = normal ? log(sum.ties + sum.rest) : 0;
    return !sum.bad;
}

#define CTC_SHIM_DECODE_ROWS(REAL, SUFFIX) \
    /* the first class whose score is `value` */ \
    static int64_t ctc_shim_find_##SUFFIX(const REAL *row, int64_t C, REAL value) { \
        int64_t c, start = 0; \
        for (; start + 64 <= C; start += 64) { \
            int32_t found = 0; \
            CTC_SHIM_PRAGMA(omp simd reduction(+ : found)) \
            for (c = start; c < start + 64; c++) found += row[c] == value; \
            if (found) break; \
        } \
        for (c = start; c < C - 1 && row[c] != value; c++) continue; \
        return c; \
    } \
    /* Classes without the blank into best[], best first; at most `room`, and none below `floor`. */ \
    static int64_t ctc_shim_select_##SUFFIX(const REAL *row, int64_t C, int64_t blank, double floor, ctc_shim_item *best, \
                                            int64_t room) { \
        int64_t c, n = 0; \
        REAL least = (REAL)floor; \
        for (c = 0; c < C; c++) { \
            ctc_shim_item item; \
            if (row[c] < least || (n == room && row[c] == least) || c == blank) continue; \
            item.total = row[c]; \
            item.order = c; \
            item.branch = 0; \
            item.label = (int32_t)c; \
            ctc_shim_push(best, &n, room, item); \
            if (n == room) least = (REAL)best[0].total; \
        } \
        if (n < room) ctc_shim_heapify(best, n); \
        ctc_shim_sort(best, n); \
        return n; \
    }

CTC_SHIM_DECODE_ROWS(float, f32)
CTC_SHIM_DECODE_ROWS(double, f64)

/* ---- the best path ---------------------------------------------------------------------------------------------- */

static void ctc_shim_greedy(ctc_shim_decoder *d, int64_t n) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t t, best, previous = -1, length = 0, T = ctc_shim_frames_of(b, n), *out = g->labels + n * b->T;
    double score = 0;
    for (t = 0; t < T; t++) {
        if (!ctc_shim_read(d, n, t)) {
            score = NAN;
            break;
        }
        score += (d->maximum - d->shift) - d->rest;
        if (d->maximum == -INFINITY) continue; /* nothing is possible any more; NaN is worth saying still */
        best = b->item == 4 ? ctc_shim_find_f32((const float *)d->row, b->C, (float)d->maximum)
                            : ctc_shim_find_f64((const double *)d->row, b->C, d->maximum);
        if (best != b->blank && !(g->merge && best == previous)) out[length++] = best;
        previous = best;
    }
    while (length > 0 && !(score > -INFINITY)) out[--length] = -1;
    g->lengths[n] = length;
    g->scores[n] = score;
}

/* ---- prefix beam search ----------------------------------------------------------------------------------------- */

static double ctc_shim_log_add(double a, double b) {
    double high = a > b ? a : b, low = a > b ? b : a;
    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

/* The prefix one `label` longer than `parent`, made where there is none yet; -1 when there is no memory. */
static int32_t ctc_shim_longer_prefix(ctc_shim_decoder *d, int32_t parent, int32_t label) {
    ctc_shim_prefix made;
    int32_t i;
    for (i = d->prefixes[parent].child; i >= 0; i = d->prefixes[i].sibling)
        if (d->prefixes[i].label == label) return i;
    if (d->prefix_count == d->prefix_room) {
        int64_t room = d->prefix_room * 2;
        void *grown = room < INT32_MAX ? realloc(d->prefixes, (size_t)room * sizeof(ctc_shim_prefix)) : NULL;
        if (!grown) return -1;
        d->prefixes = (ctc_shim_prefix *)grown;
        d->prefix_room = room;
    }
    made.parent = parent;
    made.label = label;
    made.child = made.slot = -1;
    made.sibling = d->prefixes[parent].child;
    d->prefixes[parent].child = (int32_t)d->prefix_count;
    d->prefixes[d->prefix_count] = made;
    return (int32_t)d->prefix_count++;
}

/* The beam's own prefixes one frame on, into the heap of the next beam: all of them stay until something better comes. */
static void ctc_shim_stay(ctc_shim_decoder *d, int64_t count) {
    double blank = ctc_shim_log_p(d, d->decoding->batch.blank);
    int64_t i;
    for (i = 0; i < count; i++) {
        ctc_shim_branch *branch = &d->beam[i];
        branch->old_total = branch->total;
        branch->old_blank = branch->blank;
        branch->child = -1;
        branch->alive = 1;
        branch->muted = 0;
    }
    for (i = 0; i < count; i++) {
        ctc_shim_branch *branch = &d->beam[i];
        int32_t above = d->prefixes[branch->prefix].parent, slot = above < 0 ? -1 : d->prefixes[above].slot;
        if (slot >= 0) {
            ctc_shim_branch *parent = &d->beam[slot];
            branch->label = ctc_shim_log_add(branch->label, branch->symbol == parent->symbol ? parent->old_blank : parent->old_total);
            branch->sibling = parent->child;
            parent->child = (int32_t)i;
        }
        if (branch->symbol >= 0) branch->label += ctc_shim_log_p(d, branch->symbol);
        branch->blank = branch->old_total + blank;
        branch->total = ctc_shim_log_add(branch->blank, branch->label);
        d->heap[i].total = branch->total;
        d->heap[i].order = i;
        d->heap[i].branch = (int32_t)i;
        d->heap[i].label = -1;
    }
}

/* ln p of branch i with one more label, in the order of TensorFlow's sum. */
static double ctc_shim_grown(const ctc_shim_branch *branch, int64_t label, double log_p) {
    return log_p + (label == branch->symbol ? branch->old_blank : branch->old_total);
}

/* Would `child` be out of the beam by the time TensorFlow, going through the labels of `branch` in order, meets it? */
static int ctc_shim_is_pushed_out(const ctc_shim_decoder *d, const ctc_shim_branch *branch, const ctc_shim_branch *child,
                                  int64_t selected, int64_t in_heap) {
    const int64_t blank = d->decoding->batch.blank;
    ctc_shim_item itself;
    int64_t i, better = 0;
    if (!child->alive) return 1;
    for (i = 0; i < selected && d->best[i].total + branch->old_total > child->total; i++) continue;
    if (i == 0) return 0; /* no brother is better: the usual case */
    itself.total = child->total;
    itself.order = child - d->beam;
    for (i = 0; i < in_heap; i++) better += ctc_shim_better(&d->heap[i], &itself);
    for (i = 0; i < child->symbol && better < d->decoding->width; i++)
        better += i != blank && d->seen[i] != d->stamp && ctc_shim_grown(branch, i, ctc_shim_log_p(d, i)) > child->total;
    return better >= d->decoding->width;
}

/* All that branch i grows into, as far as it is good enough for the beam. */
static void ctc_shim_grow(ctc_shim_decoder *d, int64_t i, int64_t selected, int64_t *in_heap) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_branch *branch = &d->beam[i];
    int64_t j;
    int32_t k, out;
    d->stamp++;
    for (k = branch->child; k >= 0; k = d->beam[k].sibling) d->seen[d->beam[k].symbol] = d->stamp;
    for (k = branch->child; k >= 0; k = d->beam[k].sibling)
        if (k > i) d->beam[k].muted = ctc_shim_is_pushed_out(d, branch, &d->beam[k], selected, *in_heap);
    for (j = 0; j < selected; j++) {
        ctc_shim_item item;
        int64_t label = d->best[j].label;
        double log_p = d->best[j].total;
        int full = *in_heap == g->width;
        if (log_p == -INFINITY || (full && log_p + branch->old_total < d->heap[0].total)) return;
        if (d->seen[label] == d->stamp) continue;
        item.total = ctc_shim_grown(branch, label, log_p);
        item.order = (i + 1) * g->batch.C + g->width + label;
        item.branch = (int32_t)i;
        item.label = (int32_t)label;
        if (item.total == -INFINITY || (full && !ctc_shim_better(&item, &d->heap[0]))) continue;
        out = ctc_shim_push(d->heap, in_heap, g->width, item);
        if (out >= 0) d->beam[out].alive = 0;
    }
}

/* The heap becomes the beam, best first. Returns how many are in it, without those of probability 0; -1: no memory. */
static int64_t ctc_shim_settle(ctc_shim_decoder *d, int64_t before, int64_t in_heap) {
    ctc_shim_branch *swap = d->beam;
    int64_t i, count = 0;
    if (in_heap < d->decoding->width) ctc_shim_heapify(d->heap, in_heap);
    ctc_shim_sort(d->heap, in_heap);
    for (i = 0; i < before; i++) d->prefixes[d->beam[i].prefix].slot = -1;
    for (i = 0; i < in_heap && d->heap[i].total > -INFINITY; i++) {
        const ctc_shim_item *item = &d->heap[i];
        ctc_shim_branch *to = &d->next_beam[count];
        *to = d->beam[item->branch];
        if (item->label >= 0) {
            to->prefix = ctc_shim_longer_prefix(d, to->prefix, item->label);
            if (to->prefix < 0) return -1;
            to->symbol = item->label;
            to->total = to->label = item->total;
            to->blank = -INFINITY;
        }
        d->prefixes[to->prefix].slot = (int32_t)count++;
    }
    d->beam = d->next_beam;
    d->next_beam = swap;
    return count;
}

/* One frame. Returns the size of the new beam; -1: no memory. */
static int64_t ctc_shim_step(ctc_shim_decoder *d, int64_t count) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t i, in_heap = count, selected;
    double floor = -INFINITY;
    ctc_shim_stay(d, count);
    if (in_heap == g->width) {
        ctc_shim_heapify(d->heap, in_heap);
        floor = d->heap[0].total - d->beam[0].old_total + d->rest + d->shift; /* the first branch has the largest old total */
        floor -= 1e-6 * (fabs(floor) + fabs(d->shift) + d->rest + fabs(d->beam[0].old_total)); /* whatever was rounded on the way */
        if (!(floor > -INFINITY)) floor = -INFINITY;
    }
    selected = b->item == 4 ? ctc_shim_select_f32((const float *)d->row, b->C, b->blank, floor, d->best, d->classes)
                            : ctc_shim_select_f64((const double *)d->row, b->C, b->blank, floor, d->best, d->classes);
    for (i = 0; i < selected; i++) d->best[i].total = (d->best[i].total - d->shift) - d->rest;
    for (i = 0; i < count; i++) {
        const ctc_shim_branch *branch = &d->beam[i];
        if (branch->muted || (in_heap == g->width && !(branch->old_total > d->heap[0].total))) continue;
        ctc_shim_grow(d, i, selected, &in_heap);
    }
    return ctc_shim_settle(d, count, in_heap);
}

/* The labels of a prefix. Merging takes equal neighbours for one, those with a blank between them too, as TensorFlow does. */
static int64_t ctc_shim_spell(const ctc_shim_decoder *d, int32_t prefix, int64_t *out) {
    int64_t i, length = 0, previous = -1;
    for (; d->prefixes[prefix].parent >= 0; prefix = d->prefixes[prefix].parent) {
        int64_t label = d->prefixes[prefix].label;
        if (!d->decoding->merge || label != previous) out[length++] = label;
        previous = label;
    }
    for (i = 0; i < length / 2; i++) {
        int64_t swap = out[i];
        out[i] = out[length - 1 - i];
        out[length - 1 - i] = swap;
    }
    return length;
}

static void ctc_shim_search(ctc_shim_decoder *d, int64_t n) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t t, k, count = 1, T = ctc_shim_frames_of(b, n);
    double nothing = -INFINITY;
    d->prefix_count = 1;
    d->prefixes[0].parent = d->prefixes[0].label = d->prefixes[0].child = d->prefixes[0].sibling = -1;
    d->prefixes[0].slot = 0;
    d->beam[0].total = d->beam[0].blank = 0;
    d->beam[0].label = -INFINITY;
    d->beam[0].prefix = 0;
    d->beam[0].symbol = -1;
    for (t = 0; t < T && count > 0; t++) {
        int good = ctc_shim_read(d, n, t);
        if (!good) nothing = NAN;
        count = good ? ctc_shim_step(d, count) : 0;
    }
    if (count < 0) d->failed = 1;
    for (; t < T && nothing == nothing; t++) /* as above */
        if (!ctc_shim_read(d, n, t)) nothing = NAN;
    for (k = 0; k < g->paths; k++) {
        int64_t place = n * g->paths + k;
        g->scores[place] = k < count ? d->beam[k].total : nothing;
        g->lengths[place] = k < count ? ctc_shim_spell(d, d->beam[k].prefix, g->labels + place * b->T) : 0;
    }
}

/* ---- the batch -------------------------------------------------------------------------------------------------- */

static void *ctc_shim_decode_some(void *argument) {
    ctc_shim_decoder *d = (ctc_shim_decoder *)argument;
    const ctc_shim_decoding *g = d->decoding;
    int64_t n;
    while (!d->failed && (n = ctc_shim_take(d->next)) < g->batch.N) {
        if (g->width) ctc_shim_search(d, n);
        else ctc_shim_greedy(d, n);
    }
    return NULL;
}

static int64_t ctc_shim_decode_check(ctc_shim_batch *b, double *work, int64_t *report) {
    int64_t n;
    if (b->C > 0 && (b->blank < -b->C || b->blank >= b->C)) return ctc_shim_error(report, 5, 0, b->C, b->blank);
    if (b->blank < 0) b->blank += b->C;
    *work = 0;
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n);
        if (T < 0 || T > b->T || (T > 0 && b->C < 1)) return ctc_shim_error(report, 1, n, b->C < 1 ? 0 : b->T, T);
        *work += (double)T * (double)b->C;
    }
    return ctc_shim_error(report, 0, 0, 0, 0);
}

static size_t ctc_shim_decoder_layout(const ctc_shim_decoding *g, char *block, ctc_shim_decoder *d) {
    size_t used = 0, width = (size_t)g->width, C = (size_t)g->batch.C;
    d->heap = (ctc_shim_item *)ctc_shim_carve(block, &used, width * sizeof(ctc_shim_item));
    d->best = (ctc_shim_item *)ctc_shim_carve(block, &used, (size_t)d->classes * sizeof(ctc_shim_item));
    d->beam = (ctc_shim_branch *)ctc_shim_carve(block, &used, width * sizeof(ctc_shim_branch));
    d->next_beam = (ctc_shim_branch *)ctc_shim_carve(block, &used, width * sizeof(ctc_shim_branch));
    d->seen = (int64_t *)ctc_shim_carve(block, &used, width ? C * sizeof(int64_t) : 0);
    d->scratch.exps = ctc_shim_carve(block, &used, CTC_SHIM_CHUNK * (size_t)g->batch.item);
    d->scratch.row = ctc_shim_carve(block, &used, C * (size_t)g->batch.item);
    return used;
}

static int64_t ctc_shim_decode(ctc_shim_decoding *g, int64_t threads, int64_t *report) {
    ctc_shim_batch *b = &g->batch;
    double work;
    int64_t i, next = 0, failed = 0, error = ctc_shim_decode_check(b, &work, report);
    size_t bytes;
    char *memory;
    ctc_shim_decoder first, *decoders;
    if (error || b->N <= 0) return error;
    memset(&first, 0, sizeof first);
    first.decoding = g;
    first.next = &next;
    first.classes = !g->width ? 0 : b->C <= g->width ? b->C : g->width + 1;
    first.prefix_room = g->width ? 1024 : 0; /* grows */
    threads = ctc_shim_threads(threads, work * (double)(g->width ? 1 + g->width : 1), b->N);
    bytes = ctc_shim_decoder_layout(g, NULL, &first);
    memory = (char *)calloc((size_t)threads * (bytes + sizeof first) + 64, 1);
    if (!memory) return ctc_shim_error(report, 6, 0, 0, 0);
    decoders = (ctc_shim_decoder *)(memory + ((64 - (uintptr_t)memory % 64) % 64) + (size_t)threads * bytes);
    for (i = 0; i < threads; i++) {
        decoders[i] = first;
        ctc_shim_decoder_layout(g, memory + ((64 - (uintptr_t)memory % 64) % 64) + (size_t)i * bytes, &decoders[i]);
        if (g->width) {
            decoders[i].prefixes = (ctc_shim_prefix *)malloc((size_t)first.prefix_room * sizeof(ctc_shim_prefix));
            decoders[i].failed = !decoders[i].prefixes;
        }
    }
    ctc_shim_share(ctc_shim_decode_some, decoders, sizeof first, threads);
    for (i = 0; i < threads; i++) {
        failed |= decoders[i].failed;
        free(decoders[i].prefixes);
    }
    free(memory);
    return failed ? ctc_shim_error(report, 6, 0, 0, 0) : 0;
}

/* Returns 0, or what is wrong, as ctc_shim_f32 does: 1 input length, 5 blank, 6 out of memory.
 * logits (N, T, C), input_lengths (N,): any strides, in bytes. width 0: the best path (paths must be 1); else a beam of that width.
 * merge: equal neighbours become one (along the path for the best path, in the result for the beam). labels (N, paths, T): what lies
 * beyond lengths (N, paths) is not written; scores (N, paths): ln p. Where there are fewer than `paths` prefixes: length 0, -inf. */
#define CTC_SHIM_DECODE_DEFINE(REAL, SUFFIX) \
    CTC_SHIM_ENTRY int64_t ctc_shim_decode_##SUFFIX( \
        const REAL *logits, int64_t stride_n, int64_t stride_t, int64_t stride_c, int64_t N, int64_t T, int64_t C, \
        const int64_t *input_lengths, int64_t input_lengths_stride, int64_t blank, int64_t normalize, int64_t width, int64_t paths, \
        int64_t merge, int64_t *labels, int64_t *lengths, double *scores, int64_t threads, int64_t *report) { \
        ctc_shim_decoding g; \
        memset(&g, 0, sizeof g); \
        g.batch.logits = (const char *)logits; g.batch.item = (int64_t)sizeof(REAL); \
        g.batch.stride_n = stride_n; g.batch.stride_t = stride_t; g.batch.stride_c = stride_c; \
        g.batch.N = N; g.batch.T = T; g.batch.C = g.batch.padded = C; g.batch.blank = blank; g.batch.normalize = normalize; \
        g.batch.input_lengths = (const char *)input_lengths; g.batch.input_lengths_stride = input_lengths_stride; \
        g.width = width; g.paths = paths; g.merge = merge; \
        g.labels = labels; g.lengths = lengths; g.scores = scores; \
        return ctc_shim_decode(&g, threads, report); \
    }

CTC_SHIM_DECODE_DEFINE(float, f32)
CTC_SHIM_DECODE_DEFINE(double, f64)
