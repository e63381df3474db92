/* The checks of test_rows.c for one element type; CLOSE is the relative error allowed. */
static void TYPED(check_softmax)(int64_t C, double scale, int ratios) {
    REAL *row = (REAL *)room(C * (int64_t)sizeof(REAL)),
         *out = (REAL *)room(C * (int64_t)sizeof(REAL));
    REAL exps[2048], spare[CTC_SHIM_CHUNK];
    double reference[8], highest = -INFINITY, total = 0;
    ctc_shim_sum sum;
    int64_t c;
    for (c = 0; c < C; c++) {
        double z = scale * ((double)below(1000) / 500 - 1);
        row[c] = (REAL)(ratios ? exp(z) : z);
        if ((double)row[c] > highest) highest = (double)row[c];
    }
    for (c = 0; c < C; c++)
        total += ratios ? (double)row[c] / highest : exp((double)row[c] - highest);
    sum = TYPED(ctc_shim_row)(row, C, 1, ratios, exps, spare, reference);
    CHECK(!sum.bad && sum.maximum == highest && sum.ties >= 1);
    CHECK(fabs((sum.ties + sum.rest) / total - 1) < CLOSE);
    TYPED(ctc_shim_softmax)(exps, reference, &sum, C, ratios, (int)below(2), 2, out);
    for (c = 0; c < C; c++) {
        double p = (ratios ? (double)row[c] / highest : exp((double)row[c] - highest)) / total;
        CHECK(fabs((double)out[c] - 2 * p) <= CLOSE * p + 1e-30);
    }
    CHECK(!TYPED(ctc_shim_row)(row, C, 0, ratios, NULL, spare, NULL).bad);
    row[below(C)] = (REAL)NAN;
    CHECK(TYPED(ctc_shim_row)(row, C, 1, ratios, NULL, spare, NULL).bad);
    CHECK(TYPED(ctc_shim_row)(row, C, 0, ratios, NULL, spare, NULL).bad);
    row[below(C)] = (REAL)INFINITY;
    CHECK(TYPED(ctc_shim_row)(row, C, 1, ratios, NULL, spare, NULL).bad);
    for (c = 0; c < C; c++) row[c] = -(REAL)INFINITY; /* no class is possible */
    sum = TYPED(ctc_shim_row)(row, C, 1, 0, exps, spare, reference);
    CHECK(!sum.bad && sum.maximum == -INFINITY && sum.ties + sum.rest == 0);
    free(row);
    free(out);
}

/* The two forms of emissions agree with each other and with exp, whichever way they are computed.
 */
static void TYPED(check_emissions)(int64_t C, int64_t cells) {
    REAL row[64];
    int32_t label[64];
    double pairs[256], m[64], e[64], y[64], least = 1, lowest;
    int64_t j;
    for (j = 0; j < C; j++) row[j] = (REAL)(-(double)below(2000) / 100);
    for (j = 0; j < cells; j++) label[j] = (int32_t)below(C);
    TYPED(ctc_shim_emissions)(row, C, label, 0, cells, 0, 0, pairs, m, e);
    lowest = TYPED(ctc_shim_emit)(row, C, label, 0, cells, 0, 0, pairs, 1, y);
    for (j = 0; j < cells; j++) {
        double want = exp((double)row[label[j]]);
        CHECK(fabs(ldexp(m[j], (int)e[j]) / want - 1) < 1e-9 && fabs(y[j] / want - 1) < 1e-9);
        if (y[j] < least) least = y[j];
    }
    CHECK(lowest <= least); /* a bound, where there are few classes */
}
