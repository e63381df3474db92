/* The kernel of ctc.cu as a handler of XLA's foreign function interface, for JAX on an NVIDIA GPU.
 *
 * Plain C11 against jaxlib's header, built at first use as ctc_xla.c is. The launcher stays in its own library, ctc_cuda.c:
 * `ctc_shim_xla_cuda_launcher` is given its address once, before the handler is registered.
 *
 * Arguments, results and attributes are those of ctc_xla.c, scores may be narrow, and a last result is working memory: bytes that
 * XLA allocates and that nobody reads.
 */
#include "xla_ffi.h"
#include "../cuda/cuda_batch.h"

typedef int ctc_shim_launcher(const ctc_batch *given, int cells, void *work, long long bytes, void *stream, char *message, long long room);

static ctc_shim_launcher *launcher;

CTC_SHIM_EXPORT void ctc_shim_xla_cuda_launcher(ctc_shim_launcher *address) { launcher = address; }

static XLA_FFI_Error *stream_of(XLA_FFI_CallFrame *frame, void **stream) {
    XLA_FFI_Stream_Get_Args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.struct_size = XLA_FFI_Stream_Get_Args_STRUCT_SIZE;
    arguments.ctx = frame->ctx;
#if defined(CTC_SHIM_STREAM) /* the tests run this on a host, which has no streams */
    *stream = (void *)CTC_SHIM_STREAM;
    return NULL;
#else
    XLA_FFI_Error *error = frame->api->XLA_FFI_Stream_Get(&arguments);
    *stream = arguments.stream;
    return error;
#endif
}

static int kind_of(const XLA_FFI_Buffer *scores) {
    switch (scores->dtype) {
        case XLA_FFI_DataType_F32: return CTC_F32;
        case XLA_FFI_DataType_F64: return CTC_F64;
        case XLA_FFI_DataType_BF16: return CTC_BF16;
        case XLA_FFI_DataType_F16: return CTC_F16;
        default: return -1;
    }
}

CTC_SHIM_EXPORT XLA_FFI_Error *ctc_shim_xla_cuda(XLA_FFI_CallFrame *frame) {
    const XLA_FFI_Buffer *const *in, *const *out, *work;
    XLA_FFI_Error *error;
    ctc_batch b;
    char message[512];
    void *stream;
    int i, code, time_major;
    if (is_question(frame)) return NULL;
    in = (const XLA_FFI_Buffer *const *)frame->args.args;
    out = (const XLA_FFI_Buffer *const *)frame->rets.rets;
    work = out[frame->rets.size - 1];
    error = stream_of(frame, &stream);
    if (error) return error;
    time_major = attribute(frame, "time_major") != 0;
    memset(&b, 0, sizeof b);
    b.logits = in[0]->data;
    b.targets = in[1]->data;
    b.input_lengths = in[2]->data;
    b.target_lengths = in[3]->data;
    b.upstream = frame->args.size > 4 ? in[4]->data : NULL;
    b.loss = out[0]->data;
    b.gradient = frame->rets.size > 2 ? out[1]->data : NULL;
    b.N = in[0]->dims[0];
    b.T = in[0]->dims[1];
    b.C = in[0]->dims[2];
    b.S = in[1]->dims[1];
    b.stride_n = (time_major ? 1 : b.T) * b.C;
    b.stride_t = (time_major ? b.N : 1) * b.C;
    b.blank = (int)attribute(frame, "blank");
    b.normalize = attribute(frame, "normalize") != 0;
    b.zero = attribute(frame, "infeasible") != 0;
    for (i = 0; i < 3; i++) b.wide |= (in[i + 1]->dtype == XLA_FFI_DataType_S64) << i;
    b.kind = kind_of(in[0]);
    if (b.kind < 0) return failure(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, "CTC kernel: scores of a dtype that it does not take");
    code = launcher(&b, 0, work->data, work->dims[0], stream, message, sizeof message);
    if (!code) return NULL;
    return failure(frame, code == 2 ? XLA_FFI_Error_Code_RESOURCE_EXHAUSTED : XLA_FFI_Error_Code_INTERNAL, message);
}
