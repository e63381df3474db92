/* How the launcher divides working memory, and a batch that does not fit into it. */
#ifndef CTC_MEMORY_H
#define CTC_MEMORY_H
#include "cuda_batch.h"

static int choice_for(long long S) {
    int choice = 0;
    while (choice + 1 < CTC_CHOICES && S >= (long long)CTC_LANES << choice) choice++;
    return choice;
}

/* Places arrays one after another, aligned to 16 bytes; `a` is the number of elements. */
#define CTC_PLACE(array, type, a) \
    (array = (type *)at, at += ((a) * (long long)sizeof(type) + 15) / 16 * 16)

static long long round_up(long long x, long long multiple) {
    return (x + multiple - 1) / multiple * multiple;
}

static char *place_careful(ctc_batch *b, int choice, char *at) {
    long long lanes = (long long)CTC_LANES << choice, strips = b->S / lanes + 1;
    long long kept = strips * (b->T / CTC_BLOCK + 1) + CTC_BLOCK + 1;
    CTC_PLACE(b->cells, double, b->N * kept * 4 * lanes);
    CTC_PLACE(b->borders, double, strips > 1 ? b->N * strips * b->T * 6 : 0);
    return at;
}

static char *place_fast(ctc_batch *b, char *at) {
    const long long rows = b->N * round_up(b->T, CTC_ROUND), places = round_up(b->S + 2, CTC_K);
    b->rows = (int)(rows / b->N);
    b->places = (int)places;
    CTC_PLACE(b->blanks, unsigned, rows * 2);
    CTC_PLACE(b->emissions, unsigned, rows *places);
    CTC_PLACE(b->lattice, unsigned, rows *places);
    CTC_PLACE(b->powers, unsigned, rows / CTC_PART * places);
    CTC_PLACE(b->middle, double, b->N * places * 4);
    CTC_PLACE(b->middle_powers, int, b->N * places * 4);
    return at;
}

/* Divides the working memory of a batch. Returns its size in bytes. */
static long long lay_out(ctc_batch *b, int choice, char *work) {
    char *at = work, *end;
    CTC_PLACE(b->flags, int, b->N); /* first: benchmarks/ looks at them */
    CTC_PLACE(b->statistics, double, b->N * b->T * 2);
    CTC_PLACE(b->classes, unsigned long long, b->N * b->C);
    CTC_PLACE(b->totals, double, b->N);
    end = place_careful(b, choice, at);
    if (!b->careful) { /* the careful path begins when the fast one has ended */
        char *end_of_fast = place_fast(b, at);
        end = end_of_fast > end ? end_of_fast : end;
    }
    at = end;
    CTC_PLACE(b->labels, int, b->N * b->S);
    CTC_PLACE(b->first, int, b->N * b->S);
    CTC_PLACE(b->frames, int, b->N);
    CTC_PLACE(b->counts, int, b->N);
    CTC_PLACE(b->verdict, int, b->N);
    return at - work;
}

/* Sequences that the fast path can compute at a time, in so many bytes; 0: it cannot. */
static long long at_a_time(const ctc_batch *b, int choice, long long bytes) {
    ctc_batch part = *b;
    long long found;
    if (b->kind == CTC_F64 || b->S + 2 > CTC_MOST_PLACES(CTC_SHORT_ROUND)) return 0;
    if (bytes > 1ll << 33) bytes = 1ll << 33; /* kernels count cells with an int */
    part.careful = 0;
    if (lay_out(&part, choice, NULL) <= bytes) return b->N;
    part.N = 1;
    found = bytes / lay_out(&part, choice, NULL);
    return found < b->N ? found : b->N;
}

/* The sequences from `from` on, `count` of them. */
static ctc_batch part_of(const ctc_batch *b, long long from, long long count) {
    static const int item[] = {4, 8, 2, 2};
    const long long row = from * b->stride_n * item[b->kind], result = b->kind == CTC_F64 ? 8 : 4;
    ctc_batch part = *b;
    part.N = count;
    part.logits = (const char *)b->logits + row;
    part.targets = (const char *)b->targets + from * b->S * (b->wide & 1 ? 8 : 4);
    part.input_lengths = (const char *)b->input_lengths + from * (b->wide & 2 ? 8 : 4);
    part.target_lengths = (const char *)b->target_lengths + from * (b->wide & 4 ? 8 : 4);
    part.loss = (char *)b->loss + from * result;
    if (b->upstream) part.upstream = (const char *)b->upstream + from * b->upstream_stride * result;
    if (b->gradient) part.gradient = (char *)b->gradient + row;
    return part;
}
#endif
