/* The batch of a call, and what is wrong with it: for loss.c and align.c. */
#ifndef CTC_SHIM_CHECKS_H
#define CTC_SHIM_CHECKS_H
#include "batch.h"
#include "threads.h"

CTC_SHIM_LOCAL ctc_shim_batch ctc_shim_batch_of(const ctc_shim_call *call) {
    ctc_shim_batch b;
    memset(&b, 0, sizeof b);
    b.item = call->type == CTC_SHIM_TYPE_F32 ? 4 : 8;
    b.logits = (const char *)call->logits;
    b.stride_n = call->logits_stride_n;
    b.stride_t = call->logits_stride_t;
    b.stride_c = call->logits_stride_c;
    b.N = call->N;
    b.T = call->T;
    b.C = call->C;
    b.S = call->S;
    b.targets = (const char *)call->targets;
    b.targets_stride_n = call->targets_stride_n;
    b.targets_stride_s = call->targets_stride_s;
    b.input_lengths = (const char *)call->input_lengths;
    b.input_lengths_stride = call->input_lengths_stride;
    b.target_lengths = (const char *)call->target_lengths;
    b.target_lengths_stride = call->target_lengths_stride;
    b.blank = call->blank;
    b.normalize = call->normalize;
    b.policy = call->policy;
    b.ratios = call->input == CTC_SHIM_INPUT_PROBABILITIES;
    b.epsilon = call->epsilon;
    b.mode = call->mode;
    b.loss = (char *)call->loss;
    b.gradient = (char *)call->gradient;
    b.gradient_stride_n = call->gradient_stride_n;
    b.gradient_stride_t = call->gradient_stride_t;
    b.upstream = (const char *)call->upstream;
    b.upstream_stride = call->upstream_stride;
    return b;
}

/* Checks a batch before anything is written. Sets the largest sizes of its sequences, and the
 * work. */
CTC_SHIM_LOCAL int64_t ctc_shim_check(ctc_shim_batch *b, double *work, int64_t *report) {
    int64_t n, s;
    if (ctc_shim_too_large(b->T, b->C, b->S, report)) return CTC_SHIM_ERROR_SIZE;
    if (b->C > 0 ? b->blank < -b->C || b->blank >= b->C : b->N > 0 && b->T > 0)
        return ctc_shim_report(report, CTC_SHIM_ERROR_BLANK, 0, b->C, b->blank);
    if (b->blank < 0) b->blank += b->C;
    b->longest = b->labels = 0;
    *work = 0;
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n), S = ctc_shim_labels_of(b, n);
        if (T < 0 || T > b->T)
            return ctc_shim_report(report, CTC_SHIM_ERROR_INPUT_LENGTH, n, b->T, T);
        if (S < 0 || S > b->S)
            return ctc_shim_report(report, CTC_SHIM_ERROR_TARGET_LENGTH, n, b->S, S);
        for (s = 0; s < S; s++) {
            int64_t label = ctc_shim_label_of(b, n, s);
            if (label < 0 || label >= b->C || label == b->blank)
                return ctc_shim_report(report, CTC_SHIM_ERROR_LABEL, n, s, label);
        }
        if (T > b->longest) b->longest = T;
        if (S > b->labels) b->labels = S;
        *work += ctc_shim_work_of_sequence(b, n);
    }
    if (b->policy < CTC_SHIM_POLICY_RAISE) return ctc_shim_report(report, 0, 0, 0, 0);
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n), fewest = ctc_shim_fewest(b, n);
        if (T < (b->policy == CTC_SHIM_POLICY_RAISE ? fewest : ctc_shim_labels_of(b, n)))
            return ctc_shim_report(report, CTC_SHIM_ERROR_INFEASIBLE, n, fewest, T);
    }
    return ctc_shim_report(report, 0, 0, 0, 0);
}
#endif
