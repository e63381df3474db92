/* A call that the handler of a signal ends: with one thread and with many, early and late. */
#define CTC_SHIM_SIGNAL_WORK 1.0
#define CTC_SHIM_THREAD_WORK 1.0
#include "../../ctc_shim/csrc/cpu/loss.c"

#include "fuzz.h"

enum { N = 40, T = 64, C = 7, S = 9 };
static int held, asked, patience; /* is the GIL held; how often the handlers ran, and may */
static char state_of_thread;

static void *save(void) {
    CHECK(held);
    held = 0;
    return &state_of_thread;
}
static void restore(void *given) {
    CHECK(!held && given == &state_of_thread);
    held = 1;
}
static int check(void) {
    CHECK(held);
    return ++asked > patience ? -1 : 0;
}

int main(void) {
    static float logits[N][T][C], loss[N], gradient[N][T][C];
    static int64_t targets[N][S], frames[N], labels[N];
    ctc_shim_python python;
    ctc_shim_call call;
    int64_t n, threads;
    python.save = (void *)save;
    python.restore = (void *)restore;
    python.check = (void *)check;
    for (n = 0; n < N; n++) {
        frames[n] = T;
        labels[n] = S;
        for (threads = 0; threads < S; threads++) targets[n][threads] = 1 + (n + threads) % (C - 1);
    }
    memset(&call, 0, sizeof call);
    call.logits = logits;
    call.N = N;
    call.T = T;
    call.C = C;
    call.S = S;
    call.logits_stride_n = call.gradient_stride_n = T * C * 4;
    call.logits_stride_t = call.gradient_stride_t = C * 4;
    call.logits_stride_c = 4;
    call.targets = targets;
    call.targets_stride_n = S * 8;
    call.targets_stride_s = call.input_lengths_stride = call.target_lengths_stride = 8;
    call.input_lengths = frames;
    call.target_lengths = labels;
    call.normalize = 1;
    call.loss = loss;
    call.gradient = gradient;
    call.python = &python;
    held = 1;
    for (threads = 1; threads <= 4; threads++) {
        call.threads = threads;
        for (patience = 0; patience < 4; patience++) {
            asked = 0;
            /* With more threads, the others may have done all before this one looks. */
            CHECK((ctc_shim_loss(&call) == CTC_SHIM_ERROR_SIGNAL) == (asked > patience));
            CHECK(held && asked <= patience + 1 && (asked > patience || threads > 1));
            CHECK(call.report[0] == (asked > patience ? CTC_SHIM_ERROR_SIGNAL : 0));
        }
        patience = 1 << 30;
        CHECK(ctc_shim_loss(&call) == 0 && held && loss[N - 1] > 0);
    }
    call.python = NULL;
    held = asked = 0;
    CHECK(ctc_shim_loss(&call) == 0 && !asked);
    return 0;
}
