/* Prefix beam search. */
#ifndef CTC_SHIM_DECODE_BEAM_H
#define CTC_SHIM_DECODE_BEAM_H
#include "decode_rows.h"

CTC_SHIM_LOCAL double ctc_shim_log_add(double a, double b) {
    double high = a > b ? a : b, low = a > b ? b : a;
    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

/* The prefix that is `label` longer than `parent`, made where there is none. -1: no memory. */
CTC_SHIM_LOCAL int32_t ctc_shim_longer_prefix(ctc_shim_decoder *d, int32_t parent, int32_t label) {
    ctc_shim_prefix made;
    int32_t i;
    for (i = d->prefixes[parent].child; i >= 0; i = d->prefixes[i].sibling)
        if (d->prefixes[i].label == label) return i;
    if (d->prefix_count == d->prefix_room) {
        int64_t room = d->prefix_room * 2;
        void *grown =
            room < INT32_MAX ? realloc(d->prefixes, (size_t)room * sizeof(ctc_shim_prefix)) : NULL;
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

/* Takes the prefixes of the beam one frame on, and puts them into the heap of the next beam. */
CTC_SHIM_LOCAL void ctc_shim_stay(ctc_shim_decoder *d, int64_t count) {
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
        int32_t above = d->prefixes[branch->prefix].parent,
                slot = above < 0 ? -1 : d->prefixes[above].slot;
        if (slot >= 0) {
            ctc_shim_branch *parent = &d->beam[slot];
            branch->label = ctc_shim_log_add(branch->label, branch->symbol == parent->symbol
                                                                ? parent->old_blank
                                                                : parent->old_total);
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
CTC_SHIM_LOCAL double ctc_shim_grown(const ctc_shim_branch *branch, int64_t label, double log_p) {
    return log_p + (label == branch->symbol ? branch->old_blank : branch->old_total);
}

/* TensorFlow goes through the labels of `branch` in order. Would `child` be out of the beam before
 * its turn? */
CTC_SHIM_LOCAL int ctc_shim_is_pushed_out(const ctc_shim_decoder *d, const ctc_shim_branch *branch,
                                          const ctc_shim_branch *child, int64_t selected,
                                          int64_t in_heap) {
    const int64_t blank = d->decoding->batch.blank;
    ctc_shim_item itself;
    int64_t i, better = 0;
    if (!child->alive) return 1;
    for (i = 0; i < selected && d->best[i].total + branch->old_total > child->total; i++) continue;
    if (i == 0) return 0; /* no sibling is better: the usual case */
    itself.total = child->total;
    itself.order = child - d->beam;
    for (i = 0; i < in_heap; i++) better += ctc_shim_better(&d->heap[i], &itself);
    for (i = 0; i < child->symbol && better < d->decoding->width; i++)
        better += i != blank && d->seen[i] != d->stamp &&
                  ctc_shim_grown(branch, i, ctc_shim_log_p(d, i)) > child->total;
    return better >= d->decoding->width;
}

/* Adds the longer prefixes of branch i that are good enough for the beam. */
CTC_SHIM_LOCAL void ctc_shim_grow(ctc_shim_decoder *d, int64_t i, int64_t selected,
                                  int64_t *in_heap) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_branch *branch = &d->beam[i];
    int64_t j;
    int32_t k, out;
    d->stamp++;
    for (k = branch->child; k >= 0; k = d->beam[k].sibling) d->seen[d->beam[k].symbol] = d->stamp;
    for (k = branch->child; k >= 0; k = d->beam[k].sibling)
        if (k > i)
            d->beam[k].muted = ctc_shim_is_pushed_out(d, branch, &d->beam[k], selected, *in_heap);
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

/* The heap becomes the beam, best first. Returns its size, without prefixes of probability 0; -1:
 * no memory. */
CTC_SHIM_LOCAL int64_t ctc_shim_settle(ctc_shim_decoder *d, int64_t before, int64_t in_heap) {
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
CTC_SHIM_LOCAL int64_t ctc_shim_step(ctc_shim_decoder *d, int64_t count) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t i, in_heap = count, selected;
    double floor = -INFINITY;
    ctc_shim_stay(d, count);
    if (in_heap == g->width) {
        ctc_shim_heapify(d->heap, in_heap);
        /* The first branch has the largest old total. A margin covers what was rounded. */
        floor = d->heap[0].total - d->beam[0].old_total + d->rest + d->shift;
        floor -= 1e-6 * (fabs(floor) + fabs(d->shift) + d->rest + fabs(d->beam[0].old_total));
        if (!(floor > -INFINITY)) floor = -INFINITY;
    }
    selected = b->item == 4 ? ctc_shim_select_f32((const float *)d->row, b->C, b->blank, floor,
                                                  d->best, d->classes)
                            : ctc_shim_select_f64((const double *)d->row, b->C, b->blank, floor,
                                                  d->best, d->classes);
    for (i = 0; i < selected; i++) d->best[i].total = (d->best[i].total - d->shift) - d->rest;
    for (i = 0; i < count; i++) {
        const ctc_shim_branch *branch = &d->beam[i];
        if (branch->muted || (in_heap == g->width && !(branch->old_total > d->heap[0].total)))
            continue;
        ctc_shim_grow(d, i, selected, &in_heap);
    }
    return ctc_shim_settle(d, count, in_heap);
}

/* Writes the labels of a prefix and returns how many. Merging makes equal neighbours one, even with
 * a blank between them, as TensorFlow does. */
CTC_SHIM_LOCAL int64_t ctc_shim_spell(const ctc_shim_decoder *d, int32_t prefix, int64_t *out) {
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

CTC_SHIM_LOCAL void ctc_shim_search(ctc_shim_decoder *d, int64_t n) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t t, k, count = 1, T = ctc_shim_frames_of(b, n);
    double nothing = -INFINITY;
    d->prefix_count = 1;
    d->prefixes[0].parent = d->prefixes[0].label = d->prefixes[0].child = d->prefixes[0].sibling =
        -1;
    d->prefixes[0].slot = 0;
    d->beam[0].total = d->beam[0].blank = 0;
    d->beam[0].label = -INFINITY;
    d->beam[0].prefix = 0;
    d->beam[0].symbol = -1;
    for (t = 0; t < T && count > 0 && !ctc_shim_stops(&d->signal_check, ctc_shim_frame_work(d));
         t++) {
        int good = ctc_shim_decode_read(d, n, t);
        if (!good) nothing = NAN;
        count = good ? ctc_shim_step(d, count) : 0;
    }
    if (ctc_shim_stops(&d->signal_check, 0)) return;
    if (count < 0) d->failed = 1;
    for (; t < T && nothing == nothing; t++) /* look on for NaN */
        if (!ctc_shim_decode_read(d, n, t)) nothing = NAN;
    for (k = 0; k < g->paths; k++) {
        int64_t place = n * g->paths + k;
        g->scores[place] = k < count ? d->beam[k].total : nothing;
        g->lengths[place] =
            k < count ? ctc_shim_spell(d, d->beam[k].prefix, g->labels + place * b->T) : 0;
    }
}
#endif
