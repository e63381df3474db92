/* One round of decode_fuzz.c for one element type. */
static void TYPED(round)(void) {
    int64_t N = below(4), T = below(below(8) ? 12 : 90), C = below(below(8) ? 6 : 90), n, t, c, k,
            item = (int64_t)sizeof(REAL);
    int64_t blank = C > 0 ? below(2 * C) - C : 0,
            width = below(3)   ? below(9)
                    : below(2) ? 0
                               : 40,
            kind = below(8), bad = below(12);
    int64_t paths = width ? 1 + below(width) : 1, merge = below(2), normalize = below(2),
            step = 1 + below(2);
    double scales[4] = {0, 1, 10, 1e4}, scale = scales[below(4)];
    REAL *scores = (REAL *)room(N * T * C * step * item);
    int64_t *frames = (int64_t *)room(N * 8), *labels = (int64_t *)room(N * paths * T * 8),
            *lengths = (int64_t *)room(N * paths * 8);
    double *log_p = (double *)room(N * paths * 8), *second = (double *)room(N * paths * 8);
    int64_t got, kept = 0;
    ctc_shim_decode_call call;
    for (c = 0; c < N * T * C * step; c++) scores[c] = (REAL)score(kind, scale);
    for (n = 0; n < N; n++) frames[n] = C > 0 ? (below(3) ? T : below(T + 1)) : 0;
    if (N && bad == 0) {
        frames[below(N)] = below(2) ? -1 - below(9) : T + 1 + below((int64_t)1 << 40);
        kept = 1;
    }
    if (C > 0 && bad == 1) {
        blank = below(2) ? C + below(5) : -C - 1 - below(5);
        kept = 5;
    }
    if (C == 0 && N > 0 && T > 0) kept = 5; /* frames without classes */
    for (k = 0; k < N * paths * T; k++) labels[k] = -1;
    for (k = 0; k < N * paths; k++) lengths[k] = -7;
    memset(&call, 0, sizeof call);
    call.type = item == 4 ? CTC_SHIM_TYPE_F32 : CTC_SHIM_TYPE_F64;
    call.logits = scores;
    call.logits_stride_n = T * C * step * item;
    call.logits_stride_t = C * step * item;
    call.logits_stride_c = step * item;
    call.N = N;
    call.T = T;
    call.C = C;
    call.input_lengths = frames;
    call.input_lengths_stride = 8;
    call.blank = blank;
    call.normalize = normalize;
    call.beam_width = width;
    call.paths = paths;
    call.merge = merge;
    call.labels = labels;
    call.lengths = lengths;
    call.log_probs = log_p;
    call.threads = 1;
    got = ctc_shim_decode(&call);
    CHECK(got == kept && call.report[0] == kept);
    if (got) errors++;
    for (k = 0; k < N * paths; k++)
        CHECK(got ? lengths[k] == -7 : lengths[k] >= 0 && lengths[k] <= T);
    if (!got) {
        call.log_probs = second;
        call.threads = 3;
        ctc_shim_decode(&call);
        CHECK(memcmp(log_p, second, (size_t)(N * paths * 8)) == 0 || kind == 2);
    }
    for (n = 0; !got && n < N; n++) {
        int nan = 0;
        for (t = 0; t < frames[n]; t++)
            for (c = 0; c < C; c++) nan |= !(scores[((n * T + t) * C + c) * step] < (REAL)INFINITY);
        for (k = 0; k < paths; k++) {
            const int64_t place = n * paths + k, *path = labels + place * T;
            const double p = log_p[place];
            CHECK(nan == (p != p));
            CHECK(nan || p < INFINITY);
            if (!(p > -INFINITY)) CHECK(lengths[place] == 0);
            if (normalize && !nan) CHECK(p <= 1e-3);
            if (k && !nan) CHECK(p <= log_p[place - 1]); /* likeliest first */
            for (t = 0; t < T; t++) {
                if (t < lengths[place])
                    CHECK(path[t] >= 0 && path[t] < C && path[t] != (blank + C) % C);
                else CHECK(path[t] == -1);
                if (merge && width && t && t < lengths[place]) CHECK(path[t] != path[t - 1]);
            }
            CHECK(lengths[place] <= frames[n]);
            not_numbers += nan;
            missing += p == -INFINITY;
            hypotheses += p > -INFINITY;
        }
    }
    free(scores);
    free(frames);
    free(labels);
    free(lengths);
    free(log_p);
    free(second);
}
