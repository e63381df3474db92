// A CUDA driver for the tests: the calls that launcher.c makes, on host memory, with emulated
// threads. It refuses what a real driver would refuse, and what would go wrong there without an
// error: a wrong grid, a parameter of another size.
#include "kernels.h"

#include <mutex>

enum { OUT_OF_MEMORY = 2, INVALID_VALUE = 1, INVALID_PTX = 218, NOT_FOUND = 500, CAPTURING = 900 };

static std::string text, failing;
static int failure, launches;
static std::vector<int> flags; // of the sequences that `careful` was given since the last question
static void *last_stream;

// While a stream is captured, launches on it are noted, not run, and no other call is allowed.
static bool capturing;
static void *captured;
static std::vector<std::function<void()>> graph;

static int maybe(const char *call) {
    if (capturing && strcmp(call, "cuLaunchKernel")) return CAPTURING;
    return failing == call ? failure : 0;
}

extern "C" {
// For the tests: make the next calls of a name fail, set the order of atomic additions, ask what
// happened.
void fake_fail(const char *call, int code) { failing = call, failure = code; }
void fake_order(int order) { backwards = order; }
int fake_launches() { return launches; }
void *fake_stream() { return last_stream; }
void fake_capture(int on, void *stream) {
    if (on) graph.clear();
    capturing = on, captured = stream;
}
int fake_replay() {
    for (auto &launch : graph) launch();
    return (int)graph.size();
}
int fake_flags(int *into, int most) {
    int n = min((int)flags.size(), most);
    std::copy_n(flags.begin(), n, into);
    flags.clear();
    return n;
}

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
    if (library != &text || start == std::string::npos) return NOT_FOUND;
    if (text.substr(start, text.find(')', start) + 1 - start).find(wanted) == std::string::npos)
        return INVALID_VALUE;
    *kernel = (void *)kernel_named(name);
    return *kernel ? maybe("cuLibraryGetKernel") : NOT_FOUND;
}

int cuLaunchKernel(void *kernel, unsigned x, unsigned y, unsigned z, unsigned width,
                   unsigned height, unsigned depth, unsigned shared, void *stream,
                   void **parameters, void **extra) {
    const Kernel &which = *(const Kernel *)kernel;
    ctc_batch b;
    if (maybe("cuLaunchKernel")) return failure;
    if (capturing && stream != captured) return CAPTURING;
    memcpy(&b, parameters[0], sizeof b);
    if (z != 1 || depth != 1 || shared || extra || !fits(which, b, {x, y}, {width, height}))
        return INVALID_VALUE;
    static std::mutex one_at_a_time; // JAX calls from a thread for each device
    std::lock_guard<std::mutex> lock(one_at_a_time);
    launches++;
    last_stream = stream;
    auto launch = [=, &which] {
        if (which.shape == SINGLE) flags.insert(flags.end(), b.flags, b.flags + b.N);
        run_blocks({x, y}, {width, height}, [&] { which.run(b); });
    };
    if (capturing) graph.push_back(launch);
    else launch();
    return 0;
}

int cuGetErrorName(int code, const char **name) {
    *name = code == OUT_OF_MEMORY   ? "CUDA_ERROR_OUT_OF_MEMORY"
            : code == INVALID_PTX   ? "CUDA_ERROR_INVALID_PTX"
            : code == NOT_FOUND     ? "CUDA_ERROR_NOT_FOUND"
            : code == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE"
            : code == CAPTURING     ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
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
