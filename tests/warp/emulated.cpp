// ctc.cu on a CPU: its lane vectors as arrays of 32, its shared order of steps kept, its kernels as loops. For the tests only.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#define CTC_DEVICE inline
enum { LANES = 32 };
static int backwards; // the order in which lanes reach an atomic addition: results must not depend on it

template <class T> struct Lanes {
    T v[LANES];
    Lanes() {}
    Lanes(T x) { for (T &y : v) y = x; }
};
typedef Lanes<double> Double;
typedef Lanes<int> Int;
typedef Lanes<bool> Mask;

#define OPERATOR(op, A, B, R) \
    inline R operator op(const A &a, const A &b) { R r; for (int i = 0; i < LANES; i++) r.v[i] = a.v[i] op b.v[i]; return r; } \
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
inline Mask operator&(const Mask &a, const Mask &b) { Mask r; for (int i = 0; i < LANES; i++) r.v[i] = a.v[i] && b.v[i]; return r; }
inline Mask operator|(const Mask &a, const Mask &b) { Mask r; for (int i = 0; i < LANES; i++) r.v[i] = a.v[i] || b.v[i]; return r; }
inline Mask operator!(const Mask &a) { Mask r; for (int i = 0; i < LANES; i++) r.v[i] = !a.v[i]; return r; }

inline Int lane_index() { Int r; for (int i = 0; i < LANES; i++) r.v[i] = i; return r; }
inline Double select(const Mask &m, const Double &a, const Double &b) {
    Double r;
    for (int i = 0; i < LANES; i++) r.v[i] = m.v[i] ? a.v[i] : b.v[i];
    return r;
}
inline Double larger(const Double &a, const Double &b) { return select(a > b, a, b); }
inline Double up(const Double &x, double fill) { Double r(fill); for (int i = 1; i < LANES; i++) r.v[i] = x.v[i - 1]; return r; }
inline Double down(const Double &x, double fill) { Double r(fill); for (int i = 1; i < LANES; i++) r.v[i - 1] = x.v[i]; return r; }
inline double at(const Double &x, int lane) { return x.v[lane]; }
inline double sum(Double x) {
    for (int d = 16; d; d >>= 1) {
        Double y = x;
        for (int i = 0; i < LANES; i++) y.v[i] = x.v[i] + x.v[i ^ d];
        x = y;
    }
    return x.v[0];
}
inline double top(const Double &x) { double r = x.v[0]; for (double y : x.v) r = y > r ? y : r; return r; }
inline bool any(const Mask &m) { for (bool y : m.v) if (y) return true; return false; }
template <class T> Double load(const T *p, const Int &i, const Mask &m, double other) {
    Double r(other);
    for (int k = 0; k < LANES; k++) if (m.v[k]) r.v[k] = p[i.v[k]];
    return r;
}
template <class T> void store(T *p, const Int &i, const Mask &m, const Double &x) {
    for (int k = 0; k < LANES; k++) if (m.v[k]) p[i.v[k]] = (T)x.v[k];
}
inline Int load_int(const int *p, const Int &i, const Mask &m) {
    Int r(0);
    for (int k = 0; k < LANES; k++) if (m.v[k]) r.v[k] = p[i.v[k]];
    return r;
}
inline int ctc_integer(const void *p, bool wide, long long i);
inline Int load_integer(const void *p, bool wide, const Int &i, const Mask &m) {
    Int r(0);
    for (int k = 0; k < LANES; k++) if (m.v[k]) r.v[k] = ctc_integer(p, wide, i.v[k]);
    return r;
}
inline void store_int(int *p, const Int &i, const Mask &m, const Int &x) {
    for (int k = 0; k < LANES; k++) if (m.v[k]) p[i.v[k]] = x.v[k];
}
typedef unsigned long long fixed;
inline void add_fixed(fixed *p, const Int &i, const Mask &m, const Double &x) {
    for (int j = 0; j < LANES; j++) {
        int k = backwards ? LANES - 1 - j : j;
        if (m.v[k]) p[i.v[k]] += (fixed)x.v[k];
    }
}
inline Double take_fixed(fixed *p, const Int &i, const Mask &m) {
    Double r(0.0);
    for (int j = 0; j < LANES; j++) {
        int k = backwards ? LANES - 1 - j : j;
        if (m.v[k]) r.v[k] = (double)p[i.v[k]], p[i.v[k]] = 0;
    }
    return r;
}
inline Double exp_float(const Double &x) { Double r; for (int i = 0; i < LANES; i++) r.v[i] = std::exp((float)x.v[i]); return r; }
inline double from_bits(int64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
inline int64_t to_bits(double x) { int64_t bits; memcpy(&bits, &x, 8); return bits; }
inline Double power_of_two(const Double &k) {
    Double r;
    for (int i = 0; i < LANES; i++) r.v[i] = from_bits((int64_t)(k.v[i] + 1023.0) << 52);
    return r;
}
inline Double exponent_of(const Double &x) {
    Double r;
    for (int i = 0; i < LANES; i++) r.v[i] = (double)((to_bits(x.v[i]) >> 52) & 2047) - 1023.0;
    return r;
}
template <class T> void prefetch(const T *, const Int &, const Mask &) {}
inline void settle() {}

#include "../../ctc_shim/csrc/cuda/loss.cu"

// One launch of a kernel, by its name in ctc.cu; false for a name that is not there.
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
    return name == "prepare" ? prepared(b) : name == "rows_f32" ? rows<float>(b) : name == "rows_f64" ? rows<double>(b)
           : name == "rows_bf16" ? rows<ctc_bf16>(b) : name == "rows_f16" ? rows<ctc_f16>(b) : name == "chain_1" ? chains<1>(b)
           : name == "chain_2" ? chains<2>(b) : name == "chain_4" ? chains<4>(b) : name == "chain_8" && chains<8>(b);
}
