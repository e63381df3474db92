/* Launches the kernels of loss.cu on a stream, through the CUDA driver. driver.h opens it.
 *
 * The caller brings device memory and a stream; nothing here allocates, copies or waits. */
#include "../identity.h"
#include "driver.h"
#include "memory.h"

/* The kernels' own names of the element types are those of the interface. */
enum {
    CTC_SAME_TYPES = CTC_F32 == (int)CTC_SHIM_TYPE_F32 && CTC_F64 == (int)CTC_SHIM_TYPE_F64 &&
    CTC_BF16 == (int)CTC_SHIM_TYPE_BF16 && CTC_F16 == (int)CTC_SHIM_TYPE_F16
};
typedef char ctc_same_types[CTC_SAME_TYPES ? 1 : -1];

typedef struct {
    ctc_batch *batch;
    void *stream;
    char *message;
    long long room;
} ctc_launch;

/* x by y blocks of width by height threads. */
static int launch(const ctc_launch *to, void *kernel, const char *name, long long x, long long y,
                  int width, int height) {
    void *parameters[1];
    char call[64];
    parameters[0] = to->batch;
    snprintf(call, sizeof call, "cuLaunchKernel(%s)", name);
    return said(call,
                cuda.launch(kernel, (unsigned)x, (unsigned)y, 1, (unsigned)width, (unsigned)height,
                            1, 0, to->stream, parameters, NULL),
                to->message, to->room);
}

/* Blocks that go over T frames of N sequences, `frames` at a time. Where there are enough to keep a
 * GPU busy, each goes on to the next ones: what all frames share is read once. */
static long long over_frames(long long N, long long T, int frames) {
    const long long turns = N * T < 1 << 15 ? 1 : 4, step = turns * frames;
    const long long blocks = (T + step - 1) / step;
    return blocks < 65535 ? blocks : 65535;
}

/* Which kernel of `rows` has that many classes. */
static int size_for(long long C) {
    int size = 0;
    while (classes[size] && C > classes[size]) size++;
    return size;
}

/* A kernel that goes over all classes of all frames. */
static int launch_over_rows(const ctc_launch *to, void *kernel, const char *name) {
    const ctc_batch *b = to->batch;
    const long long warps = (b->C + 511) / 512;
    const int size = size_for(b->C);
    int width = 32 * (int)(warps > CTC_ROW_WARPS ? CTC_ROW_WARPS : warps), frames = 1;
    if (classes[size]) {
        width = widths[size];
        frames = 32 * CTC_FRAMES / width;
    }
    return launch(to, kernel, name, b->N, over_frames(b->N, b->T, frames), width, frames);
}

static int launch_chain(const ctc_launch *to) {
    const ctc_batch *b = to->batch;
    const int few = b->S + 2 <= CTC_MOST_PLACES(CTC_ROUND),
              round = few ? CTC_ROUND : CTC_SHORT_ROUND, own = CTC_LANES * CTC_K - round,
              warps = (int)((b->S + 2 - round + own - 1) / own),
              width = CTC_LANES * (warps > 1 ? warps : 1);
    const int error = launch(to, first_half[few], "chain_first", 2 * b->N, 1, width, 1);
    return error ? error
                 : launch(to, second_half[few], "chain_second", (b->gradient ? 3 : 1) * b->N, 1,
                          width, 1);
}

static int launch_posterior(const ctc_launch *to) {
    const ctc_batch *b = to->batch;
    const int is_long = b->S > CTC_SHORT, width = is_long ? 32 : 8,
              frames = 32 * CTC_FRAMES / width;
    return launch(to, posterior[b->kind][is_long], "posterior", b->N,
                  over_frames(b->N, b->T, frames), width, frames);
}

static int launch_fast(const ctc_launch *to) {
    const ctc_batch *b = to->batch;
    int error = b->T ? launch_over_rows(to, rows[b->kind][size_for(b->C)], "rows") : 0;
    if (!error) error = launch_chain(to);
    return error || !b->gradient || !b->T ? error : launch_posterior(to);
}

/* Its blocks leave at once where no sequence needs it. */
static int launch_careful(const ctc_launch *to, int choice) {
    const ctc_batch *b = to->batch;
    int error = 0;
    if (b->T)
        error = launch(to, careful_rows[b->kind], "careful_rows", b->N,
                       b->careful ? over_frames(b->N, b->T, CTC_FRAMES) : 1, 32 * CTC_FRAMES, 1);
    return error ? error : launch(to, careful[choice], "careful", b->N, 1, CTC_LANES, 1);
}

static int launch_all(const ctc_launch *to, int choice) {
    int error = launch(to, prepare, "prepare", (to->batch->N + 3) / 4, 1, 4 * CTC_LANES, 1);
    if (!error && !to->batch->careful) error = launch_fast(to);
    return error ? error : launch_careful(to, choice);
}

/* A batch as the kernels take it, with the working memory still to be placed. */
static ctc_batch batch_of(const ctc_shim_call *call) {
    const long long item = call->logits_stride_c;
    ctc_batch b;
    memset(&b, 0, sizeof b);
    b.kind = (int)call->type;
    b.logits = call->logits;
    b.targets = call->targets;
    b.input_lengths = call->input_lengths;
    b.target_lengths = call->target_lengths;
    b.upstream = call->upstream;
    b.loss = call->loss;
    b.gradient = call->gradient;
    b.N = call->N;
    b.T = call->T;
    b.C = call->C;
    b.S = call->S;
    b.stride_n = call->logits_stride_n / item;
    b.stride_t = call->logits_stride_t / item;
    b.blank = (int)call->blank;
    b.normalize = call->normalize != 0;
    b.upstream_stride = call->upstream_stride / (b.kind == CTC_F64 ? 8 : 4);
    b.adds = call->mode == CTC_SHIM_MODE_PYTORCH && !b.normalize;
    b.zero = call->policy == CTC_SHIM_POLICY_ZERO;
    b.wide = (call->targets_stride_s == 8) | (call->input_lengths_stride == 8) << 1 |
             (call->target_lengths_stride == 8) << 2;
    return b;
}

/* Starts loss and gradient of a batch on a stream. Returns 0, or -1 or the driver's code with text
 * in `message`.
 *
 * call: see ctc_shim.h, arrays on the device. cells: in a lane of the careful path, 1, 2, 4 or 8,
 * which then computes all sequences; or 0: the fast path, and the least that hold S labels. work:
 * `bytes` of device memory, aligned to 16 bytes; native.gpu_kernel.working_memory says how many.
 * Where they are few, the fast path computes some sequences after others. */
CTC_SHIM_EXPORT int64_t ctc_shim_cuda_launch(const ctc_shim_call *call, int64_t cells, void *work,
                                             int64_t bytes, void *stream, char *message,
                                             int64_t room) {
    ctc_batch b = batch_of(call), part;
    const ctc_launch to = {&part, stream, message, room};
    const int most = 0x3fffffff;
    int error = 0, choice = choice_for(b.S);
    long long count, from, needed;
    if (b.N == 0) return 0;
    if (b.N > most || b.T > most || b.C > most || b.S > most) {
        snprintf(message, (size_t)room, "CTC kernel: a batch of this size is too large");
        return -1;
    }
    for (choice = cells ? 0 : choice; cells >> choice > 1;) choice++;
    count = cells ? 0 : at_a_time(&b, choice, bytes);
    b.careful = count == 0;
    count = count ? count : b.N;
    for (from = 0; from < b.N && !error; from += count) {
        part = part_of(&b, from, count < b.N - from ? count : b.N - from);
        needed = lay_out(&part, choice, (char *)work);
        if (bytes < needed) {
            snprintf(message, (size_t)room,
                     "CTC kernel: working memory of %lld bytes is needed, got %lld", needed,
                     (long long)bytes);
            return -1;
        }
        error = launch_all(&to, choice);
    }
    return error;
}

/* Starts the product of an array and `upstream` on a stream. Returns as ctc_shim_cuda_launch.
 *
 * call: its logits are the array, and its gradient is the result, which may be the same. */
CTC_SHIM_EXPORT int64_t ctc_shim_cuda_scale(const ctc_shim_call *call, void *stream, char *message,
                                            int64_t room) {
    ctc_batch b = batch_of(call);
    const ctc_launch to = {&b, stream, message, room};
    if (!b.N || !b.T || !b.C) return 0;
    return launch_over_rows(&to, scale[b.kind], "scale");
}
