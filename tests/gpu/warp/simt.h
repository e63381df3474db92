// CUDA on a CPU, for the tests: each thread of a block is a fiber, and goes on until it must wait
// for others. Only what loss.cu uses. Blocks run one after another.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#define CTC_EMULATED
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
using std::max;
using std::min;

struct uint2 {
    unsigned x, y;
};
struct int2 {
    int x, y;
};
struct double2 {
    double x, y;
};
struct dim3 {
    unsigned x, y;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;
static int backwards; // the order in which threads run: results must not depend on it

// A group that waits for all its members: a warp, or the block.
struct Barrier {
    int members, arrived, passed;
};
typedef void *Place[5]; // where a thread goes on
// A jump to another stack leaves no frame: the address sanitizer must not take it for one that
// does.
#define JUMPS __attribute__((noinline, no_sanitize("address")))
struct Fiber {
    ucontext_t start;
    Place at;
    std::unique_ptr<char[]> stack;
    bool begun, done;
};
enum { STACK = 1 << 16, MOST = 1024 };
static Fiber fibers[MOST];
static Barrier warps[MOST / 32], block;
static uint64_t slots[2][MOST]; // what lanes show each other: meetings take turns
static int threads, current, idle;
static Place home;
static std::function<void()> kernel_body;

inline void take_place(int thread) {
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x};
}

// Goes on as this thread. A fiber is made once, and waits for the next block where it has ended.
JUMPS static void resume(int thread) {
    Fiber &f = fibers[thread];
    take_place(thread);
    if (f.begun) __builtin_longjmp(f.at, 1);
    f.begun = true;
    setcontext(&f.start);
}

// Lets the next thread go on.
JUMPS static void pass_on() {
    int from = current, next = from;
    do next = (next + (backwards ? threads - 1 : 1)) % threads;
    while (fibers[next].done && next != from);
    if (++idle > 4 * threads) {
        fprintf(stderr, "threads wait for a thread that does not come\n");
        abort();
    }
    if (next != from && !__builtin_setjmp(fibers[from].at)) resume(next);
}

JUMPS static void run_thread() {
    for (;;) {
        Fiber &f = fibers[current];
        kernel_body();
        f.done = true;
        idle = 0;
        if (__builtin_setjmp(f.at)) continue; // another block
        for (int i = 0; i < threads; i++)
            if (!fibers[i].done) resume(i);
        __builtin_longjmp(home, 1);
    }
}

JUMPS static void run_block() {
    for (int i = 0; i < threads; i++) {
        Fiber &f = fibers[i];
        f.done = false;
        if (f.stack) continue;
        f.stack.reset(new char[STACK]);
        f.begun = false;
        getcontext(&f.start);
        f.start.uc_stack.ss_sp = f.stack.get();
        f.start.uc_stack.ss_size = STACK;
        makecontext(&f.start, run_thread, 0);
    }
    idle = 0;
    if (!__builtin_setjmp(home)) resume(backwards ? threads - 1 : 0);
}

inline void wait_for(Barrier &group) {
    int before = group.passed;
    if (++group.arrived == group.members) {
        group.arrived = 0;
        group.passed++;
        idle = 0;
    } else
        while (group.passed == before) pass_on();
}

template <class F> void run_blocks(dim3 grid, dim3 size, F body) {
    gridDim = grid;
    blockDim = size;
    threads = (int)(size.x * size.y);
    kernel_body = body;
    for (unsigned y = 0; y < grid.y; y++) {
        for (unsigned x = 0; x < grid.x; x++) {
            blockIdx = {x, y};
            block = {threads, 0, 0};
            for (Barrier &warp : warps) warp = {32, 0, 0};
            run_block();
        }
    }
}

inline void __syncthreads() { wait_for(block); }
inline void __syncwarp() { wait_for(warps[current / 32]); }

// What the lane `from` of this warp shows.
template <class T> T shown(T x, int from) {
    Barrier &warp = warps[current / 32];
    uint64_t *turn = slots[warp.passed & 1];
    memset(&turn[current], 0, sizeof turn[current]);
    memcpy(&turn[current], &x, sizeof x);
    wait_for(warp);
    memcpy(&x, &turn[current / 32 * 32 + from], sizeof x);
    return x;
}
inline int lane() { return current & 31; }
template <class T> T __shfl_sync(unsigned, T x, int from) { return shown(x, from); }
template <class T> T __shfl_xor_sync(unsigned, T x, int d) { return shown(x, lane() ^ d); }
template <class T> T __shfl_up_sync(unsigned, T x, int d) {
    return shown(x, lane() >= d ? lane() - d : lane());
}
template <class T> T __shfl_down_sync(unsigned, T x, int d) {
    return shown(x, lane() + d < 32 ? lane() + d : lane());
}
inline bool __any_sync(unsigned, bool x) {
    for (int d = 16; d; d >>= 1) x |= __shfl_xor_sync(0, x, d);
    return x;
}
inline unsigned __ballot_sync(unsigned, bool x) {
    unsigned all = (unsigned)x << lane();
    for (int d = 16; d; d >>= 1) all |= __shfl_xor_sync(0, all, d);
    return all;
}
inline int __syncthreads_or(int x) {
    static int given[MOST];
    given[current] = x;
    wait_for(block);
    for (int i = 0; i < threads; i++) x |= given[i];
    wait_for(block);
    return x;
}

template <class T> T atomicAdd(T *p, T x) {
    T old = *p;
    *p = (T)((typename std::make_unsigned<T>::type)old + (typename std::make_unsigned<T>::type)x);
    return old;
}
inline int atomicMin(int *p, int x) { return std::exchange(*p, min(*p, x)); }
inline int atomicOr(int *p, int x) { return std::exchange(*p, *p | x); }
template <class T> T atomicExch(T *p, T x) { return std::exchange(*p, x); }

template <class TO, class FROM> TO same_bits(FROM x) {
    static_assert(sizeof(TO) == sizeof(FROM), "");
    TO y;
    memcpy(&y, &x, sizeof y);
    return y;
}
inline double __hiloint2double(int high, int low) {
    return same_bits<double>((uint64_t)(uint32_t)high << 32 | (uint32_t)low);
}
inline int __double2loint(double x) { return (int)(uint32_t)same_bits<uint64_t>(x); }
inline int __double2hiint(double x) { return (int)(same_bits<uint64_t>(x) >> 32); }
inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
inline float __int_as_float(int x) { return same_bits<float>(x); }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
