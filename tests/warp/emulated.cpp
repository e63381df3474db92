// loss.cu on a CPU, for the tests: lane vectors are arrays of 32, kernels are loops, and the steps
// of a warp keep their order.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#define CTC_DEVICE inline
enum { LANES = 32 };
static int backwards; // the order in which lanes add atomically: results must not depend on it

template <class T> struct Lanes {
    T v[LANES];
    Lanes() {}
    Lanes(T x) {
        for (T &y : v) y = x;
    }
};
typedef Lanes<double> Double;
typedef Lanes<int> Int;
typedef Lanes<bool> Mask;
typedef unsigned long long fixed;

// A lane vector of f(lane).
template <class R, class F> R each(F f) {
    R r;
    for (int i = 0; i < LANES; i++) r.v[i] = f(i);
    return r;
}
// f(lane) in the lanes of a mask, in the order of atomic additions.
template <class F> void atomically(const Mask &m, F f) {
    for (int j = 0; j < LANES; j++) {
        int i = backwards ? LANES - 1 - j : j;
        if (m.v[i]) f(i);
    }
}

#define OPERATOR(op, A, B, R) \
    inline R operator op(const A &a, const A &b) { \
        return each<R>([&](int i) { return a.v[i] op b.v[i]; }); \
    } \
    inline R operator op(const A &a, B b) { return a op A(b); } \
    inline R operator op(B a, const A &b) { return A(a) op b; }
OPERATOR(+, Double, double, Double)
OPERATOR(-, Double, double, Double)
OPERATOR(*, Double, double, Double)
OPERATOR(<, Double, double, Mask)
OPERATOR(>, Double, double, Mask)
OPERATOR(==, Double, double, Mask)
OPERATOR(+, Int, int, Int)
OPERATOR(-, Int, int, Int)
OPERATOR(*, Int, int, Int)
OPERATOR(<, Int, int, Mask)
OPERATOR(>, Int, int, Mask)
OPERATOR(>=, Int, int, Mask)
OPERATOR(==, Int, int, Mask)
OPERATOR(!=, Int, int, Mask)
OPERATOR(&, Mask, bool, Mask)
OPERATOR(|, Mask, bool, Mask)
inline Mask operator!(const Mask &a) {
    return each<Mask>([&](int i) { return !a.v[i]; });
}

inline Int lane_index() {
    return each<Int>([](int i) { return i; });
}
inline Double select(const Mask &m, const Double &a, const Double &b) {
    return each<Double>([&](int i) { return m.v[i] ? a.v[i] : b.v[i]; });
}
inline Double larger(const Double &a, const Double &b) { return select(a > b, a, b); }
inline Double up(const Double &x, double fill) {
    return each<Double>([&](int i) { return i ? x.v[i - 1] : fill; });
}
inline Double down(const Double &x, double fill) {
    return each<Double>([&](int i) { return i + 1 < LANES ? x.v[i + 1] : fill; });
}
inline double at(const Double &x, int lane) { return x.v[lane]; }
inline double sum(Double x) {
    for (int d = 16; d; d >>= 1) x = each<Double>([&](int i) { return x.v[i] + x.v[i ^ d]; });
    return x.v[0];
}
inline double top(const Double &x) {
    double r = x.v[0];
    for (double y : x.v) r = y > r ? y : r;
    return r;
}
inline bool any(const Mask &m) {
    bool r = false;
    for (bool y : m.v) r |= y;
    return r;
}
template <class T> Double load(const T *p, const Int &j, const Mask &m, double other) {
    return each<Double>([&](int i) { return m.v[i] ? (double)p[j.v[i]] : other; });
}
template <class T> void store(T *p, const Int &j, const Mask &m, const Double &x) {
    for (int i = 0; i < LANES; i++)
        if (m.v[i]) p[j.v[i]] = (T)x.v[i];
}
inline Int load_int(const int *p, const Int &j, const Mask &m) {
    return each<Int>([&](int i) { return m.v[i] ? p[j.v[i]] : 0; });
}
inline int ctc_integer(const void *p, bool wide, long long i);
inline Int load_integer(const void *p, bool wide, const Int &j, const Mask &m) {
    return each<Int>([&](int i) { return m.v[i] ? ctc_integer(p, wide, j.v[i]) : 0; });
}
inline void store_int(int *p, const Int &j, const Mask &m, const Int &x) {
    for (int i = 0; i < LANES; i++)
        if (m.v[i]) p[j.v[i]] = x.v[i];
}
inline void add_fixed(fixed *p, const Int &j, const Mask &m, const Double &x) {
    atomically(m, [&](int i) { p[j.v[i]] += (fixed)x.v[i]; });
}
inline Double take_fixed(fixed *p, const Int &j, const Mask &m) {
    Double r(0.0);
    atomically(m, [&](int i) { r.v[i] = (double)p[j.v[i]], p[j.v[i]] = 0; });
    return r;
}
inline Double exp_float(const Double &x) {
    return each<Double>([&](int i) { return std::exp((float)x.v[i]); });
}
inline double from_bits(int64_t bits) {
    double x;
    memcpy(&x, &bits, 8);
    return x;
}
inline int64_t to_bits(double x) {
    int64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}
inline Double power_of_two(const Double &k) {
    return each<Double>([&](int i) { return from_bits((int64_t)(k.v[i] + 1023.0) << 52); });
}
inline Double exponent_of(const Double &x) {
    return each<Double>([&](int i) { return (double)((to_bits(x.v[i]) >> 52) & 2047) - 1023.0; });
}
template <class T> void prefetch(const T *, const Int &, const Mask &) {}
inline void settle() {}

#include "../../ctc_shim/csrc/cuda/loss.cu"

// Runs a kernel by its name in loss.cu. False where there is no such kernel.
template <int K> bool chains(const ctc_batch &b) {
    for (ctc_int n = 0; n < b.N; n++) ctc_warp<K>(b, n).run();
    return true;
}
template <class REAL> bool rows(const ctc_batch &b) {
    for (ctc_int i = 0; i < b.N * b.T; i++) ctc_row<REAL>(b, i / b.T, i % b.T);
    return true;
}
static bool prepared(const ctc_batch &b) {
    for (ctc_int n = 0; n < b.N; n++) ctc_prepare(b, n);
    return true;
}
static bool launch(const ctc_batch &b, const std::string &name) {
    static const struct {
        const char *name;
        bool (*run)(const ctc_batch &);
    } kernels[] = {
        {"prepare", prepared},         {"rows_f32", rows<float>},   {"rows_f64", rows<double>},
        {"rows_bf16", rows<ctc_bf16>}, {"rows_f16", rows<ctc_f16>}, {"chain_1", chains<1>},
        {"chain_2", chains<2>},        {"chain_4", chains<4>},      {"chain_8", chains<8>}};
    for (const auto &kernel : kernels)
        if (name == kernel.name) return kernel.run(b);
    return false;
}
