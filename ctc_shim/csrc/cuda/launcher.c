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
#include "cuda_batch.h"

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
static void *prepare, *rows[CTC_KINDS];
static void *chain[CTC_CHOICES]; /* choice c has 2^c cells in a lane */

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

static int find_all(void *library, char *message, long long room) {
    char name[64];
    int kind, choice, error = find(library, "ctc_shim_prepare", &prepare, message, room);
    for (kind = 0; kind < CTC_KINDS && !error; kind++) {
        snprintf(name, sizeof name, "ctc_shim_rows_%s", kind_names[kind]);
        error = find(library, name, &rows[kind], message, room);
    }
    for (choice = 0; choice < CTC_CHOICES && !error; choice++) {
        snprintf(name, sizeof name, "ctc_shim_chain_%d", 1 << choice);
        error = find(library, name, &chain[choice], message, room);
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

static int choice_for(long long S) {
    int choice = 0;
    while (choice + 1 < CTC_CHOICES && S >= (long long)CTC_LANES << choice) choice++;
    return choice;
}

/* Divides the working memory of a batch. Returns its size in bytes. */
static long long lay_out(ctc_batch *b, int choice, char *work) {
    long long lanes = (long long)CTC_LANES << choice, strips = b->S / lanes + 1;
    long long kept = strips * (b->T / CTC_BLOCK + 1) + CTC_BLOCK + 1;
    char *at = work;
    b->statistics = (double *)at, at += b->N * b->T * 2 * 8;
    b->cells = (double *)at, at += b->N * kept * 4 * lanes * 8;
    b->borders = (double *)at, at += strips > 1 ? b->N * strips * b->T * 6 * 8 : 0;
    b->classes = (unsigned long long *)at, at += b->N * b->C * 8;
    b->labels = (int *)at, at += b->N * b->S * 4;
    b->frames = (int *)at, at += b->N * 4;
    b->counts = (int *)at, at += b->N * 4;
    b->verdict = (int *)at, at += b->N * 4;
    return at - work;
}

static int launch(void *kernel, const char *name, long long warps, int warps_in_a_block,
                  ctc_batch *b, void *stream, char *message, long long room) {
    void *parameters[1];
    char call[64];
    long long blocks = (warps + warps_in_a_block - 1) / warps_in_a_block;
    parameters[0] = b;
    snprintf(call, sizeof call, "cuLaunchKernel(%s)", name);
    if (blocks > 0x7fffffff) {
        snprintf(message, (size_t)room,
                 "CTC kernel: a batch of %lld frames is too large for one launch", warps);
        return -1;
    }
    return said(call,
                cuda.launch(kernel, (unsigned)blocks, 1, 1, 32 * (unsigned)warps_in_a_block, 1, 1,
                            0, stream, parameters, NULL),
                message, room);
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
    b.zero = call->policy == CTC_SHIM_POLICY_ZERO;
    b.wide = (call->targets_stride_s == 8) | (call->input_lengths_stride == 8) << 1 |
             (call->target_lengths_stride == 8) << 2;
    return b;
}

/* Starts loss and gradient of a batch on a stream. Returns 0, or -1 or the driver's code with text
 * in `message`.
 *
 * call: see ctc_shim.h, arrays on the device. cells: in a lane, 1, 2, 4 or 8, or 0 for the least
 * that hold S labels. work: `bytes` of device memory, aligned to 8 bytes;
 * native.gpu_kernel.working_memory says how many. */
CTC_SHIM_EXPORT int64_t ctc_shim_cuda_launch(const ctc_shim_call *call, int64_t cells, void *work,
                                             int64_t bytes, void *stream, char *message,
                                             int64_t room) {
    ctc_batch b = batch_of(call);
    int error, choice = choice_for(b.S);
    long long needed;
    if (b.N == 0) return 0;
    for (choice = cells ? 0 : choice; cells >> choice > 1;) choice++;
    needed = lay_out(&b, choice, (char *)work);
    if (bytes < needed) {
        snprintf(message, (size_t)room,
                 "CTC kernel: working memory of %lld bytes is needed, got %lld", needed,
                 (long long)bytes);
        return -1;
    }
    error = launch(prepare, "prepare", b.N, 4, &b, stream, message, room);
    if (!error && b.T)
        error = launch(rows[b.kind], "rows", b.N * b.T, 4, &b, stream, message, room);
    return error ? error : launch(chain[choice], "chain", b.N, 1, &b, stream, message, room);
}
