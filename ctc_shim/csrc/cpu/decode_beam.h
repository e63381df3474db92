/* Prefix beam search. */
#ifndef CTC_SHIM_DECODE_BEAM_H
#define CTC_SHIM_DECODE_BEAM_H
#include "decode_rows.h"
#include "decode_sums.h"

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

/* TensorFlow's order of candidates: first the beam as it is (label -1), then branch by branch what
 * each becomes with one more label. */
CTC_SHIM_INLINE int64_t ctc_shim_order(int64_t branch, int64_t label) {
    return label < 0 ? branch : (branch + 1) << 32 | label;
}
CTC_SHIM_INLINE int64_t ctc_shim_branch_of(int64_t order) {
    return order >> 32 ? (order >> 32) - 1 : order;
}
CTC_SHIM_INLINE int64_t ctc_shim_label_of_order(int64_t order) {
    return order >> 32 ? (int64_t)(int32_t)order : -1;
}

/* Takes the prefixes of the beam one frame on. They are the first candidates for the next beam. */
CTC_SHIM_LOCAL void ctc_shim_stay(ctc_shim_decoder *d, int64_t count) {
    double blank = ctc_shim_log_p(d, d->decoding->batch.blank);
    ctc_shim_item item;
    int64_t i, padded = ctc_shim_padded(count);
    d->next.sorted_count = d->next.recent_count = 0;
    for (i = 0; i < count; i++) {
        ctc_shim_branch *branch = &d->beam[i];
        branch->old_total = branch->total;
        branch->old_blank = branch->blank;
        branch->child = -1;
        branch->alive = 1;
        branch->muted = 0;
    }
    for (i = 0; i < count; i++) { /* the last label repeated, or new in this frame */
        ctc_shim_branch *branch = &d->beam[i];
        int32_t above = d->prefixes[branch->prefix].parent,
                slot = above < 0 ? -1 : d->prefixes[above].slot;
        d->one[i] = branch->label;
        d->two[i] = -INFINITY;
        if (slot >= 0) {
            ctc_shim_branch *parent = &d->beam[slot];
            d->two[i] = branch->symbol == parent->symbol ? parent->old_blank : parent->old_total;
            branch->sibling = parent->child;
            parent->child = (int32_t)i;
        }
    }
    ctc_shim_log_adds(d->one, d->two, padded);
    for (i = 0; i < count; i++) {
        ctc_shim_branch *branch = &d->beam[i];
        double emission = branch->symbol >= 0 ? ctc_shim_log_p(d, branch->symbol) : 0;
        branch->label = d->two[i] = d->one[i] + emission;
        branch->blank = d->one[i] = branch->old_total + blank;
    }
    ctc_shim_log_adds(d->one, d->two, padded);
    for (i = 0; i < count; i++) {
        item.total = d->beam[i].total = d->one[i];
        item.order = ctc_shim_order(i, -1);
        ctc_shim_push(&d->next, item);
    }
}

/* ln p of branch i with one more label, in the order of TensorFlow's sum. */
CTC_SHIM_LOCAL double ctc_shim_grown(const ctc_shim_branch *branch, int64_t label, double log_p) {
    return log_p + (label == branch->symbol ? branch->old_blank : branch->old_total);
}

/* Does `branch` with one more `label` come before its `child` in TensorFlow's order, and is better?
 */
CTC_SHIM_INLINE int ctc_shim_overtakes(const ctc_shim_decoder *d, const ctc_shim_branch *branch,
                                       int64_t label, double log_p, const ctc_shim_branch *child) {
    return (label < child->symbol) & (d->seen[label] != d->stamp) &
           (ctc_shim_grown(branch, label, log_p) > child->total);
}

/* TensorFlow goes through the labels of `branch` in order. Would `child` be out of the beam before
 * its turn? */
CTC_SHIM_LOCAL int ctc_shim_is_pushed_out(const ctc_shim_decoder *d, const ctc_shim_branch *branch,
                                          const ctc_shim_branch *child) {
    const int64_t width = d->decoding->width, blank = d->decoding->batch.blank;
    const ctc_shim_item *best = d->classes.sorted;
    ctc_shim_item itself;
    int64_t i, better, count = d->classes.sorted_count;
    if (!child->alive) return 1;
    while (count && !(best[count - 1].total + branch->old_total > child->total)) count--;
    if (!count) return 0; /* no sibling is better: the usual case */
    itself.total = child->total;
    itself.order = ctc_shim_order(child - d->beam, -1);
    better = ctc_shim_rank(&d->next, &itself);
    if (count < d->classes.room) {
        for (i = 0; i < count; i++)
            better += ctc_shim_overtakes(d, branch, best[i].order, best[i].total, child);
    } else { /* classes beyond the best may be better, too */
        for (i = 0; i < child->symbol && better < width; i++)
            better += i != blank && ctc_shim_overtakes(d, branch, i, ctc_shim_log_p(d, i), child);
    }
    return better >= width;
}

/* Is `total` too low for the next beam, whatever its order? */
CTC_SHIM_INLINE int ctc_shim_is_below(const ctc_shim_best *best, double total) {
    return ctc_shim_is_full(best) && total < ctc_shim_worst(best)->total;
}

/* Adds the longer prefixes of branch i that are good enough for the beam. */
CTC_SHIM_LOCAL void ctc_shim_grow(ctc_shim_decoder *d, int64_t i) {
    const ctc_shim_branch *branch = &d->beam[i];
    int64_t j, out;
    int32_t k;
    d->stamp++;
    for (k = branch->child; k >= 0; k = d->beam[k].sibling) d->seen[d->beam[k].symbol] = d->stamp;
    for (k = branch->child; k >= 0; k = d->beam[k].sibling)
        if (k > i) d->beam[k].muted = ctc_shim_is_pushed_out(d, branch, &d->beam[k]);
    for (j = 0; j < d->classes.sorted_count; j++) {
        ctc_shim_item item;
        int64_t label = d->classes.sorted[j].order;
        double log_p = d->classes.sorted[j].total;
        if (log_p == -INFINITY || ctc_shim_is_below(&d->next, log_p + branch->old_total)) return;
        if (d->seen[label] == d->stamp) continue;
        item.total = ctc_shim_grown(branch, label, log_p);
        item.order = ctc_shim_order(i, label);
        if (item.total == -INFINITY ||
            (ctc_shim_is_full(&d->next) && !ctc_shim_better(&item, ctc_shim_worst(&d->next))))
            continue;
        out = ctc_shim_push(&d->next, item);
        if (out >= 0 && ctc_shim_label_of_order(out) < 0) d->beam[out].alive = 0;
    }
}

/* The best candidates become the beam. Returns its size, without prefixes of probability 0; -1: no
 * memory. */
CTC_SHIM_LOCAL int64_t ctc_shim_settle(ctc_shim_decoder *d, int64_t before) {
    ctc_shim_branch *swap = d->beam;
    int64_t i, count = 0;
    ctc_shim_merge(&d->next);
    for (i = 0; i < before; i++) d->prefixes[d->beam[i].prefix].slot = -1;
    for (i = 0; i < d->next.sorted_count && d->next.sorted[i].total > -INFINITY; i++) {
        const ctc_shim_item *item = &d->next.sorted[i];
        int64_t label = ctc_shim_label_of_order(item->order);
        ctc_shim_branch *to = &d->next_beam[count];
        *to = d->beam[ctc_shim_branch_of(item->order)];
        if (label >= 0) {
            to->prefix = ctc_shim_longer_prefix(d, to->prefix, (int32_t)label);
            if (to->prefix < 0) return -1;
            to->symbol = (int32_t)label;
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
    const ctc_shim_batch *b = &d->decoding->batch;
    int64_t i;
    double floor = -INFINITY;
    ctc_shim_stay(d, count);
    if (ctc_shim_is_full(&d->next)) {
        /* The first branch has the largest old total. A margin covers what was rounded. */
        floor = ctc_shim_worst(&d->next)->total - d->beam[0].old_total + d->rest + d->shift;
        floor -= 1e-6 * (fabs(floor) + fabs(d->shift) + d->rest + fabs(d->beam[0].old_total));
        if (!(floor > -INFINITY)) floor = -INFINITY;
    }
    if (b->item == 4)
        ctc_shim_select_f32((const float *)d->row, b->C, b->blank, floor, &d->classes);
    else ctc_shim_select_f64((const double *)d->row, b->C, b->blank, floor, &d->classes);
    for (i = 0; i < d->classes.sorted_count; i++)
        d->classes.sorted[i].total = (d->classes.sorted[i].total - d->shift) - d->rest;
    for (i = 0; i < count; i++) {
        const ctc_shim_branch *branch = &d->beam[i];
        if (branch->muted ||
            (ctc_shim_is_full(&d->next) && !(branch->old_total > ctc_shim_worst(&d->next)->total)))
            continue;
        ctc_shim_grow(d, i);
    }
    return ctc_shim_settle(d, count);
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
