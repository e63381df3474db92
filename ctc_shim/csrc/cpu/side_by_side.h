/* Short sequences side by side: a vector holds the same cell of SIDE sequences. */
#ifndef CTC_SHIM_SIDE_BY_SIDE_H
#define CTC_SHIM_SIDE_BY_SIDE_H
#include "sequence.h"
#include "side_lattice.h"
#include "threads.h"

/* With more classes or labels a vector of classes or labels is full, too. */
enum { CTC_SHIM_SIDE_CLASSES = 96, CTC_SHIM_SIDE_LABELS = 32 };

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
CTC_SHIM_LOCAL size_t ctc_shim_side_layout(const ctc_shim_batch *b, char *block,
                                           ctc_shim_side *s) {
    (void)b;
    (void)block;
    (void)s;
    return 0;
}
CTC_SHIM_LOCAL void ctc_shim_side_by_side(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                          const ctc_shim_side *s, const int64_t *members,
                                          int64_t count) {
    (void)s;
    for (; count > 0; count--) ctc_shim_sequence(b, w, *members++);
}
#else
/* The memory for teams whose sequences have at most `longest` frames and `labels` labels. */
CTC_SHIM_LOCAL size_t ctc_shim_side_layout(const ctc_shim_batch *b, char *block,
                                           ctc_shim_side *s) {
    const int64_t labels = b->labels < CTC_SHIM_SIDE_LABELS ? b->labels : (int64_t)CTC_SHIM_SIDE_LABELS;
    const size_t each = CTC_SHIM_SIDE * sizeof(double), item = (size_t)b->item,
                 cells = (size_t)(labels + 3) * each;
    size_t used = 0, rows, blocks, row;
    row = (size_t)b->C * CTC_SHIM_SIDE * item;
    s->cells = (labels + 3) * CTC_SHIM_SIDE;
    s->rows = (int64_t)(2 * CTC_SHIM_TABLE_BYTES / (double)(row + 2 * cells + 3 * cells / CTC_SHIM_STRIDE + each));
    if (s->rows > b->longest || s->rows < 1) s->rows = s->rows < 1 ? 1 : b->longest;
    if (!b->gradient) s->rows = 1;
    s->rows = (s->rows + CTC_SHIM_STRIDE - 1) / CTC_SHIM_STRIDE * CTC_SHIM_STRIDE;
    rows = (size_t)s->rows;
    blocks = b->gradient ? (size_t)(b->longest / s->rows + 1) : 0;
    s->e = ctc_shim_carve(block, &used, rows * row);
    s->gradient = ctc_shim_carve(block, &used, row);
    s->idle = ctc_shim_carve(block, &used, (size_t)b->C * item);
    s->unused = ctc_shim_carve(block, &used, (size_t)b->C * item);
    s->sums = (double *)ctc_shim_carve(block, &used, rows * each);
    s->table = (double *)ctc_shim_carve(block, &used, rows * 2 * cells);
    s->emissions = (double *)ctc_shim_carve(block, &used, cells);
    s->units = (double *)ctc_shim_carve(block, &used, rows / CTC_SHIM_STRIDE * 3 * cells);
    s->carry = (double *)ctc_shim_carve(block, &used, 3 * cells);
    s->checkpoints = (double *)ctc_shim_carve(block, &used, blocks * 3 * cells);
    s->beta = (double *)ctc_shim_carve(block, &used, 3 * cells);
    s->may_skip = (double *)ctc_shim_carve(block, &used, cells);
    s->posterior = (double *)ctc_shim_carve(block, &used, cells);
    s->place = (int32_t *)ctc_shim_carve(block, &used, cells / 2);
    return used;
}

/* Lengths and labels of the sequences, and the row of a frame that is not there. */
CTC_SHIM_LOCAL void ctc_shim_assemble(const ctc_shim_batch *b, const ctc_shim_side *s,
                                      const int64_t *members, int64_t count, ctc_shim_team *team) {
    const double nothing = b->ratios ? 0 : -INFINITY, certain = b->ratios ? 1 : 0;
    int64_t i, j;
    memset(team, 0, sizeof *team);
    team->count = count;
    for (i = 0; i < CTC_SHIM_SIDE; i++) {
        int64_t n = i < count ? members[i] : -1, T = i < count ? ctc_shim_frames_of(b, n) : 0,
                S = i < count ? ctc_shim_labels_of(b, n) : 0, previous = -1;
        double sign = b->mode == CTC_SHIM_MODE_POSTERIORS ? 1 : -1;
        team->n[i] = n;
        team->T[i] = (double)T;
        team->S[i] = (double)S;
        team->product[i] = 1;
        team->upstream[i] = i < count ? sign * ctc_shim_upstream(b, n) : 0;
        if (T > team->frames) team->frames = T;
        if (S > team->labels) team->labels = S;
        for (j = -1; j < s->cells / CTC_SHIM_SIDE - 1; j++) {
            int64_t label = j >= 0 && j < S ? ctc_shim_label_of(b, n, j) : b->blank,
                    at = (j + 1) * CTC_SHIM_SIDE + i;
            s->may_skip[at] = j >= 0 && j < S && label != previous;
            s->place[at] = (int32_t)(label * CTC_SHIM_SIDE + i);
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

/* Reads frame t, which is row r of the block. */
CTC_SHIM_LOCAL void ctc_shim_side_read(const ctc_shim_batch *b, const ctc_shim_side *s,
                                       ctc_shim_team *team, int64_t r) {
    void *e = s->e + r * b->C * CTC_SHIM_SIDE * b->item;
    double *sums = s->sums + r * CTC_SHIM_SIDE;
    int64_t i;
    if (b->item == 4)
        ctc_shim_exp_rows_f32((float *)e, b->C, (int)b->ratios, sums, team->scales, team->refused);
    else
        ctc_shim_exp_rows_f64((double *)e, b->C, (int)b->ratios, sums, team->scales, team->refused);
    for (i = 0; i < CTC_SHIM_SIDE; i++) {
        if (b->normalize) team->product[i] *= sums[i];
        else team->exponent[i] -= team->scales[i];
    }
}

/* Emissions of the cells in row r of the block. */
CTC_SHIM_LOCAL void ctc_shim_side_pick(const ctc_shim_batch *b, const ctc_shim_side *s,
                                       const ctc_shim_team *team, int64_t r) {
    const int64_t cells = (team->labels + 2) * CTC_SHIM_SIDE;
    const void *e = s->e + r * b->C * CTC_SHIM_SIDE * b->item;
    if (b->item == 4) ctc_shim_pick_f32((const float *)e, s->place, cells, s->emissions);
    else ctc_shim_pick_f64((const double *)e, s->place, cells, s->emissions);
}

/* The frames t .. end - 1, a group, from carry to carry; `base` is the first frame of the block. */
CTC_SHIM_LOCAL void ctc_shim_side_cross(const ctc_shim_batch *b, const ctc_shim_side *s,
                                        ctc_shim_team *team, int64_t t, int64_t end, int64_t base) {
    const int64_t W = s->cells, first = t;
    double *units = s->units + (t - base) / CTC_SHIM_STRIDE * 3 * W, *row = s->carry;
    ctc_shim_each epsilon;
    int64_t i;
    for (; t < end; t++) {
        const char *rows[CTC_SHIM_SIDE];
        void *e = s->e + (t - base) * b->C * CTC_SHIM_SIDE * b->item;
        for (i = 0; i < CTC_SHIM_SIDE; i++) {
            int there = (double)t < team->T[i];
            rows[i] = there ? ctc_shim_given(b, team->n[i], t) : s->idle;
            epsilon[i] = there ? b->epsilon : 0;
        }
        if (b->item == 4) ctc_shim_gather_rows_f32(b, s, rows, epsilon, (float *)e);
        else ctc_shim_gather_rows_f64(b, s, rows, epsilon, (double *)e);
    }
    for (t = first; t < end; t++) ctc_shim_side_read(b, s, team, t - base);
    ctc_shim_regroup(s, team, first, units);
    for (t = first; t < end; t++) {
        const double *from = row;
        row = s->table + 2 * (t - base) * W;
        ctc_shim_side_pick(b, s, team, t - base);
        ctc_shim_side_forward(s, team, t, units, from, row);
    }
    for (i = 0; i < 2; i++)
        memcpy(s->carry + i * W + CTC_SHIM_SIDE, row + i * W + CTC_SHIM_SIDE,
               (size_t)((team->labels + 1) * CTC_SHIM_SIDE) * sizeof(double));
    ctc_shim_settle(team);
}

/* The losses, after all frames; `units` are those of the last group. Leaves beta after the last
 * frame. A sequence with little left of its range is refused: beta is its inverse. */
CTC_SHIM_LOCAL void ctc_shim_side_finish(const ctc_shim_batch *b, const ctc_shim_side *s,
                                         ctc_shim_team *team, const double *units) {
    const int64_t W = s->cells;
    int64_t i;
    memset(s->beta, 0, 2 * (size_t)W * sizeof(double));
    memcpy(s->beta + 2 * W, units, (size_t)W * sizeof(double));
    for (i = 0; i < team->count; i++) {
        int64_t last = ((int64_t)team->S[i] + 1) * CTC_SHIM_SIDE + i;
        double total = s->carry[W + last] + s->carry[last - CTC_SHIM_SIDE] * units[W + last];
        double exponent, loss;
        if (!(total >= CTC_SHIM_LEAST) || team->refused[i] > 0) {
            team->refused[i] = 1;
            continue;
        }
        s->beta[W + last] = 1 / total;
        /* Split, because the units depend on the longest of the team. */
        loss = log(ctc_shim_split(team->product[i] / total, &exponent));
        loss += (exponent + team->exponent[i] - units[last]) * CTC_SHIM_LN2;
        ctc_shim_write_loss(b, team->n[i], b->normalize && loss < 0 ? 0 : loss);
    }
}

/* The gradient of frame t, which is row r of the block. */
CTC_SHIM_LOCAL void ctc_shim_side_write(const ctc_shim_batch *b, const ctc_shim_side *s,
                                        const ctc_shim_team *team, int64_t t, int64_t r) {
    const void *e = s->e + r * b->C * CTC_SHIM_SIDE * b->item;
    const int64_t cells = (team->labels + 1) * CTC_SHIM_SIDE;
    int softmax = b->normalize && b->mode == CTC_SHIM_MODE_GRADIENT;
    ctc_shim_each inverse;
    char *rows[CTC_SHIM_SIDE];
    int64_t i;
    for (i = 0; i < CTC_SHIM_SIDE; i++) {
        inverse[i] = softmax ? -team->upstream[i] / s->sums[r * CTC_SHIM_SIDE + i] : 0;
        rows[i] = (double)t < team->T[i] ? b->gradient + team->n[i] * b->gradient_stride_n +
                                               t * b->gradient_stride_t
                                         : s->unused;
    }
    if (b->item == 4)
        ctc_shim_put_rows_f32(b, (const float *)e, inverse, s->posterior, s->place, cells,
                              (float *)(void *)s->gradient, rows);
    else
        ctc_shim_put_rows_f64(b, (const double *)e, inverse, s->posterior, s->place, cells,
                              (double *)(void *)s->gradient, rows);
}

/* All frames backwards, block by block, as in ctc_shim_return. */
CTC_SHIM_LOCAL void ctc_shim_side_return(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                         const ctc_shim_side *s, ctc_shim_team *team) {
    const int64_t W = s->cells, last = (team->frames - 1) / s->rows;
    int64_t block, t, first;
    for (block = last; block >= 0; block--) {
        int64_t base = block * s->rows,
                stop = block == last ? team->frames : base + s->rows;
        if (block < last) {
            memcpy(s->carry, s->checkpoints + block * 3 * W, 3 * (size_t)W * sizeof(double));
            for (t = base; t < stop; t += CTC_SHIM_STRIDE)
                ctc_shim_side_cross(b, s, team, t, t + CTC_SHIM_STRIDE, base);
        }
        for (t = stop - 1; t >= base; t = first - 1) {
            const double *units = s->units + (t - base) / CTC_SHIM_STRIDE * 3 * W;
            if (ctc_shim_stops(w->signal_check, ctc_shim_work_of(b, CTC_SHIM_SIDE * CTC_SHIM_STRIDE)))
                return;
            ctc_shim_change_units(s, team, units);
            for (first = t / CTC_SHIM_STRIDE * CTC_SHIM_STRIDE; t >= first; t--) {
                ctc_shim_side_pick(b, s, team, t - base);
                ctc_shim_side_backward(s, team, units, s->table + 2 * (t - base) * W);
                ctc_shim_side_write(b, s, team, t, t - base);
            }
        }
    }
}

/* Losses and gradients of at most SIDE short sequences. */
CTC_SHIM_LOCAL void ctc_shim_side_by_side(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                          const ctc_shim_side *s, const int64_t *members,
                                          int64_t count) {
    const int64_t W = s->cells;
    int64_t i, t, base = 0;
    ctc_shim_team team;
    ctc_shim_assemble(b, s, members, count, &team);
    memset(s->carry, 0, 3 * (size_t)W * sizeof(double));
    for (i = 0; i < CTC_SHIM_SIDE; i++) s->carry[W + CTC_SHIM_SIDE + i] = 1; /* the first blank */
    for (t = 0; t < team.frames; t += CTC_SHIM_STRIDE) {
        int64_t end = t + CTC_SHIM_STRIDE < team.frames ? t + CTC_SHIM_STRIDE : team.frames;
        if (ctc_shim_stops(w->signal_check, ctc_shim_work_of(b, CTC_SHIM_SIDE * CTC_SHIM_STRIDE))) return;
        base = t / s->rows * s->rows;
        if (t == base && b->gradient)
            memcpy(s->checkpoints + t / s->rows * 3 * W, s->carry, 3 * (size_t)W * sizeof(double));
        ctc_shim_side_cross(b, s, &team, t, end, base);
    }
    ctc_shim_side_finish(b, s, &team,
                         s->units + (team.frames - 1 - base) / CTC_SHIM_STRIDE * 3 * W);
    if (b->gradient) ctc_shim_side_return(b, w, s, &team);
    for (i = 0; i < count; i++) {
        if (team.refused[i] > 0) ctc_shim_sequence(b, w, members[i]);
        else ctc_shim_write_rows(b, members[i], (int64_t)team.T[i], b->T, 0);
    }
}
#endif
#endif
