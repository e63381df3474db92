// A CUDA driver for the tests: the calls that launcher.c makes, on host memory, with emulated
// warps. It refuses what a real driver would refuse, and what would go wrong there without an
// error: a wrong grid, a parameter of another size.
#include "emulated.cpp"

#include <map>

enum {
    OUT_OF_MEMORY = 2,
    INVALID_VALUE = 1,
    INVALID_PTX = 218,
    NOT_FOUND = 500,
    LAUNCH_FAILED = 719
};

static std::string text, failing;
static std::map<std::string, std::string>
    kernels; // by name, so that an address stands for a kernel
static int failure, launches;
static void *last_stream;

static int maybe(const char *call) { return failing == call ? failure : 0; }

extern "C" {
// For the tests: make the next calls of a name fail, set the order of atomic additions, ask what
// happened.
void fake_fail(const char *call, int code) { failing = call, failure = code; }
void fake_order(int order) { backwards = order; }
int fake_launches() { return launches; }
void *fake_stream() { return last_stream; }

int cuInit(unsigned flags) { return flags ? INVALID_VALUE : maybe("cuInit"); }

int cuLibraryLoadData(void **library, const void *code, void *, void **, unsigned options, void *,
                      void **, unsigned more) {
    text = (const char *)code; // null-terminated
    if (options || more) return INVALID_VALUE;
    if (text.find(".version ") == std::string::npos ||
        text.find(".target sm_") == std::string::npos)
        return INVALID_PTX;
    *library = &text;
    return maybe("cuLibraryLoadData");
}

int cuLibraryGetKernel(void **kernel, void *library, const char *name) {
    std::string entry = std::string(".entry ") + name + "(\n",
                wanted = "param_0[" + std::to_string(sizeof(ctc_batch)) + "]\n)";
    size_t start = text.find(entry);
    if (library != &text || start == std::string::npos ||
        std::string(name).compare(0, 9, "ctc_shim_"))
        return NOT_FOUND;
    if (text.substr(start, text.find(')', start) + 1 - start).find(wanted) == std::string::npos)
        return INVALID_VALUE;
    kernels[name] = name + 9;
    *kernel = &kernels[name];
    return maybe("cuLibraryGetKernel");
}

int cuLaunchKernel(void *kernel, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned ty,
                   unsigned tz, unsigned shared, void *stream, void **parameters, void **extra) {
    const std::string &name = *(std::string *)kernel;
    ctc_batch b;
    if (maybe("cuLaunchKernel")) return failure;
    memcpy(&b, parameters[0], sizeof b);
    long long warps = (long long)x * (threads / 32),
              wanted = name.compare(0, 4, "rows") ? b.N : b.N * b.T;
    bool one_a_block = !name.compare(0, 5, "chain");
    if (y != 1 || z != 1 || ty != 1 || tz != 1 || shared || extra || x < 1 || threads % 32 ||
        threads > 1024)
        return INVALID_VALUE;
    if (one_a_block ? threads != 32 || x != b.N : warps < wanted || warps - wanted >= threads / 32)
        return INVALID_VALUE;
    launches++;
    last_stream = stream;
    return launch(b, name) ? 0 : LAUNCH_FAILED;
}

int cuGetErrorName(int code, const char **name) {
    *name = code == OUT_OF_MEMORY   ? "CUDA_ERROR_OUT_OF_MEMORY"
            : code == INVALID_PTX   ? "CUDA_ERROR_INVALID_PTX"
            : code == NOT_FOUND     ? "CUDA_ERROR_NOT_FOUND"
            : code == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE"
                                    : nullptr;
    return *name ? 0 : INVALID_VALUE;
}

int cuGetErrorString(int code, const char **words) {
    *words = code == OUT_OF_MEMORY ? "out of memory"
             : code == INVALID_PTX ? "a PTX JIT compilation failed"
                                   : nullptr;
    return *words ? 0 : INVALID_VALUE;
}
}
#include "fake_memory.h"
