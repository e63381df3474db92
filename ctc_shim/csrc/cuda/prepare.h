/* Kernel `prepare`: a warp for each sequence. */
#ifndef CTC_PREPARE_H
#define CTC_PREPARE_H
#include "cells.h"

/* Finds the first label of the same class for each label: its thread has the sum of the class. */
CTC_DEVICE void ctc_find_first(const ctc_batch &b, ctc_int n, int S) {
    const int *labels = b.labels + n * b.S;
    int *found = (int *)(b.classes + n * b.C);
    for (int j = lane_index(); j < S; j += 32) found[labels[j]] = j;
    settle();
    for (int j = lane_index(); j < S; j += 32) atomicMin(found + labels[j], j);
    settle();
    for (int j = lane_index(); j < S; j += 32) b.first[n * b.S + j] = found[labels[j]];
}

/* Checks the integers of a sequence and copies them to working memory. */
CTC_DEVICE void ctc_prepare(const ctc_batch &b, ctc_int n) {
    const void *targets = (const char *)b.targets + n * b.S * (b.wide & 1 ? 8 : 4);
    int T = ctc_integer(b.input_lengths, b.wide & 2, n),
        S = ctc_integer(b.target_lengths, b.wide & 4, n);
    bool wrong = T < 0 || T > b.T || S < 0 || S > b.S;
    double repeats = 0;
    for (int start = 0; !wrong && start < S; start += 32) {
        Int j = lane_index() + start;
        Mask valid = j < S, inner = valid & (j > 0);
        Int label = load_integer(targets, b.wide & 1, j, valid),
            before = load_integer(targets, b.wide & 1, j - 1, inner);
        wrong = any(valid & ((label < 0) | (label >= (int)b.C) | (label == b.blank)));
        repeats += sum(select(inner & (label == before), Double(1.0), Double(0.0)));
        store_int(b.labels + n * b.S, j, valid, label);
    }
    b.flags[n] = b.careful ? CTC_AGAIN : 0;
    b.frames[n] = T < 0 ? 0 : T < b.T ? T : (int)b.T;
    b.counts[n] = S;
    b.verdict[n] = wrong ? CTC_WRONG : T < S + repeats || (T && !b.C) ? CTC_INFEASIBLE : CTC_FINE;
    if (!b.careful && b.verdict[n] == CTC_FINE) ctc_find_first(b, n, S);
}
#endif
