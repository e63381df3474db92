/* Which sequences are computed side by side, and in which memory. */
#ifndef CTC_SHIM_SIDE_PACK_H
#define CTC_SHIM_SIDE_PACK_H
#include "side_lattice.h"
#include "threads.h"

/* Is sequence n computed side by side with others? The size of the batch matters, as many empty
 * lanes would be slower than one sequence after the other, but not what the others are. */
CTC_SHIM_LOCAL int ctc_shim_is_short(const ctc_shim_batch *b, int64_t n) {
#if defined(CTC_SHIM_HAS_LANES)
    int64_t T = ctc_shim_frames_of(b, n);
    return 2 * b->N > CTC_SHIM_SIDE && b->C > 0 && b->C <= CTC_SHIM_SIDE_CLASSES && T > 0 &&
           ctc_shim_labels_of(b, n) <= CTC_SHIM_SIDE_LABELS && T >= ctc_shim_fewest(b, n);
#else
    (void)b;
    (void)n;
    return 0;
#endif
}

#if !defined(CTC_SHIM_HAS_LANES)
enum { CTC_SHIM_SIDE = 1 };
typedef int64_t ctc_shim_side;
CTC_SHIM_LOCAL size_t ctc_shim_side_layout(const ctc_shim_batch *b, char *block, ctc_shim_side *s) {
    (void)b;
    (void)block;
    (void)s;
    return 0;
}
#else
/* The memory for packs whose sequences have at most `longest` frames and `labels` labels. */
CTC_SHIM_LOCAL size_t ctc_shim_side_layout(const ctc_shim_batch *b, char *block, ctc_shim_side *s) {
    const int64_t labels =
        b->labels < CTC_SHIM_SIDE_LABELS ? b->labels : (int64_t)CTC_SHIM_SIDE_LABELS;
    const size_t each = CTC_SHIM_SIDE * sizeof(double), item = (size_t)b->item,
                 cells = (size_t)(labels + 3) * each;
    const size_t emissions = cells / sizeof(double) * item;
    size_t used = 0, rows, blocks;
    s->cells = (labels + 3) * CTC_SHIM_SIDE;
    s->rows = (int64_t)(2 * CTC_SHIM_TABLE_BYTES /
                        (double)(emissions + 2 * cells + 3 * cells / CTC_SHIM_STRIDE));
    if (s->rows > b->longest || s->rows < 1) s->rows = s->rows < 1 ? 1 : b->longest;
    if (!b->gradient) s->rows = 1;
    s->rows = (s->rows + CTC_SHIM_STRIDE - 1) / CTC_SHIM_STRIDE * CTC_SHIM_STRIDE;
    rows = (size_t)s->rows;
    blocks = b->gradient ? (size_t)(b->longest / s->rows + 1) : 0;
    s->e = ctc_shim_carve(block, &used, (size_t)b->C * CTC_SHIM_SIDE * item);
    s->emissions = ctc_shim_carve(block, &used, rows * emissions);
    s->idle = ctc_shim_carve(block, &used, (size_t)b->C * item);
    s->unused = ctc_shim_carve(block, &used, (size_t)b->C * item);
    s->table = (double *)ctc_shim_carve(block, &used, rows * 2 * cells);
    s->units = (double *)ctc_shim_carve(block, &used, rows / CTC_SHIM_STRIDE * 3 * cells);
    s->carry = (double *)ctc_shim_carve(block, &used, 3 * cells);
    s->checkpoints = (double *)ctc_shim_carve(block, &used, blocks * 3 * cells);
    s->beta = (double *)ctc_shim_carve(block, &used, 3 * cells);
    s->may_skip = (double *)ctc_shim_carve(block, &used, cells);
    s->posterior = ctc_shim_carve(block, &used, emissions);
    s->label = (int32_t *)ctc_shim_carve(block, &used, cells / 2);
    return used;
}

/* Lengths and labels of the sequences, and the row of a frame that is not there. */
CTC_SHIM_LOCAL void ctc_shim_assemble(const ctc_shim_batch *b, const ctc_shim_side *s,
                                      const int64_t *members, int64_t count, ctc_shim_pack *pack) {
    const double nothing = b->ratios ? 0 : -INFINITY, certain = b->ratios ? 1 : 0;
    int64_t i, j;
    memset(pack, 0, sizeof *pack);
    pack->count = count;
    for (i = 0; i < CTC_SHIM_SIDE; i++) {
        int64_t n = members[i < count ? i : 0], T = i < count ? ctc_shim_frames_of(b, n) : 0,
                S = i < count ? ctc_shim_labels_of(b, n) : 0, previous = -1;
        double sign = b->mode == CTC_SHIM_MODE_POSTERIORS ? 1 : -1;
        pack->n[i] = n;
        pack->end[i] = T;
        pack->scores[i] = b->logits + n * b->stride_n;
        pack->gradient[i] = b->gradient ? b->gradient + n * b->gradient_stride_n : NULL;
        pack->T[i] = (double)T;
        pack->S[i] = (double)S;
        pack->product[i] = 1;
        pack->upstream[i] = i < count ? sign * ctc_shim_upstream(b, n) : 0;
        if (T > pack->frames) pack->frames = T;
        if (S > pack->labels) pack->labels = S;
        for (j = -1; j < s->cells / CTC_SHIM_SIDE - 1; j++) {
            int64_t label = j >= 0 && j < S ? ctc_shim_label_of(b, n, j) : b->blank,
                    at = (j + 1) * CTC_SHIM_SIDE + i;
            s->may_skip[at] = j >= 0 && j < S && label != previous;
            s->label[at] = (int32_t)label;
            previous = label;
        }
    }
    for (j = 0; j < b->C; j++) {
        if (b->item == 4) ((float *)(void *)s->idle)[j] = (float)nothing;
        else ((double *)(void *)s->idle)[j] = nothing;
    }
    if (b->item == 4) ((float *)(void *)s->idle)[b->blank] = (float)certain;
    else ((double *)(void *)s->idle)[b->blank] = certain;
}
#endif
#endif
