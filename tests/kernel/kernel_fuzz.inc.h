/* One round of kernel_fuzz.c for one element type. */
static void TYPED(round)(void) {
    int64_t N = below(3) ? below(5) : below(25), T = below(below(8) ? 14 : 150),
            C = below(below(8) ? 7 : 70), S = below(below(8) ? 7 : 40), n, t, c, s;
    int64_t blank = C > 0 ? below(2 * C) - C : 0, normalize = below(2), policy = below(4),
            mode = below(2), kind = below(10);
    int64_t bad = below(12), major = below(2), step = below(3) ? 1 : 2, row, kept, got, alone;
    ctc_shim_call call, second;
    double scales[5] = {0, 1, 10, 300, 1e4}, scale = scales[below(5)];
    int64_t stride_c = step * (int64_t)sizeof(REAL),
            stride_n = major ? C * stride_c : T * C * stride_c;
    int64_t stride_t = major ? N * C * stride_c : C * stride_c, size = (int64_t)sizeof(REAL);
    int64_t out_n = major ? C * size : T * C * size, out_t = major ? N * C * size : C * size;
    REAL *scores = (REAL *)room(N * T * C * stride_c), *loss = (REAL *)room(N * size),
         *again = (REAL *)room(N * size);
    REAL *gradient = (REAL *)room(N * T * C * size), *other = (REAL *)room(N * T * C * size),
         *up = (REAL *)room(N * size);
    int64_t *targets = (int64_t *)room(N * S * 8), *frames = (int64_t *)room(N * 8),
            *labels = (int64_t *)room(N * 8);
    const REAL *upstream = below(2) ? up : NULL;
    for (c = 0; c < N * T * C * step; c++) scores[c] = (REAL)score(kind, scale);
    for (n = 0; n < N; n++) {
        frames[n] = below(3) ? T : below(T + 1);
        labels[n] = below(S + 1);
        if (below(3) && labels[n] > frames[n] / 2) labels[n] = frames[n] / 2;
        up[n] = (REAL)(below(4) ? uniform() * 4 - 2 : 0);
        for (s = 0; s < S; s++) {
            targets[n * S + s] = below(C);
            if (C > 1 && targets[n * S + s] == (blank + C) % C)
                targets[n * S + s] = (blank + C + 1) % C;
        }
        if (C < 2) labels[n] = 0;
        for (s = labels[n]; s < S; s++)
            targets[n * S + s] = below(2) ? -9 : (int64_t)1 << 40; /* padding, never read */
    }
    if (N && bad == 0)
        frames[below(N)] = below(2) ? -1 - below(9) : T + 1 + below((int64_t)1 << 40);
    if (N && bad == 1)
        labels[below(N)] = below(2) ? -1 - below(9) : S + 1 + below((int64_t)1 << 40);
    if (N * S > 0 && bad == 2)
        targets[below(N * S)] = below(2) ? -1 - below(99) : C + below((int64_t)1 << 60);
    if (N * S > 0 && bad == 3) targets[below(N * S)] = (blank + C) % (C ? C : 1);
    if (bad == 4) blank = below(2) ? C + below(5) : -C - 1 - below(5);
    for (n = 0; n < N; n++) loss[n] = (REAL)-7;
    for (c = 0; c < N * T * C; c++) gradient[c] = other[c] = (REAL)-7;
    kept = expected_error(N, T, C, S, targets, frames, labels, blank, policy, &row);
    memset(&call, 0, sizeof call);
    call.type = size == 4 ? CTC_SHIM_TYPE_F32 : CTC_SHIM_TYPE_F64;
    call.logits = scores;
    call.logits_stride_n = stride_n;
    call.logits_stride_t = stride_t;
    call.logits_stride_c = stride_c;
    call.N = N;
    call.T = T;
    call.C = C;
    call.S = S;
    call.targets = targets;
    call.targets_stride_n = S * 8;
    call.input_lengths = frames;
    call.target_lengths = labels;
    call.targets_stride_s = call.input_lengths_stride = call.target_lengths_stride = 8;
    call.blank = blank;
    call.normalize = normalize;
    call.policy = policy;
    call.mode = mode;
    call.loss = loss;
    call.gradient = gradient;
    call.gradient_stride_n = out_n;
    call.gradient_stride_t = out_t;
    call.upstream = upstream;
    call.upstream_stride = size;
    call.threads = 1;
    got = ctc_shim_loss(&call);
    CHECK(got == kept && call.report[0] == kept);
    CHECK(kept == 0 || call.report[1] == row);
    second = call;
    second.loss = again;
    second.gradient = NULL;
    second.upstream = NULL;
    second.threads = 3;
    alone = ctc_shim_loss(&second);
    CHECK(alone == got);
    if (got) {
        errors++;
        for (n = 0; n < N; n++)
            CHECK(loss[n] == (REAL)-7); /* an error leaves everything as it was */
        for (c = 0; c < N * T * C; c++) CHECK(gradient[c] == (REAL)-7);
    } else {
        second = call;
        second.loss = again;
        second.gradient = other;
        second.threads = 2;
        ctc_shim_loss(&second);
        CHECK(memcmp(loss, again, (size_t)(N * size)) == 0);
        for (c = 0; c < N * T * C; c++)
            CHECK(gradient[c] == other[c] || gradient[c] != gradient[c]);
    }
    for (n = 0; !got && n < N; n++) {
        int nan = 0, impossible = loss[n] == (REAL)INFINITY;
        double times = upstream ? (double)up[n] : 1, want, sum;
        int64_t fewest = labels[n];
        for (s = 1; s < labels[n]; s++) fewest += targets[n * S + s] == targets[n * S + s - 1];
        for (t = 0; t < frames[n]; t++)
            for (c = 0; c < C; c++)
                nan |=
                    !(scores[(n * stride_n + t * stride_t + c * stride_c) / size] < (REAL)INFINITY);
        if (frames[n] < fewest) {
            nan = 0;
            CHECK(policy == 1 ? loss[n] == 0 : impossible);
        }
        CHECK(nan == (loss[n] != loss[n]));
        if (normalize && !nan) CHECK(loss[n] >= 0);
        infinite += impossible;
        not_numbers += nan;
        possible += !nan && !impossible;
        for (t = 0; t < T; t++) {
            const REAL *g = gradient + (n * out_n + t * out_t) / size;
            for (sum = 0, c = 0; c < C; c++) {
                if (t < frames[n] && nan) CHECK(g[c] != g[c]);
                else CHECK(g[c] == g[c]);
                if (mode == 1 && !upstream && !nan) CHECK(g[c] >= 0);
                sum += g[c];
            }
            if (t >= frames[n] || impossible || frames[n] < fewest) CHECK(sum == 0);
            else if (!nan && C > 0) {
                want = mode == 1 ? times : normalize ? 0 : -times;
                CHECK(fabs(sum - want) <= CLOSE);
            }
        }
    }
    /* The same numbers as probabilities: a negative one is as bad as NaN, and no step along p +
     * epsilon changes a softmax. */
    if (!got) {
        const REAL epsilon = (REAL)(below(2) ? 1e-7 : 0);
        for (c = 0; below(2) && c < N * T * C * step; c++)
            if (scores[c] < 0) scores[c] = -scores[c];
        second = call;
        second.input = CTC_SHIM_INPUT_PROBABILITIES;
        second.epsilon = epsilon;
        second.normalize = 1;
        second.mode = CTC_SHIM_MODE_GRADIENT;
        second.loss = again;
        second.gradient = other;
        second.threads = 1 + below(3);
        alone = ctc_shim_loss(&second);
        CHECK(alone == 0);
        for (n = 0; n < N; n++) {
            int nan = 0;
            int64_t fewest = labels[n];
            for (s = 1; s < labels[n]; s++) fewest += targets[n * S + s] == targets[n * S + s - 1];
            for (t = 0; t < frames[n]; t++)
                for (c = 0; c < C; c++) {
                    REAL q = scores[(n * stride_n + t * stride_t + c * stride_c) / size] + epsilon;
                    nan |= !(q >= 0 && q < (REAL)INFINITY);
                }
            nan &= frames[n] >= fewest;
            CHECK(nan == (again[n] != again[n]));
            CHECK(nan || again[n] >= 0);
            for (t = 0; t < T && !nan; t++) {
                const REAL *g = other + (n * out_n + t * out_t) / size;
                double sum = 0;
                for (c = 0; c < C; c++) {
                    REAL q = scores[(n * stride_n + t * stride_t + c * stride_c) / size] + epsilon;
                    if (t >= frames[n] || frames[n] < fewest || again[n] == (REAL)INFINITY)
                        CHECK(g[c] == 0);
                    else if (q > (REAL)1e-30) sum += (double)g[c] * q;
                }
                CHECK(fabs(sum) <= CLOSE);
            }
        }
    }
    free(scores);
    free(loss);
    free(again);
    free(gradient);
    free(other);
    free(up);
    free(targets);
    free(frames);
    free(labels);
}
