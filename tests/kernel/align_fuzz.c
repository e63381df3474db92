/* Fuzzes ctc_shim/csrc/cpu/align.c: random batches, good and bad, and what must hold whatever the
 * numbers are. Built and run by kernel_fuzz.sh, as kernel_fuzz.c is; every array has exactly its
 * size, so that AddressSanitizer sees any step beyond it. */
#define CTC_SHIM_THREAD_WORK 1.0
#include "../../ctc_shim/csrc/cpu/align.c"
#include "fuzz.h"

static long errors, paths, missing;

static double score(int64_t kind) {
    double z = (double)below(2001) / 100 - 10;
    if (kind == 1 && below(3) == 0) return -INFINITY;
    if (kind == 2 && below(60) == 0) return below(2) ? (double)NAN : (double)INFINITY;
    if (kind == 3) return floor(z / 5); /* ties */
    if (kind == 4 && below(4) == 0) return -1e300;
    return z;
}

/* The states of one sequence: -1 everywhere, or a path that spells its target, where all scores are
 * numbers. */
static void check_path(const int64_t *state, int64_t T, int64_t frames, const int64_t *target,
                       int64_t labels, int numbers) {
    int64_t t, there = frames > 0 && state[0] >= 0;
    for (t = 0; t < T; t++) {
        CHECK(there && t < frames ? state[t] >= 0 && state[t] <= 2 * labels : state[t] == -1);
        if (!there || t >= frames || t == 0 || !numbers) continue;
        CHECK(state[t] >= state[t - 1] && state[t] <= state[t - 1] + 2);
        if (state[t] == state[t - 1] + 2)
            CHECK(state[t] % 2 && target[state[t] / 2] != target[state[t] / 2 - 1]);
    }
    if (there && numbers) CHECK(state[0] <= 1 && state[frames - 1] >= 2 * labels - 1);
    paths += there;
    missing += !there;
}

static void round_of(int64_t type) {
    int64_t item = type == CTC_SHIM_TYPE_F32 ? 4 : 8, N = below(4), T = below(below(8) ? 12 : 90),
            C = 1 + below(6), S = below(below(8) ? 8 : 40), n, i, kind = below(8), bad = below(12),
            step = 1 + below(2), blank = below(C), expected = 0;
    char *scores = (char *)room(N * T * C * step * item);
    int64_t *targets = (int64_t *)room(N * S * 8), *frames = (int64_t *)room(N * 8),
            *labels = (int64_t *)room(N * 8), *states = (int64_t *)room(N * T * 8),
            *second = (int64_t *)room(N * T * 8);
    ctc_shim_call call;
    for (i = 0; i < N * T * C * step; i++) {
        double value = score(kind);
        float single = (float)value;
        memcpy(scores + i * item, item == 4 ? (void *)&single : (void *)&value, (size_t)item);
    }
    for (i = 0; i < N * S; i++) targets[i] = C > 1 ? (blank + 1 + below(C - 1)) % C : 0;
    for (n = 0; n < N; n++) {
        frames[n] = below(3) ? T : below(T + 1);
        labels[n] = C > 1 ? below(S + 1) : 0;
    }
    if (N && bad == 0) {
        frames[below(N)] = below(2) ? -1 : T + 1;
        expected = CTC_SHIM_ERROR_INPUT_LENGTH;
    } else if (N && bad == 1) {
        labels[below(N)] = below(2) ? -1 : S + 1;
        expected = CTC_SHIM_ERROR_TARGET_LENGTH;
    } else if (N && bad == 2 && labels[0] > 0) {
        targets[below(labels[0])] = below(2) ? blank : C + below(3);
        expected = CTC_SHIM_ERROR_LABEL;
    }
    memset(&call, 0, sizeof call);
    call.type = type;
    call.logits = scores;
    call.logits_stride_n = T * C * step * item;
    call.logits_stride_t = C * step * item;
    call.logits_stride_c = step * item;
    call.N = N;
    call.T = T;
    call.C = C;
    call.S = S;
    call.targets = targets;
    call.targets_stride_n = S * 8;
    call.targets_stride_s = 8;
    call.input_lengths = frames;
    call.target_lengths = labels;
    call.input_lengths_stride = call.target_lengths_stride = 8;
    call.blank = below(2) ? blank : blank - C;
    call.states = states;
    call.threads = 1;
    CHECK(ctc_shim_align(&call) == expected && call.report[0] == expected);
    errors += expected != 0;
    if (!expected) {
        call.states = second;
        call.threads = 3;
        ctc_shim_align(&call);
        CHECK(memcmp(states, second, (size_t)(N * T * 8)) == 0);
        for (n = 0; n < N; n++)
            check_path(states + n * T, T, frames[n], targets + n * S, labels[n], kind != 2);
    }
    free(scores);
    free(targets);
    free(frames);
    free(labels);
    free(states);
    free(second);
}

static void round_f32(void) { round_of(CTC_SHIM_TYPE_F32); }
static void round_f64(void) { round_of(CTC_SHIM_TYPE_F64); }

int main(int count, char **arguments) {
    long rounds = all_rounds(count, arguments, round_f32, round_f64);
    printf("%ld rounds: %ld errors found as they should; paths: %ld, missing %ld\n", rounds, errors,
           paths, missing);
    return 0;
}
