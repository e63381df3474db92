/* The lattice of one sequence: the recursion in both directions, and the posteriors, which are
 * subtracted from the gradient. */
#ifndef CTC_WARP_H
#define CTC_WARP_H
#include "cells.h"

template <class REAL> CTC_DEVICE void ctc_fill(REAL *row, ctc_int C, double value) {
    for (int start = 0; start < C; start += 32)
        store(row, lane_index() + start, lane_index() + start < (int)C, Double(value));
}

template <int K> struct ctc_warp {
    const ctc_batch &b;
    ctc_int n;
    int T, S, strips, strip; /* the warp holds the labels from strip * 32 K on */
    Int label[K];
    Mask inside[K];             /* a label of the target? */
    Mask skip[K], skip_next[K]; /* may the blank before (after) it be left out? */
    ctc_cell l[K], k[K];        /* alpha or beta: labels, and the blanks before them */
    ctc_cell emit[K], emit_blank;
    ctc_cell whole; /* the sum over all paths */

    CTC_DEVICE ctc_warp(const ctc_batch &batch, ctc_int row)
        : b(batch), n(row), T(batch.frames[row]), S(batch.counts[row]),
          strips(batch.counts[row] / (32 * K) + 1), whole(ctc_none()) {}

    CTC_DEVICE Int place(int i) { return lane_index() * K + i + strip * 32 * K; }

    CTC_DEVICE void take_strip(int which) {
        const int *labels = b.labels + n * b.S;
        strip = which;
        CTC_CELLS {
            Int j = place(i);
            Mask last = j + 1 < S;
            inside[i] = j < S;
            label[i] = load_int(labels, j, inside[i]);
            skip[i] =
                inside[i] & (j > 0) & (label[i] != load_int(labels, j - 1, inside[i] & (j > 0)));
            skip_next[i] = last & (label[i] != load_int(labels, j + 1, last));
        }
    }

    /* What strip `which` passes to its neighbours at frame t: alpha of its last label before the
     * frame, and beta times emission of its first label and blank. */
    CTC_DEVICE double *border(int which, int t) {
        return b.borders + (((n * (b.S / (32 * K) + 1) + which) * b.T) + t) * 6;
    }

    template <class REAL> CTC_DEVICE REAL *row_of(const void *scores, int t) {
        return (REAL *)scores + n * b.stride_n + t * b.stride_t;
    }

    /* The scores of a frame. Those of the frame `next` are prefetched. */
    template <class REAL> CTC_DEVICE void fetch(int t, int next, Double *scores, Double *of_blank) {
        const REAL *row = row_of<const REAL>(b.logits, t);
        *of_blank = Double((double)row[b.blank]);
        if (next >= 0 && next < T) {
            const REAL *later = row_of<const REAL>(b.logits, next);
            prefetch(later, lane_index() + b.blank, lane_index() == 0);
            CTC_CELLS prefetch(later, label[i], inside[i]);
        }
        CTC_CELLS scores[i] = load(row, label[i], inside[i], -CTC_INFINITY);
    }

    /* Probabilities of a frame relative to its largest. */
    CTC_DEVICE void read(int t, int next) {
        double maximum = b.statistics[(n * b.T + t) * 2];
        Double scores[K], of_blank, e, m;
        if (!(maximum > -CTC_INFINITY)) maximum = 0; /* a frame of -inf: nothing is possible */
#define CTC_FETCH(REAL) fetch<REAL>(t, next, scores, &of_blank)
        CTC_BY_KIND(b.kind, CTC_FETCH)
        m = ctc_split_exp(of_blank - maximum, &e);
        emit_blank = ctc_make(m, e);
        CTC_CELLS {
            m = ctc_split_exp(scores[i] - maximum, &e);
            emit[i] = ctc_only(inside[i], ctc_make(m, e));
        }
    }

    CTC_DEVICE void renormalise(int t) {
        if (t % CTC_RENORM) return;
        CTC_CELLS l[i] = ctc_renormalised(l[i]), k[i] = ctc_renormalised(k[i]);
    }

    CTC_DEVICE void start_forward() {
        CTC_CELLS l[i] = k[i] = ctc_none();
        k[0] = ctc_only(place(0) == 0, ctc_make(Double(1.0), Double(0.0)));
    }

    /* Equations (6)-(8). */
    CTC_DEVICE void forward(int t) {
        const double *left = strip ? border(strip - 1, t) : 0;
        ctc_cell far = ctc_up(l[K - 1], left ? left[0] : 0.0, left ? left[1] : CTC_NEVER);
        if (strip + 1 < strips) {
            store(border(strip, t), lane_index() * 0, lane_index() == 31, l[K - 1].m);
            store(border(strip, t), lane_index() * 0 + 1, lane_index() == 31, l[K - 1].e);
        }
        read(t, t + CTC_AHEAD);
        CTC_CELLS_DOWN {
            ctc_cell before = i ? l[i - 1] : far;
            ctc_cell arriving = ctc_add(ctc_add(l[i], k[i]), ctc_only(skip[i], before));
            k[i] = ctc_times(ctc_add(k[i], before), emit_blank);
            l[i] = ctc_times(arriving, emit[i]);
        }
        renormalise(t);
    }

    CTC_DEVICE void start_backward() {
        CTC_CELLS {
            Int j = place(i);
            k[i] = ctc_only(j == S, ctc_make(Double(1.0), Double(0.0)));
            l[i] = ctc_only(j == S - 1, ctc_make(Double(1.0), Double(0.0)));
        }
    }

    /* Equations (9)-(11): beta without the emission of frame t becomes that of frame t - 1. Frame t
     * must have been read. */
    CTC_DEVICE void backward(int t) {
        const double *right = strip + 1 < strips ? border(strip + 1, t) : 0;
        ctc_cell far_l, far_k;
        CTC_CELLS l[i] = ctc_times(l[i], emit[i]), k[i] = ctc_times(k[i], emit_blank);
        far_l = ctc_down(l[0], right ? right[2] : 0.0, right ? right[3] : CTC_NEVER);
        far_k = ctc_down(k[0], right ? right[4] : 0.0, right ? right[5] : CTC_NEVER);
        if (strip) {
            store(border(strip, t), lane_index() + 2, lane_index() == 0, l[0].m);
            store(border(strip, t), lane_index() + 3, lane_index() == 0, l[0].e);
            store(border(strip, t), lane_index() + 4, lane_index() == 0, k[0].m);
            store(border(strip, t), lane_index() + 5, lane_index() == 0, k[0].e);
        }
        CTC_CELLS {
            ctc_cell after_l = i + 1 < K ? l[i + 1] : far_l, after_k = i + 1 < K ? k[i + 1] : far_k;
            k[i] = ctc_add(k[i], l[i]);
            l[i] = ctc_add(ctc_add(l[i], ctc_only(inside[i], after_k)),
                           ctc_only(skip_next[i], after_l));
        }
        renormalise(t);
    }

    /* The rows that are kept: checkpoints of the strips, the rows of a block, beta. */
    CTC_DEVICE ctc_int checkpoint(int block) { return strip * (b.T / CTC_BLOCK + 1) + block; }
    CTC_DEVICE ctc_int table() { return (b.S / (32 * K) + 1) * (b.T / CTC_BLOCK + 1); }
    CTC_DEVICE double *row_at(ctc_int slot) {
        ctc_int rows = (b.S / (32 * K) + 1) * (b.T / CTC_BLOCK + 1) + CTC_BLOCK + 1;
        return b.cells + ((n * rows + slot) * 4) * K * 32;
    }
    CTC_DEVICE static void put(double *row, int what, Double x) {
        store(row + what * 32, lane_index(), lane_index() >= 0, x);
    }
    CTC_DEVICE static Double get(const double *row, int what) {
        return load(row + what * 32, lane_index(), lane_index() >= 0, 0.0);
    }
    CTC_DEVICE void keep(ctc_int slot) {
        double *row = row_at(slot);
        CTC_CELLS {
            put(row, 4 * i, l[i].m), put(row, 4 * i + 1, l[i].e);
            put(row, 4 * i + 2, k[i].m), put(row, 4 * i + 3, k[i].e);
        }
        settle();
    }
    CTC_DEVICE void recall(ctc_int slot) {
        const double *row = row_at(slot);
        CTC_CELLS {
            l[i] = ctc_make(get(row, 4 * i), get(row, 4 * i + 1));
            k[i] = ctc_make(get(row, 4 * i + 2), get(row, 4 * i + 3));
        }
    }

    template <class REAL> CTC_DEVICE void fill_all(double value) {
        for (int t = 0; t < T; t++) ctc_fill(row_of<REAL>(b.gradient, t), b.C, value);
    }
    CTC_DEVICE void fill(double value) {
#define CTC_FILL(REAL) fill_all<REAL>(value)
        if (b.gradient) CTC_BY_KIND(b.kind, CTC_FILL)
    }

    /* Writes the gradient of the labels that are `mine`, and of the blank. Where there are several
     * strips it is added to what is there. */
    template <class REAL>
    CTC_DEVICE void write(int t, const Mask *mine, const Double *values, Double of_blank) {
        REAL *row = row_of<REAL>(b.gradient, t);
        Int blank = lane_index() * 0 + b.blank;
        Mask first = lane_index() == 0;
        CTC_CELLS store(row, label[i], mine[i],
                        strips > 1 ? load(row, label[i], mine[i], 0.0) + values[i] : values[i]);
        store(row, blank, first, strips > 1 ? load(row, blank, first, 0.0) + of_blank : of_blank);
    }

    /* Writes upstream * (softmax - posterior) of the labels and the blank, equations (14)-(16).
     * Frame t must have been read. The posterior is alpha * beta divided by the sum over the frame,
     * or, where there are several strips, by the sum over all paths; each strip then subtracts its
     * share from what `rows` wrote. */
    CTC_DEVICE void deposit(int t, ctc_int slot, double upstream) {
        const double *row = row_at(slot);
        unsigned long long *classes = b.classes + n * b.C;
        ctc_cell joint_l[K], joint_k[K];
        Double high = Double(CTC_NEVER), mass = Double(0.0), blanks = Double(0.0), values[K],
               of_blank;
        Mask mine[K];
        double highest, total, share = strips == 1 ? share_of(b.statistics + (n * b.T + t) * 2) : 0;
        CTC_CELLS {
            joint_l[i] =
                ctc_renormalised(ctc_times(l[i], ctc_make(get(row, 4 * i), get(row, 4 * i + 1))));
            joint_k[i] = ctc_renormalised(
                ctc_times(k[i], ctc_make(get(row, 4 * i + 2), get(row, 4 * i + 3))));
            high = larger(high, larger(joint_l[i].e, joint_k[i].e));
        }
        highest = strips > 1 ? at(whole.e, 0) : top(high);
        CTC_CELLS {
            joint_l[i].m = joint_l[i].m * ctc_scale(joint_l[i].e - highest);
            joint_k[i].m = joint_k[i].m * ctc_scale(joint_k[i].e - highest);
            mass = mass + joint_l[i].m + joint_k[i].m;
            blanks = blanks + joint_k[i].m;
        }
        total = strips > 1 ? at(whole.m, 0) : sum(mass);
        CTC_CELLS add_fixed(classes, label[i], inside[i], joint_l[i].m * (CTC_FIXED / total) + 0.5);
        CTC_CELLS {
            Double taken = take_fixed(classes, label[i], inside[i]);
            mine[i] = taken > Double(0.0);
            values[i] = scaled(emit[i], share, upstream) - taken * (upstream / CTC_FIXED);
        }
        of_blank = scaled(emit_blank, share, upstream) - Double(upstream * (sum(blanks) / total));
#define CTC_WRITE(REAL) write<REAL>(t, mine, values, of_blank)
        CTC_BY_KIND(b.kind, CTC_WRITE)
        settle();
    }
    /* As ctc_share. */
    CTC_DEVICE double share_of(const double *statistics) {
        return b.normalize ? exp(-statistics[1]) : b.adds ? exp(statistics[0]) : 0;
    }
    /* 0 stays 0, whatever upstream is. */
    CTC_DEVICE static Double scaled(ctc_cell emission, double share, double upstream) {
        Double p = emission.m * ctc_scale(emission.e) * share;
        return select(p > Double(0.0), p * upstream, Double(0.0));
    }

    CTC_DEVICE void strip_backward(int which, double upstream) {
        ctc_int beta = table() + CTC_BLOCK;
        take_strip(which);
        CTC_CELLS store(b.classes + n * b.C, label[i], inside[i], Double(0.0));
        settle();
        start_backward();
        for (int block = (T - 1) / CTC_BLOCK; block >= 0; block--) {
            int start = block * CTC_BLOCK, stop = start + CTC_BLOCK < T ? start + CTC_BLOCK : T, t;
            keep(beta);
            recall(checkpoint(block));
            for (t = start; t < stop; t++) {
                forward(t);
                keep(table() + t - start);
            }
            recall(beta);
            for (t = stop - 1; t >= start; t--) {
                read(t, t - CTC_AHEAD);
                deposit(t, table() + t - start, upstream);
                backward(t);
            }
        }
        settle();
    }

    /* All frames forwards. Adds the share of this strip to the sum over all paths. */
    CTC_DEVICE void strip_forward(int which) {
        take_strip(which);
        start_forward();
        for (int t = 0; t < T; t++) {
            if (b.gradient && t % CTC_BLOCK == 0) keep(checkpoint(t / CTC_BLOCK));
            forward(t);
        }
        CTC_CELLS { /* the last blank and the last label; every lane gets the sum */
            ctc_cell end =
                ctc_add(ctc_only(place(i) == S, k[i]), ctc_only(place(i) == S - 1, l[i]));
            double high = top(end.e);
            whole = ctc_renormalised(ctc_add(
                whole, ctc_make(Double(sum(end.m * ctc_scale(end.e - high))), Double(high))));
        }
        settle();
    }

    /* The part of -ln p that is the same on all paths: emissions are relative to the largest of a
     * frame. */
    CTC_DEVICE double outside() {
        const double *statistics = b.statistics + n * b.T * 2;
        Double found = Double(0.0);
        for (int start = 0; start < T; start += 32) {
            Int t = lane_index() + start;
            Double maximum = load(statistics, t * 2, t < T, -CTC_INFINITY),
                   inside = load(statistics, t * 2 + 1, t < T, 0.0);
            Double given =
                select(maximum > Double(-CTC_INFINITY), Double(0.0) - maximum, Double(0.0));
            found = found + (b.normalize ? inside : select(inside == inside, given, inside));
        }
        return sum(found);
    }

    CTC_DEVICE void write_loss(double value) {
        /* The fast path's own is right: the loss does not depend on whether there is a gradient. */
        if (b.verdict[n] == CTC_FINE && !(b.flags[n] & CTC_AGAIN)) return;
        if (b.kind == CTC_F64) ((double *)b.loss)[n] = value;
        else ((float *)b.loss)[n] = (float)value;
    }

    CTC_DEVICE void run() {
        const double upstream =
            b.kind == CTC_F64 ? ctc_upstream<double>(b, n) : ctc_upstream<float>(b, n);
        double rest, m, value;
        const double nan = CTC_INFINITY - CTC_INFINITY,
                     largest = b.kind == CTC_F64 ? 1.7976931348623157e308 : 3.4028235677973366e38;
        if (b.verdict[n] != CTC_FINE) {
            write_loss(b.verdict[n] == CTC_WRONG ? nan : b.zero ? 0.0 : CTC_INFINITY);
            return;
        }
        rest = outside();
        for (int i = 0; i < strips; i++) strip_forward(i);
        m = at(whole.m, 0);
        value = rest != rest ? nan
                : m > 0      ? rest - log(m) - at(whole.e, 0) * CTC_LN2
                             : CTC_INFINITY;
        if (value != value || value > largest) {
            fill(value != value ? nan : 0.0);
            write_loss(value != value ? nan : CTC_INFINITY);
            return;
        }
        write_loss(b.normalize && value < 0 ? 0.0 : value);
        for (int i = strips - 1; b.gradient && i >= 0; i--) strip_backward(i, upstream);
    }
};
#endif
