/* The CUDA driver, opened by its name, and the kernels of loss.cu, from their PTX text.
 *
 * So the build needs no CUDA toolkit, no header of CUDA and no GPU. The driver must have
 * cuLibraryLoadData, as all do from CUDA 12.0 on: kernels loaded by it serve every device. */
#ifndef CTC_CUDA_DRIVER_H
#define CTC_CUDA_DRIVER_H
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../export.h"
#include "cuda_batch.h"

enum { CTC_KINDS = 4 };

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
#endif
