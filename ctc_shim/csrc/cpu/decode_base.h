/* What a call of the decoders is given, and what a thread works with. */
#ifndef CTC_SHIM_DECODE_BASE_H
#define CTC_SHIM_DECODE_BASE_H
#include "batch.h"

/* A candidate. The lower `order` wins a tie. */
typedef struct {
    double total;
    int64_t order;
} ctc_shim_item;

/* The best `room` items: `sorted` (room,), and those that came last, `recent` (recent_room,). */
typedef struct {
    ctc_shim_item *sorted, *recent;
    int64_t room, recent_room, sorted_count, recent_count;
} ctc_shim_best;

/* A node of the tree of prefixes. slot: its place in the beam, or -1. */
typedef struct {
    int32_t parent, label, child, sibling, slot;
} ctc_shim_prefix;

/* A prefix in the beam. total, blank and label are ln p of its alignments up to the last frame:
 * all, those that end in the blank, and those that end in its last label. */
typedef struct {
    double total, blank, label, old_total, old_blank;
    int32_t prefix, symbol; /* symbol: the last label, -1 for the empty prefix */
    int32_t child, sibling; /* prefixes of the beam that are one label longer */
    int32_t alive, muted;   /* in this frame: not pushed out of the beam; may not grow */
} ctc_shim_branch;

typedef struct {
    ctc_shim_batch batch;
    int64_t width, paths, merge;
    int64_t *labels, *lengths;
    double *scores;
} ctc_shim_decoding;

typedef struct {
    const ctc_shim_decoding *decoding;
    ctc_shim_scratch scratch; /* the row only */
    ctc_shim_signal_check signal_check;
    ctc_shim_best next;    /* the next beam; order: see ctc_shim_order */
    ctc_shim_best classes; /* the best classes of a frame; order: the class */
    ctc_shim_branch *beam, *next_beam;
    double *one, *two; /* (width,), padded: terms of sums */
    int64_t *seen;     /* (C,): stamps of the children that are in the beam */
    ctc_shim_prefix *prefixes;
    int64_t prefix_count, prefix_room, stamp, failed;
    int64_t *next_sequence;
    const void *row; /* the current frame: ln p of class c is (row[c] - shift) - rest */
    double maximum, shift, rest;
} ctc_shim_decoder;
#endif
