/* The kernel for NVIDIA GPUs as a handler of XLA's foreign function interface, for JAX.
 *
 * C11 against the header that comes with jaxlib, built at first use. The launcher stays in its own
 * library (cuda/launcher.c): ctc_shim_xla_cuda_launcher is given its address once, before the
 * handler is registered.
 *
 * Arguments, results and attributes are those of cpu_call.c. Scores may be narrow, and the last
 * result is working memory: bytes that XLA allocates and nobody reads. */
#include "../identity.h"
#include "xla_ffi.h"

typedef int64_t ctc_shim_launcher(const ctc_shim_call *call, int64_t cells, void *work,
                                  int64_t bytes, void *stream, char *message, int64_t room);

enum { CUDA_OUT_OF_MEMORY = 2 }; /* CUDA_ERROR_OUT_OF_MEMORY of the driver */

static ctc_shim_launcher *launcher;

CTC_SHIM_EXPORT void ctc_shim_xla_cuda_launcher(ctc_shim_launcher *address) { launcher = address; }

static XLA_FFI_Error *stream_of(XLA_FFI_CallFrame *frame, void **stream) {
    XLA_FFI_Stream_Get_Args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.struct_size = XLA_FFI_Stream_Get_Args_STRUCT_SIZE;
    arguments.ctx = frame->ctx;
#if defined(CTC_SHIM_STREAM) /* tests run this on a CPU, which has no streams */
    *stream = (void *)CTC_SHIM_STREAM;
    return NULL;
#else
    XLA_FFI_Error *error = frame->api->XLA_FFI_Stream_Get(&arguments);
    *stream = arguments.stream;
    return error;
#endif
}

/* Sets the element type of a buffer. Returns the bytes of an element, or 0 for other types. */
static int64_t type_of(const XLA_FFI_Buffer *buffer, int64_t *type) {
    switch (buffer->dtype) {
        case XLA_FFI_DataType_F32: *type = CTC_SHIM_TYPE_F32; return 4;
        case XLA_FFI_DataType_F64: *type = CTC_SHIM_TYPE_F64; return 8;
        case XLA_FFI_DataType_BF16: *type = CTC_SHIM_TYPE_BF16; return 2;
        case XLA_FFI_DataType_F16: *type = CTC_SHIM_TYPE_F16; return 2;
        default: return 0;
    }
}

static int64_t integer_size(const XLA_FFI_Buffer *buffer) {
    return buffer->dtype == XLA_FFI_DataType_S64 ? 8 : 4;
}

static ctc_shim_call call_of(const XLA_FFI_CallFrame *frame) {
    const XLA_FFI_Buffer *const *in = (const XLA_FFI_Buffer *const *)frame->args.args;
    const XLA_FFI_Buffer *const *out = (const XLA_FFI_Buffer *const *)frame->rets.rets;
    const int time_major = attribute(frame, "time_major") != 0;
    ctc_shim_call call;
    memset(&call, 0, sizeof call);
    call.logits_stride_c = type_of(in[0], &call.type);
    call.logits = in[0]->data;
    call.N = in[0]->dims[0];
    call.T = in[0]->dims[1];
    call.C = in[0]->dims[2];
    call.S = in[1]->dims[1];
    call.logits_stride_n = (time_major ? 1 : call.T) * call.C * call.logits_stride_c;
    call.logits_stride_t = (time_major ? call.N : 1) * call.C * call.logits_stride_c;
    call.targets = in[1]->data;
    call.targets_stride_s = integer_size(in[1]);
    call.targets_stride_n = call.S * call.targets_stride_s;
    call.input_lengths = in[2]->data;
    call.input_lengths_stride = integer_size(in[2]);
    call.target_lengths = in[3]->data;
    call.target_lengths_stride = integer_size(in[3]);
    call.blank = attribute(frame, "blank");
    call.normalize = attribute(frame, "normalize");
    call.policy = attribute(frame, "infeasible") ? CTC_SHIM_POLICY_ZERO : CTC_SHIM_POLICY_INF;
    call.upstream = frame->args.size > 4 ? in[4]->data : NULL;
    call.upstream_stride = call.type == CTC_SHIM_TYPE_F64 ? 8 : 4;
    call.loss = out[0]->data;
    call.gradient = frame->rets.size > 2 ? out[1]->data : NULL;
    return call;
}

CTC_SHIM_EXPORT XLA_FFI_Error *ctc_shim_xla_cuda(XLA_FFI_CallFrame *frame) {
    const XLA_FFI_Buffer *work;
    XLA_FFI_Error *error;
    ctc_shim_call call;
    char message[512];
    void *stream;
    int64_t code;
    if (is_question(frame)) return NULL;
    work = ((const XLA_FFI_Buffer *const *)frame->rets.rets)[frame->rets.size - 1];
    error = stream_of(frame, &stream);
    if (error) return error;
    call = call_of(frame);
    if (!call.logits_stride_c)
        return failure(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT,
                       "CTC kernel: it does not take scores of this dtype");
    code = launcher(&call, 0, work->data, work->dims[0], stream, message, sizeof message);
    if (!code) return NULL;
    return failure(frame,
                   code == CUDA_OUT_OF_MEMORY ? XLA_FFI_Error_Code_RESOURCE_EXHAUSTED
                                              : XLA_FFI_Error_Code_INTERNAL,
                   message);
}
