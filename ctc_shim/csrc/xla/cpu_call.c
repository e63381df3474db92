/* The kernel for CPUs as a handler of XLA's foreign function interface, for JAX.
 *
 * C11 against the header that comes with jaxlib (xla/ffi/api/c_api.h), built at first use. The
 * kernel stays in its own library: ctc_shim_xla_entry is given the address of its entry once,
 * before the handler is registered.
 *
 * Arguments: logits (N, T, C), targets (N, S), input_lengths (N,), target_lengths (N,), and, if
 * wanted, upstream (N,); integers of 32 or 64 bits. Results: loss (N,), and, if wanted, gradient
 * (N, T, C). Attributes: blank (0 .. C - 1), normalize, infeasible (0: "inf", 1: "zero"),
 * time_major (logits and gradient lie in memory as (T, N, C)).
 *
 * Traced code cannot raise. So a row with a wrong label or length gets NaN, where the kernel would
 * refuse the batch. */
#include <math.h>
#include <stdlib.h>

#include "../identity.h"
#include "xla_ffi.h"

typedef int64_t ctc_shim_entry(ctc_shim_call *call);

static ctc_shim_entry *entry;

CTC_SHIM_EXPORT void ctc_shim_xla_entry(ctc_shim_entry *address) { entry = address; }

static int64_t integer(const XLA_FFI_Buffer *buffer, int64_t i) {
    return buffer->dtype == XLA_FFI_DataType_S64 ? ((const int64_t *)buffer->data)[i]
                                                 : ((const int32_t *)buffer->data)[i];
}

static void poison(void *values, int64_t i, int64_t count, int wide) {
    int64_t stop = i + count;
    for (; i < stop; i++) {
        if (wide) ((double *)values)[i] = NAN;
        else ((float *)values)[i] = NAN;
    }
}

/* The integers of one row as int64. Returns whether one is wrong; the row is then made empty. */
static int take_row(const XLA_FFI_Buffer *const *in, int64_t n, int64_t blank, int64_t *targets,
                    int64_t *frames, int64_t *labels) {
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

/* The call of a batch, whose integers will be at `targets`: (N, S) targets, (N,) input lengths and
 * (N,) target lengths. */
static ctc_shim_call call_of(const XLA_FFI_CallFrame *frame, int64_t *targets) {
    const XLA_FFI_Buffer *const *in = (const XLA_FFI_Buffer *const *)frame->args.args;
    const XLA_FFI_Buffer *const *out = (const XLA_FFI_Buffer *const *)frame->rets.rets;
    const int64_t item = in[0]->dtype == XLA_FFI_DataType_F64 ? 8 : 4;
    const int time_major = attribute(frame, "time_major") != 0;
    ctc_shim_call call;
    memset(&call, 0, sizeof call);
    call.type = item == 8 ? CTC_SHIM_TYPE_F64 : CTC_SHIM_TYPE_F32;
    call.logits = in[0]->data;
    call.N = in[0]->dims[0];
    call.T = in[0]->dims[1];
    call.C = in[0]->dims[2];
    call.S = in[1]->dims[1];
    call.logits_stride_n = call.gradient_stride_n = (time_major ? 1 : call.T) * call.C * item;
    call.logits_stride_t = call.gradient_stride_t = (time_major ? call.N : 1) * call.C * item;
    call.logits_stride_c = item;
    call.targets = targets;
    call.targets_stride_n = call.S * 8;
    call.input_lengths = targets + call.N * call.S;
    call.target_lengths = targets + call.N * (call.S + 1);
    call.targets_stride_s = call.input_lengths_stride = call.target_lengths_stride = 8;
    call.blank = attribute(frame, "blank");
    call.normalize = attribute(frame, "normalize");
    call.policy = attribute(frame, "infeasible") ? CTC_SHIM_POLICY_ZERO : CTC_SHIM_POLICY_INF;
    call.loss = out[0]->data;
    call.gradient = frame->rets.size > 1 ? out[1]->data : NULL;
    call.upstream = frame->args.size > 4 ? in[4]->data : NULL;
    call.upstream_stride = item;
    return call;
}

/* NaN in the rows with a wrong integer. */
static void poison_rows(const ctc_shim_call *call, const XLA_FFI_Buffer *lengths,
                        const int64_t *wrong) {
    const int wide = call->type == CTC_SHIM_TYPE_F64;
    const int64_t item = call->logits_stride_c;
    int64_t n, t;
    for (n = 0; n < call->N; n++) {
        if (!wrong[n]) continue;
        poison(call->loss, n, 1, wide);
        for (t = 0; call->gradient && t < call->T && t < integer(lengths, n); t++)
            poison(call->gradient,
                   (n * call->gradient_stride_n + t * call->gradient_stride_t) / item, call->C,
                   wide);
    }
}

CTC_SHIM_EXPORT XLA_FFI_Error *ctc_shim_xla(XLA_FFI_CallFrame *frame) {
    const XLA_FFI_Buffer *const *in;
    int64_t N, S, n, error, *targets, *frames, *labels, *wrong;
    ctc_shim_call call;
    if (is_question(frame)) return NULL;
    in = (const XLA_FFI_Buffer *const *)frame->args.args;
    N = in[0]->dims[0];
    S = in[1]->dims[1];
    targets = (int64_t *)malloc((size_t)(N * (S + 3) + 1) * sizeof(int64_t));
    if (!targets)
        return failure(frame, XLA_FFI_Error_Code_RESOURCE_EXHAUSTED,
                       "CTC kernel: out of memory for its lengths");
    frames = targets + N * S;
    labels = frames + N;
    wrong = labels + N;
    call = call_of(frame, targets);
    for (n = 0; n < N; n++)
        wrong[n] = take_row(in, n, call.blank, targets + n * S, frames + n, labels + n);
    error = entry(&call);
    if (!error) poison_rows(&call, in[2], wrong);
    free(targets);
    if (!error) return NULL;
    if (error == CTC_SHIM_ERROR_MEMORY)
        return failure(frame, XLA_FFI_Error_Code_RESOURCE_EXHAUSTED,
                       "CTC kernel: out of memory for its lattice");
    return failure(frame, XLA_FFI_Error_Code_INTERNAL,
                   "CTC kernel: refused a batch that was checked before");
}
