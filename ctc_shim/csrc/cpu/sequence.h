/* Loss and gradient of one sequence. */
#ifndef CTC_SHIM_SEQUENCE_H
#define CTC_SHIM_SEQUENCE_H
#include "backward.h"

CTC_SHIM_LOCAL void ctc_shim_sequence(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                      int64_t n) {
    int64_t T = ctc_shim_frames_of(b, n), S = ctc_shim_labels_of(b, n),
            fewest = ctc_shim_fewest(b, n);
    const double largest = b->item == 4 ? 3.4028235677973366e38 : 1.7976931348623157e308;
    double upstream = ctc_shim_upstream(b, n), outside, total_m, total_e, loss;
    ctc_shim_cells cells;
    ctc_shim_write_rows(b, n, T, b->T, 0);
    if (T < fewest || T == 0 || b->C == 0) { /* the lengths decide: scores are not read */
        int zero = T < fewest ? b->policy == CTC_SHIM_POLICY_ZERO : T == 0;
        ctc_shim_write_loss(b, n, zero ? 0 : INFINITY);
        ctc_shim_write_rows(b, n, 0, T, 0);
        return;
    }
    ctc_shim_prepare(b, w, n, T, S, fewest);
    if (!ctc_shim_visit(b, w, n, T, upstream, &outside)) {
        ctc_shim_write_loss(b, n, NAN);
        ctc_shim_write_rows(b, n, 0, T, NAN);
        return;
    }
    cells = ctc_shim_cells_at(w->carry, b->width, 0);
    ctc_shim_add(cells.blank_m[S], cells.blank_e[S], cells.label_m[S - 1], cells.label_e[S - 1],
                 CTC_SHIM_FLOORS.low, &total_m, &total_e);
    loss = total_m > 0 ? outside - log(total_m) - total_e * CTC_SHIM_LN2 : INFINITY;
    if (loss > largest) { /* every path meets a score of -inf */
        ctc_shim_write_loss(b, n, INFINITY);
        ctc_shim_write_rows(b, n, 0, T, 0);
        return;
    }
    ctc_shim_write_loss(b, n, b->normalize && loss < 0 ? 0 : loss);
    if (b->gradient)
        ctc_shim_return(b, w, n, T, S, total_m, total_e,
                        b->mode == CTC_SHIM_MODE_POSTERIORS ? upstream : -upstream);
}
#endif
