/* Launches the kernels of loss.cu from their PTX text, through the CUDA driver.
 *
 * The driver is opened by its name, so the build needs no CUDA toolkit, no header of CUDA and no
 * GPU. The driver must have cuLibraryLoadData, as all do from CUDA 12.0 on: kernels loaded by it
 * serve every device. The caller brings device memory and a stream; nothing here allocates, copies
 * or waits. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "../identity.h"
#include "memory.h"

enum { CTC_KINDS = 4 };

/* The kernels' own names of the element types are those of the interface. */
enum {
    CTC_SAME_TYPES = CTC_F32 == (int)CTC_SHIM_TYPE_F32 && CTC_F64 == (int)CTC_SHIM_TYPE_F64 &&
    CTC_BF16 == (int)CTC_SHIM_TYPE_BF16 && CTC_F16 == (int)CTC_SHIM_TYPE_F16
};
typedef char ctc_same_types[CTC_SAME_TYPES ? 1 : -1];

static const char *const kind_names[CTC_KINDS] = {"f32", "f64", "bf16", "f16"};

static struct {
    int (*init)(unsigned);
    int (*load)(void **, const void *, void *, void **, unsigned, void *, void **, unsigned);
    int (*find)(void **, void *, const char *);
    int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                  void *, void **, void **);
    int (*name)(int, const char **);
    int (*words)(int, const char **);
} cuda;
enum { CTC_SIZES = 4 };
static const int classes[CTC_SIZES] = {32, 64, 128, 0}; /* of `rows`; 0: any number */
static const int widths[CTC_SIZES] = {8, 8, 16, 0};     /* threads of a frame; 0: a block */
static void *prepare, *rows[CTC_KINDS][CTC_SIZES], *posterior[CTC_KINDS][2];
static void *first_half[2], *second_half[2]; /* of `chain`, with rounds of 8 frames or 16 */
static void *careful_rows[CTC_KINDS], *careful[CTC_CHOICES]; /* choice c: 2^c cells in a lane */
static void *scale[CTC_KINDS];

/* Writes the error of a call of the driver, if it failed. Returns its code. */
static int said(const char *call, int code, char *message, long long room) {
    const char *name = NULL, *words = NULL;
    if (!code) return 0;
    cuda.name(code, &name);
    cuda.words(code, &words);
    snprintf(message, (size_t)room, "CTC kernel: %s gave %s (%d)%s%s", call,
             name ? name : "a CUDA error", code, words ? ": " : "", words ? words : "");
    return code;
}

static int find(void *library, const char *name, void **kernel, char *message, long long room) {
    char call[96];
    snprintf(call, sizeof call, "cuLibraryGetKernel(%s)", name);
    return said(call, cuda.find(kernel, library, name), message, room);
}

static int find_all_of(void *library, int kind, char *message, long long room) {
    char name[64];
    int size, error;
    snprintf(name, sizeof name, "ctc_shim_careful_rows_%s", kind_names[kind]);
    error = find(library, name, &careful_rows[kind], message, room);
    snprintf(name, sizeof name, "ctc_shim_scale_%s", kind_names[kind]);
    if (!error) error = find(library, name, &scale[kind], message, room);
    if (kind == CTC_F64) return error;
    for (size = 0; size < CTC_SIZES && !error; size++) {
        snprintf(name, sizeof name, "ctc_shim_rows_%s_%d", kind_names[kind], classes[size]);
        error = find(library, name, &rows[kind][size], message, room);
    }
    for (size = 0; size < 2 && !error; size++) {
        snprintf(name, sizeof name, "ctc_shim_posterior_%s_%d", kind_names[kind], size ? 32 : 8);
        error = find(library, name, &posterior[kind][size], message, room);
    }
    return error;
}

static int find_all(void *library, char *message, long long room) {
    char name[64];
    int kind, choice, error = find(library, "ctc_shim_prepare", &prepare, message, room);
    for (choice = 0; choice < 2 && !error; choice++) {
        snprintf(name, sizeof name, "ctc_shim_chain_first_%d", choice ? 16 : 8);
        error = find(library, name, &first_half[choice], message, room);
        snprintf(name, sizeof name, "ctc_shim_chain_second_%d", choice ? 16 : 8);
        if (!error) error = find(library, name, &second_half[choice], message, room);
    }
    for (kind = 0; kind < CTC_KINDS && !error; kind++)
        error = find_all_of(library, kind, message, room);
    for (choice = 0; choice < CTC_CHOICES && !error; choice++) {
        snprintf(name, sizeof name, "ctc_shim_careful_%d", 1 << choice);
        error = find(library, name, &careful[choice], message, room);
    }
    return error;
}

/* Opens a driver and gives it the PTX text. Returns 0, or -1 or the driver's code with text in
 * `message`. Not for two threads at once. */
CTC_SHIM_EXPORT int64_t ctc_shim_cuda_open(const char *driver, const char *ptx, char *message,
                                           int64_t room) {
    static const char *const names[] = {"cuInit",         "cuLibraryLoadData", "cuLibraryGetKernel",
                                        "cuLaunchKernel", "cuGetErrorName",    "cuGetErrorString"};
    void **const places[] = {(void **)&cuda.init,   (void **)&cuda.load, (void **)&cuda.find,
                             (void **)&cuda.launch, (void **)&cuda.name, (void **)&cuda.words};
    void *opened = dlopen(driver, RTLD_NOW | RTLD_LOCAL), *library = NULL;
    int i, error;
    if (!opened) {
        snprintf(message, (size_t)room, "no CUDA driver: %s", dlerror());
        return -1;
    }
    for (i = 0; i < 6; i++) {
        *places[i] = dlsym(opened, names[i]);
        if (!*places[i]) {
            snprintf(message, (size_t)room,
                     "%s has no %s: a driver of CUDA 12.0 or newer is needed", driver, names[i]);
            return -1;
        }
    }
    error = said("cuInit", cuda.init(0), message, room);
    if (!error)
        error = said("cuLibraryLoadData", cuda.load(&library, ptx, NULL, NULL, 0, NULL, NULL, 0),
                     message, room);
    return error ? error : find_all(library, message, room);
}

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
