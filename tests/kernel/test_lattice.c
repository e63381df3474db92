/* One sequence through the frames of lattice.h and linear.h, against a recursion on logarithms. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/linear.h"

enum { S = 11, WIDTH = 16, T = 16, ROW = WIDTH + 2 * CTC_SHIM_FENCE };

static double memory[T + 3][CTC_SHIM_ARRAYS * ROW];
static double scale[ROW], skip[WIDTH], posterior[WIDTH + 8], score[T][S + 1], alpha[2 * S + 1];
static ctc_shim_frame frames[T];

static ctc_shim_cells cells_of(int row) {
    double *base = memory[row] + CTC_SHIM_FENCE;
    ctc_shim_cells cells = {base,           base + ROW,     base + 2 * ROW,
                            base + 3 * ROW, base + 4 * ROW, base + 5 * ROW};
    int j;
    for (j = -CTC_SHIM_FENCE; j < WIDTH + CTC_SHIM_FENCE; j++) {
        cells.label_m[j] = cells.blank_m[j] = cells.emission_m[j] = 0;
        cells.label_e[j] = cells.blank_e[j] = cells.emission_e[j] = CTC_SHIM_NEVER;
    }
    return cells;
}

/* Random scores of the labels and, at S, of the blank; what equations (6)-(8) make of them. */
static double expected(double range) {
    int t, s;
    int64_t repeats = 1 + below(3);
    for (s = 0; s < 2 * S + 1; s++) alpha[s] = s ? -INFINITY : 0;
    for (s = 0; s < WIDTH; s++) skip[s] = s < S && s % 3 != (int)repeats; /* up to 4: 15 frames */
    for (t = 0; t < T; t++) {
        for (s = 0; s <= S; s++) score[t][s] = -range * (double)below(1000) / 1000;
        for (s = 2 * S; s >= 0; s--) {
            double sum = exp(alpha[s]) + (s ? exp(alpha[s - 1]) : 0);
            if (s % 2 && s > 1 && skip[s / 2] > 0) sum += exp(alpha[s - 2]);
            alpha[s] = log(sum) + score[t][s % 2 ? s / 2 : S];
        }
    }
    return log(exp(alpha[2 * S]) + exp(alpha[2 * S - 1]));
}

static double log_of(double m, double e) { return log(m) + e * CTC_SHIM_LN2; }

static void fill(const ctc_shim_cells *to, int t, int linear) {
    int s;
    frames[t].start = 0;
    frames[t].stop = WIDTH / CTC_SHIM_LANES;
    frames[t].blank_m =
        ctc_shim_split_exp(score[t][S], &frames[t].blank_e, -1e280, -1.4e280, 0.35, 1);
    for (s = 0; s < WIDTH; s++) {
        double z = score[t][s < S ? s : S];
        to->emission_m[s] =
            linear ? exp(z) : ctc_shim_split_exp(z, &to->emission_e[s], -1e280, -1.4e280, 0.35, 1);
    }
}

/* Forwards and backwards with an exponent in each cell. */
static void check_split(double want) {
    ctc_shim_cells row[T + 1], beta = cells_of(T + 1), next = cells_of(T + 2), swap;
    double m, e, total_m, total_e, sum;
    int t, s;
    row[T] = cells_of(T);
    row[T].blank_m[0] = 1;
    row[T].blank_e[0] = 0;
    for (t = 0; t < T; t++) {
        row[t] = cells_of(t);
        fill(&row[t], t, 0);
        ctc_shim_forward(&row[t ? t - 1 : T], &row[t], skip, &frames[t]);
        ctc_shim_fence(&row[t], &frames[t]);
    }
    ctc_shim_add(row[T - 1].blank_m[S], row[T - 1].blank_e[S], row[T - 1].label_m[S - 1],
                 row[T - 1].label_e[S - 1], CTC_SHIM_FLOORS.low, &total_m, &total_e);
    CHECK(fabs(log_of(total_m, total_e) / want - 1) < 1e-12);
    beta.blank_m[S] = 1;
    beta.blank_e[S] = 0;
    for (t = T - 1; t >= 0; t--) {
        ctc_shim_frame_total(&beta, &row[t], skip, &frames[t], &m, &e);
        CHECK(fabs(log_of(m, e) / want - 1) < 1e-12);
        sum = ctc_shim_backward(&beta, &next, &row[t], skip, &frames[t], total_m, total_e, 1,
                                posterior + 8);
        for (s = 0; s < S; s++) sum += posterior[8 + s];
        CHECK(fabs(sum - 1) < 1e-12); /* of a frame's posteriors */
        ctc_shim_fence(&next, &frames[t]);
        swap = beta;
        beta = next;
        next = swap;
    }
}

/* The same in plain doubles, from a carry to a carry. */
static void check_linear(double want) {
    ctc_shim_cells carry = cells_of(T), to, from = cells_of(T + 1);
    ctc_shim_linear linear = {from.label_m, from.blank_m, from.emission_m, from.emission_e};
    double *label = linear.label, *blank = linear.blank, m, e;
    int t;
    carry.blank_m[0] = 1;
    carry.blank_e[0] = 0;
    fill(&from, 0, 1);
    CHECK(ctc_shim_enter(&carry, skip, &frames[0], scale + CTC_SHIM_FENCE, &linear));
    for (t = 0; t < T; t++) {
        to = cells_of(t);
        fill(&to, t, 1);
        ctc_shim_forward_linear(label, blank, &to, &linear, &frames[t], exp(score[t][S]));
        label = to.label_m;
        blank = to.blank_m;
    }
    ctc_shim_leave(label, blank, scale + CTC_SHIM_FENCE, &frames[0], 0, 0, &carry);
    ctc_shim_add(carry.blank_m[S], carry.blank_e[S], carry.label_m[S - 1], carry.label_e[S - 1],
                 CTC_SHIM_FLOORS.low, &m, &e);
    CHECK(fabs(log_of(m, e) / want - 1) < 1e-12);
}

/* Each condition of ctc_shim_enter by itself. */
static void check_conditions(void) {
    ctc_shim_cells carry = cells_of(T), from = cells_of(T + 1);
    ctc_shim_linear linear = {from.label_m, from.blank_m, from.emission_m, from.emission_e};
    int which, j;
    fill(&from, 0, 1);
    for (which = 0; which < 6; which++) {
        for (j = 0; j < WIDTH; j++) {
            carry.label_m[j] = carry.blank_m[j] = 1;
            carry.label_e[j] = carry.blank_e[j] = which == 5 ? -5e15 : 0;
        }
        if (which == 1) carry.label_e[3] = CTC_SHIM_LOWEST - 1;
        if (which == 2) carry.label_m[3] = 0;
        if (which == 3) carry.blank_m[3] = 0;
        for (j = 4; which == 4 && j < WIDTH; j++)
            carry.label_e[j] = carry.blank_e[j] = CTC_SHIM_STEEPEST + 1;
        CHECK(ctc_shim_enter(&carry, skip, &frames[0], scale + CTC_SHIM_FENCE, &linear) == !which);
    }
}

int main(void) {
    const double ranges[] = {0.1, 3, 15};
    for (iteration = 0; iteration < 300; iteration++) {
        double want = expected(ranges[iteration % 3]);
        check_split(want);
        check_linear(want);
    }
    check_conditions();
    return 0;
}
