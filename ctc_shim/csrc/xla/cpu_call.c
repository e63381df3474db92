/* The kernel of ctc.c as a handler of XLA's foreign function interface, for JAX on a CPU.
 *
 * Plain C11 against the header that comes with jaxlib (xla/ffi/api/c_api.h), built in a moment at first use. The kernel stays
 * in its own library: `ctc_shim_xla_entries` is given the addresses of its two entries once, before the handler is registered.
 *
 * Arguments: logits (N, T, C), targets (N, S), input_lengths (N,), target_lengths (N,) and, if wanted, upstream (N,); integers of
 * 32 or 64 bits. Results: loss (N,) and, if wanted, gradient (N, T, C). Attributes: blank (0 .. C - 1), normalize, infeasible
 * (0 or 1, see ctc.c) and time_major: then logits and gradient lie in memory as (T, N, C).
 *
 * Traced code cannot raise, so a row with a wrong label or length gets NaN here, where ctc.c refuses the batch.
 */
#include <math.h>
#include <stdlib.h>

#include "xla_ffi.h"

typedef int64_t ctc_shim_entry(const void *logits, int64_t stride_n, int64_t stride_t, int64_t stride_c, int64_t N, int64_t T, int64_t C,
                               const int64_t *targets, int64_t targets_stride_n, int64_t targets_stride_s, int64_t S,
                               const int64_t *input_lengths, int64_t input_lengths_stride, const int64_t *target_lengths,
                               int64_t target_lengths_stride, int64_t blank, int64_t normalize, int64_t infeasible, void *loss,
                               void *gradient, int64_t gradient_stride_n, int64_t gradient_stride_t, int64_t mode,
                               const void *upstream, int64_t upstream_stride, int64_t threads, int64_t *report);

static ctc_shim_entry *entry_f32, *entry_f64;

CTC_SHIM_EXPORT void ctc_shim_xla_entries(ctc_shim_entry *f32, ctc_shim_entry *f64) {
    entry_f32 = f32;
    entry_f64 = f64;
}

static int64_t integer(const XLA_FFI_Buffer *buffer, int64_t i) {
    return buffer->dtype == XLA_FFI_DataType_S64 ? ((const int64_t *)buffer->data)[i] : ((const int32_t *)buffer->data)[i];
}

static void poison(void *values, int64_t i, int64_t count, int wide) {
    int64_t stop = i + count;
    for (; i < stop; i++) {
        if (wide) ((double *)values)[i] = NAN;
        else ((float *)values)[i] = NAN;
    }
}

/* The integers of one row as int64; a wrong row becomes an empty one, which costs nothing. Returns whether it was wrong. */
static int take_row(const XLA_FFI_Buffer *const *in, int64_t n, int64_t blank, int64_t *targets, int64_t *frames, int64_t *labels) {
    const int64_t T = in[0]->dims[1], C = in[0]->dims[2], S = in[1]->dims[1];
    int64_t s;
    int wrong;
    *frames = integer(in[2], n);
    *labels = integer(in[3], n);
    wrong = *frames < 0 || *frames > T || *labels < 0 || *labels > S;
    for (s = 0; s < S; s++) {
        targets[s] = integer(in[1], n * S + s);
        wrong |= s < *labels && (targets[s] < 0 || targets[s] >= C || targets[s] == blank);
    }
    if (wrong) *frames = *labels = 0;
    return wrong;
}

CTC_SHIM_EXPORT XLA_FFI_Error *ctc_shim_xla(XLA_FFI_CallFrame *frame) {
    const XLA_FFI_Buffer *const *in, *const *out;
    int64_t N, T, C, S, n, t, item, stride_n, stride_t, blank, error, *targets, *frames, *labels, *wrong, report[4];
    void *gradient;
    int wide;
    if (is_question(frame)) return NULL;
    in = (const XLA_FFI_Buffer *const *)frame->args.args;
    out = (const XLA_FFI_Buffer *const *)frame->rets.rets;
    N = in[0]->dims[0];
    T = in[0]->dims[1];
    C = in[0]->dims[2];
    S = in[1]->dims[1];
    wide = in[0]->dtype == XLA_FFI_DataType_F64;
    item = wide ? 8 : 4;
    stride_n = (attribute(frame, "time_major") ? 1 : T) * C;
    stride_t = (attribute(frame, "time_major") ? N : 1) * C;
    blank = attribute(frame, "blank");
    gradient = frame->rets.size > 1 ? out[1]->data : NULL;
    targets = (int64_t *)malloc((size_t)(N * (S + 3) + 1) * sizeof(int64_t));
    if (!targets) return failure(frame, XLA_FFI_Error_Code_RESOURCE_EXHAUSTED, "CTC kernel: out of memory for its lengths");
    frames = targets + N * S;
    labels = frames + N;
    wrong = labels + N;
    for (n = 0; n < N; n++) wrong[n] = take_row(in, n, blank, targets + n * S, frames + n, labels + n);
    error = (wide ? entry_f64 : entry_f32)(
        in[0]->data, stride_n * item, stride_t * item, item, N, T, C, targets, S * 8, 8, S, frames, 8, labels, 8, blank,
        attribute(frame, "normalize"), attribute(frame, "infeasible"), out[0]->data, gradient, stride_n * item, stride_t * item, 0,
        frame->args.size > 4 ? in[4]->data : NULL, item, 0, report);
    for (n = 0; n < N && !error; n++) {
        if (!wrong[n]) continue;
        poison(out[0]->data, n, 1, wide);
        for (t = 0; gradient && t < T && t < integer(in[2], n); t++) poison(gradient, n * stride_n + t * stride_t, C, wide);
    }
    free(targets);
    if (!error) return NULL;
    return failure(frame, error == 6 ? XLA_FFI_Error_Code_RESOURCE_EXHAUSTED : XLA_FFI_Error_Code_INTERNAL,
                   error == 6 ? "CTC kernel: out of memory for its lattice" : "CTC kernel: a batch that was checked was refused");
}
