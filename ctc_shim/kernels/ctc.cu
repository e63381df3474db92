/* Connectionist temporal classification on a GPU: loss and gradient, deterministic, right over any dynamic range.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables, equations (6)-(8); backward
 * variables, (9)-(11); gradient, (14)-(16). The arithmetic is that of ctc.c: a lattice cell is m * 2^e, both doubles, with an
 * exponent of its own, so that no certificate and no second domain is needed; two lanes, label[j] and the blank[j] before it.
 *
 * One warp holds the row of a sequence in registers, K neighbouring cells (label and blank) in each of its 32 lanes; a step
 * takes one shuffle and no barrier. Rows are kept at checkpoints and computed again on the way back. Class sums go through
 * fixed-point integers, whose sum does not depend on the order of adding: bits repeat.
 *
 * Three kernels, in this order: `prepare` (a warp a sequence: what the integers say), `rows` (a warp a frame: maximum, ln of the
 * sum, and upstream * softmax into the gradient) and `chain` (a warp a sequence: the recursion; takes the posteriors off).
 *
 * The text is written over lane vectors. Under CUDA a lane vector is one value in each thread; tests/warp/ gives the same names
 * arrays of 32 and runs this text on a CPU.
 */
typedef long long ctc_int;

#if defined(__CUDACC__)
#define CTC_DEVICE __device__ __forceinline__
typedef double Double;
typedef int Int;
typedef bool Mask;

CTC_DEVICE Int lane_index() { return threadIdx.x & 31; }
CTC_DEVICE Double select(Mask m, Double a, Double b) { return m ? a : b; }
CTC_DEVICE Double larger(Double a, Double b) { return a > b ? a : b; }
CTC_DEVICE Double up(Double x, double fill) {
    Double y = __shfl_up_sync(0xffffffffu, x, 1);
    return lane_index() == 0 ? fill : y;
}
CTC_DEVICE Double down(Double x, double fill) {
    Double y = __shfl_down_sync(0xffffffffu, x, 1);
    return lane_index() == 31 ? fill : y;
}
CTC_DEVICE double at(Double x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
CTC_DEVICE double sum(Double x) { /* a butterfly: every lane adds the same pairs */
    for (int d = 16; d; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}
CTC_DEVICE double top(Double x) {
    for (int d = 16; d; d >>= 1) x = larger(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}
CTC_DEVICE bool any(Mask m) { return __any_sync(0xffffffffu, m); }
template <class T> CTC_DEVICE Double load(const T *p, Int i, Mask m, double other) { return m ? (double)p[i] : other; }
template <class T> CTC_DEVICE void store(T *p, Int i, Mask m, Double x) { if (m) p[i] = (T)x; }
CTC_DEVICE Int load_int(const int *p, Int i, Mask m) { return m ? p[i] : 0; }
CTC_DEVICE void add_fixed(unsigned long long *p, Int i, Mask m, Double x) {
    if (m) atomicAdd(p + i, (unsigned long long)x);
    __syncwarp();
}
CTC_DEVICE Double take_fixed(unsigned long long *p, Int i, Mask m) { /* the sum to one of the lanes that share i, 0 to the others */
    Double x = m ? (double)atomicExch(p + i, 0ull) : 0;
    __syncwarp();
    return x;
}
CTC_DEVICE Double from_bits(long long bits) { return __longlong_as_double(bits); }
CTC_DEVICE long long to_bits(Double x) { return __double_as_longlong(x); }
CTC_DEVICE Double power_of_two(Double k) { return from_bits((long long)(k + 1023.0) << 52); }
CTC_DEVICE Double exponent_of(Double x) { return (double)((to_bits(x) >> 52) & 2047) - 1023.0; }
template <class T> CTC_DEVICE void prefetch(const T *p, Int i, Mask m) { if (m) asm volatile("prefetch.global.L1 [%0];" ::"l"(p + i)); }
CTC_DEVICE void settle() { __syncwarp(); } /* what one lane stored the others may load */
#endif

#if defined(__CUDACC__)
#define CTC_CELLS _Pragma("unroll") for (int i = 0; i < K; i++) /* unrolled: cells are registers then */
#define CTC_CELLS_DOWN _Pragma("unroll") for (int i = K - 1; i >= 0; i--)
#define CTC_INFINITY __longlong_as_double(0x7ff0000000000000ll)
#else
#define CTC_CELLS for (int i = 0; i < K; i++)
#define CTC_CELLS_DOWN for (int i = K - 1; i >= 0; i--)
#define CTC_INFINITY (double)INFINITY
#endif

enum { CTC_RENORM = 64, CTC_BLOCK = 64, CTC_AHEAD = 8 }; /* frames between renormalisations, between checkpoints; fetched ahead */
enum { CTC_FINE = 0, CTC_INFEASIBLE = 1, CTC_WRONG = 2 };
#define CTC_NEVER (-1e290) /* exponent of an impossible cell; T times this is still finite */
#define CTC_FIXED 70368744177664.0 /* 2^46: the unit of a class sum */
#define CTC_LN2 0.6931471805599453094

/* What the kernels are given. Lengths and targets are int32; labels, frames and counts are filled in by `prepare`. */
struct ctc_batch {
    const int *targets, *input_lengths, *target_lengths;
    int *verdict;                  /* (N,) */
    double *statistics;            /* (N, T, 2): maximum and ln sum exp(z - maximum) of a frame; the latter NaN for NaN or +inf in it */
    double *cells;                 /* (N, checkpoints + CTC_BLOCK + 1, 4, K, 32): rows of alpha */
    unsigned long long *classes;   /* (N, C) zeros: sums of posteriors */
    const void *logits, *upstream; /* (N, T, C); (N,) or null */
    void *loss, *gradient;         /* (N,); (N, T, C) or null */
    ctc_int N, T, C, S, stride_n, stride_t;
    int blank, normalize, zero;    /* zero: an infeasible target costs 0 */
};

/* 2^k for an integer k <= 0, however low. */
CTC_DEVICE Double ctc_scale(Double k) { return power_of_two(larger(k, Double(-900.0))); }

/* exp(d) = result * 2^*k for d <= 0, result in [0.7, 1.42]; 0 and CTC_NEVER for -inf. */
CTC_DEVICE Double ctc_split_exp(Double d, Double *k) {
    Double x = larger(d, Double(-1e280));
    Double n = (x * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0; /* round to nearest */
    Double r = (x - n * 0.69314718246459961) - n * -1.904654299957768e-09;            /* n * (24 bits of ln 2) is exact */
    Double p = Double(1.0 / 479001600);
    Mask possible = n > Double(-1.4e280);
    r = select(r > Double(-0.35), r, Double(-0.35));
    r = select(r < Double(0.35), r, Double(0.35));
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    *k = select(possible, n, Double(CTC_NEVER));
    return select(possible, p, Double(0.0));
}

/* A number m * 2^e in each lane. */
struct ctc_cell { Double m, e; };

CTC_DEVICE ctc_cell ctc_make(Double m, Double e) {
    ctc_cell made = {m, e};
    return made;
}
CTC_DEVICE ctc_cell ctc_none() { return ctc_make(Double(0.0), Double(CTC_NEVER)); }
CTC_DEVICE ctc_cell ctc_add(ctc_cell a, ctc_cell b) {
    Double high = larger(a.e, b.e);
    return ctc_make(a.m * ctc_scale(a.e - high) + b.m * ctc_scale(b.e - high), high);
}
CTC_DEVICE ctc_cell ctc_times(ctc_cell a, ctc_cell b) { return ctc_make(a.m * b.m, a.e + b.e); }
CTC_DEVICE ctc_cell ctc_only(Mask wanted, ctc_cell a) {
    return ctc_make(select(wanted, a.m, Double(0.0)), select(wanted, a.e, Double(CTC_NEVER)));
}
CTC_DEVICE ctc_cell ctc_up(ctc_cell a) { return ctc_make(up(a.m, 0.0), up(a.e, CTC_NEVER)); }
CTC_DEVICE ctc_cell ctc_down(ctc_cell a) { return ctc_make(down(a.m, 0.0), down(a.e, CTC_NEVER)); }
CTC_DEVICE ctc_cell ctc_renormalised(ctc_cell a) {
    Mask alive = a.m > Double(0.0);
    Double k = exponent_of(select(alive, a.m, Double(1.0)));
    return ctc_make(select(alive, a.m * power_of_two(Double(0.0) - k), Double(0.0)), select(alive, a.e + k, Double(CTC_NEVER)));
}

/* ---- what the integers say ---------------------------------------------------------------------------------------- */

CTC_DEVICE void ctc_prepare(const ctc_batch &b, ctc_int n) {
    const int *labels = b.targets + n * b.S;
    int T = b.input_lengths[n], S = b.target_lengths[n];
    int wrong = T < 0 || T > b.T || S < 0 || S > b.S;
    double repeats = 0;
    for (int start = 0; !wrong && start < S; start += 32) {
        Int j = lane_index() + start;
        Mask valid = j < S, inner = valid & (j > 0);
        Int label = load_int(labels, j, valid), before = load_int(labels, j - 1, inner);
        wrong = any(valid & ((label < 0) | (label >= (int)b.C) | (label == b.blank)));
        repeats += sum(select(inner & (label == before), Double(1.0), Double(0.0)));
    }
    b.verdict[n] = wrong ? CTC_WRONG : T < S + repeats ? CTC_INFEASIBLE : CTC_FINE;
}

/* ---- rows of scores ----------------------------------------------------------------------------------------------- */

template <class REAL> CTC_DEVICE void ctc_fill(REAL *row, ctc_int C, double value) {
    for (int start = 0; start < C; start += 32) store(row, lane_index() + start, lane_index() + start < (int)C, Double(value));
}

template <class REAL> CTC_DEVICE void ctc_row(const ctc_batch &b, ctc_int n, ctc_int t) {
    const REAL *row = (const REAL *)b.logits + n * b.stride_n + t * b.stride_t;
    REAL *out = b.gradient ? (REAL *)b.gradient + n * b.stride_n + t * b.stride_t : 0;
    double *statistics = b.statistics + (n * b.T + t) * 2;
    double nan = CTC_INFINITY - CTC_INFINITY, upstream = b.upstream ? (double)((const REAL *)b.upstream)[n] : 1.0, maximum, inside;
    Double best = Double(-CTC_INFINITY), ties = Double(0.0), rest = Double(0.0);
    bool bad = false;
    int start, C = (int)b.C;
    if (b.verdict[n] != CTC_FINE || t >= b.input_lengths[n]) { /* scores not read */
        if (out) ctc_fill(out, b.C, b.verdict[n] == CTC_WRONG && t < b.input_lengths[n] ? nan : 0.0);
        return;
    }
    for (start = 0; start < C; start += 32) {
        Double z = load(row, lane_index() + start, lane_index() + start < C, -CTC_INFINITY);
        bad |= any(!(z < Double(CTC_INFINITY)));
        best = larger(best, z);
    }
    maximum = top(best);
    for (start = 0; !bad && maximum > -CTC_INFINITY && start < C; start += 32) { /* ties apart: ln keeps a confident frame's digits */
        Double z = load(row, lane_index() + start, lane_index() + start < C, -CTC_INFINITY), k, p;
        Mask tie = z == Double(maximum);
        p = ctc_split_exp(z - maximum, &k);
        ties = ties + select(tie, Double(1.0), Double(0.0));
        rest = rest + select(tie, Double(0.0), p * ctc_scale(k));
    }
    inside = maximum > -CTC_INFINITY ? log(sum(ties)) + log1p(sum(rest) / sum(ties)) : 0.0;
    statistics[0] = maximum;
    statistics[1] = bad ? nan : inside;
    if (!out) return;
    if (!b.normalize || bad || !(maximum > -CTC_INFINITY)) {
        ctc_fill(out, b.C, 0.0); /* the chain writes NaN where that is due */
        return;
    }
    for (start = 0; start < C; start += 32) {
        Mask valid = lane_index() + start < C;
        Double z = load(row, lane_index() + start, valid, -CTC_INFINITY), k, p = ctc_split_exp(z - maximum - inside, &k);
        p = p * ctc_scale(k);
        store(out, lane_index() + start, valid, select(p > Double(0.0), p * upstream, Double(0.0)));
    }
}

/* ---- the lattice -------------------------------------------------------------------------------------------------- */

template <class REAL, int K> struct ctc_warp {
    const ctc_batch &b;
    ctc_int n;
    int T, S;
    Int label[K];
    Mask inside[K], skip[K], skip_next[K]; /* a label of the target; the blank before (after) it may be left out */
    ctc_cell l[K], k[K];                   /* alpha or beta: the labels, the blanks before them */
    ctc_cell emit[K], emit_blank;

    CTC_DEVICE ctc_warp(const ctc_batch &batch, ctc_int row)
        : b(batch), n(row), T(batch.input_lengths[row]), S(batch.target_lengths[row]) {
        const int *labels = b.targets + n * b.S;
        CTC_CELLS {
            Int j = lane_index() * K + i;
            Mask last = j + 1 < S;
            inside[i] = j < S;
            label[i] = load_int(labels, j, inside[i]);
            skip[i] = inside[i] & (j > 0) & (label[i] != load_int(labels, j - 1, inside[i] & (j > 0)));
            skip_next[i] = last & (label[i] != load_int(labels, j + 1, last));
        }
    }

    /* Probabilities of a frame relative to its largest; and the scores of the frame `next` are asked for. */
    CTC_DEVICE void read(int t, int next) {
        const REAL *row = (const REAL *)b.logits + n * b.stride_n + t * b.stride_t;
        double maximum = b.statistics[(n * b.T + t) * 2];
        Double e, m;
        if (!(maximum > -CTC_INFINITY)) maximum = 0; /* a frame of -inf: nothing is possible */
        m = ctc_split_exp(Double((double)row[b.blank] - maximum), &e);
        emit_blank = ctc_make(m, e);
        if (next >= 0 && next < T) {
            const REAL *later = row + (next - t) * b.stride_t;
            prefetch(later, lane_index() + b.blank, lane_index() == 0);
            CTC_CELLS prefetch(later, label[i], inside[i]);
        }
        CTC_CELLS {
            m = ctc_split_exp(load(row, label[i], inside[i], -CTC_INFINITY) - maximum, &e);
            emit[i] = ctc_only(inside[i], ctc_make(m, e));
        }
    }

    CTC_DEVICE void renormalise(int t) {
        if (t % CTC_RENORM) return;
        CTC_CELLS l[i] = ctc_renormalised(l[i]), k[i] = ctc_renormalised(k[i]);
    }

    CTC_DEVICE void start_forward() {
        CTC_CELLS l[i] = k[i] = ctc_none();
        k[0] = ctc_only(lane_index() == 0, ctc_make(Double(1.0), Double(0.0)));
    }

    /* Equations (6)-(8). */
    CTC_DEVICE void forward(int t) {
        ctc_cell far = ctc_up(l[K - 1]);
        read(t, t + CTC_AHEAD);
        CTC_CELLS_DOWN {
            ctc_cell before = i ? l[i - 1] : far;
            ctc_cell arriving = ctc_add(ctc_add(l[i], k[i]), ctc_only(skip[i], before));
            k[i] = ctc_times(ctc_add(k[i], before), emit_blank);
            l[i] = ctc_times(arriving, emit[i]);
        }
        renormalise(t);
    }

    CTC_DEVICE void start_backward() {
        CTC_CELLS {
            Int j = lane_index() * K + i;
            k[i] = ctc_only(j == S, ctc_make(Double(1.0), Double(0.0)));
            l[i] = ctc_only(j == S - 1, ctc_make(Double(1.0), Double(0.0)));
        }
    }

    /* Equations (9)-(11), from beta without the emission of frame t to that of frame t - 1; frame t was read. */
    CTC_DEVICE void backward(int t) {
        ctc_cell far_l, far_k;
        CTC_CELLS l[i] = ctc_times(l[i], emit[i]), k[i] = ctc_times(k[i], emit_blank);
        far_l = ctc_down(l[0]);
        far_k = ctc_down(k[0]);
        CTC_CELLS {
            ctc_cell after_l = i + 1 < K ? l[i + 1] : far_l, after_k = i + 1 < K ? k[i + 1] : far_k;
            k[i] = ctc_add(k[i], l[i]);
            l[i] = ctc_add(ctc_add(l[i], ctc_only(inside[i], after_k)), ctc_only(skip_next[i], after_l));
        }
        renormalise(t);
    }

    CTC_DEVICE double *row_at(ctc_int slot) {
        ctc_int rows = b.T / CTC_BLOCK + CTC_BLOCK + 2;
        return b.cells + ((n * rows + slot) * 4) * K * 32;
    }
    CTC_DEVICE static void put(double *row, int what, Double x) { store(row + what * 32, lane_index(), lane_index() >= 0, x); }
    CTC_DEVICE static Double get(const double *row, int what) { return load(row + what * 32, lane_index(), lane_index() >= 0, 0.0); }
    CTC_DEVICE void keep(ctc_int slot) {
        double *row = row_at(slot);
        CTC_CELLS {
            put(row, 4 * i, l[i].m), put(row, 4 * i + 1, l[i].e);
            put(row, 4 * i + 2, k[i].m), put(row, 4 * i + 3, k[i].e);
        }
        settle();
    }
    CTC_DEVICE void recall(ctc_int slot) {
        const double *row = row_at(slot);
        CTC_CELLS {
            l[i] = ctc_make(get(row, 4 * i), get(row, 4 * i + 1));
            k[i] = ctc_make(get(row, 4 * i + 2), get(row, 4 * i + 3));
        }
    }

    CTC_DEVICE REAL *gradient_row(int t) { return (REAL *)b.gradient + n * b.stride_n + t * b.stride_t; }
    CTC_DEVICE void fill(double value) {
        for (int t = 0; b.gradient && t < T; t++) ctc_fill(gradient_row(t), b.C, value);
    }

    /* Take upstream * posterior, alpha * beta over its sum in the frame, off the gradient: equations (14)-(16). */
    CTC_DEVICE void deposit(int t, ctc_int slot, double upstream) {
        const double *row = row_at(slot);
        unsigned long long *classes = b.classes + n * b.C;
        ctc_cell joint_l[K], joint_k[K];
        Double high = Double(CTC_NEVER), mass = Double(0.0), blanks = Double(0.0);
        double highest, total, of_blank;
        CTC_CELLS {
            joint_l[i] = ctc_renormalised(ctc_times(l[i], ctc_make(get(row, 4 * i), get(row, 4 * i + 1))));
            joint_k[i] = ctc_renormalised(ctc_times(k[i], ctc_make(get(row, 4 * i + 2), get(row, 4 * i + 3))));
            high = larger(high, larger(joint_l[i].e, joint_k[i].e));
        }
        highest = top(high);
        CTC_CELLS {
            joint_l[i].m = joint_l[i].m * ctc_scale(joint_l[i].e - highest);
            joint_k[i].m = joint_k[i].m * ctc_scale(joint_k[i].e - highest);
            mass = mass + joint_l[i].m + joint_k[i].m;
            blanks = blanks + joint_k[i].m;
        }
        total = sum(mass);
        of_blank = sum(blanks) / total;
        CTC_CELLS add_fixed(classes, label[i], inside[i], joint_l[i].m * (CTC_FIXED / total) + 0.5);
        CTC_CELLS {
            Double whole = take_fixed(classes, label[i], inside[i]);
            Mask mine = whole > Double(0.0);
            store(gradient_row(t), label[i], mine, load(gradient_row(t), label[i], mine, 0.0) - whole * (upstream / CTC_FIXED));
        }
        store(gradient_row(t), lane_index() + b.blank, lane_index() == 0, Double((double)gradient_row(t)[b.blank] - upstream * of_blank));
        settle();
    }

    CTC_DEVICE void all_backward(double upstream) {
        ctc_int table = b.T / CTC_BLOCK + 1, beta = table + CTC_BLOCK;
        start_backward();
        for (int block = (T - 1) / CTC_BLOCK; block >= 0; block--) {
            int start = block * CTC_BLOCK, stop = start + CTC_BLOCK < T ? start + CTC_BLOCK : T, t;
            keep(beta);
            recall(block);
            for (t = start; t < stop; t++) {
                forward(t);
                keep(table + t - start);
            }
            recall(beta);
            for (t = stop - 1; t >= start; t--) {
                read(t, t - CTC_AHEAD);
                deposit(t, table + t - start, upstream);
                backward(t);
            }
        }
    }

    CTC_DEVICE void run() {
        REAL *loss = (REAL *)b.loss + n;
        double upstream = b.upstream ? (double)((const REAL *)b.upstream)[n] : 1.0, outside = 0, m = 0, e = CTC_NEVER, value;
        const double nan = CTC_INFINITY - CTC_INFINITY, largest = sizeof(REAL) == 4 ? 3.4028235677973366e38 : 1.7976931348623157e308;
        if (b.verdict[n] != CTC_FINE) {
            *loss = (REAL)(b.verdict[n] == CTC_WRONG ? nan : b.zero ? 0.0 : CTC_INFINITY);
            return;
        }
        start_forward();
        for (int t = 0; t < T; t++) {
            const double *statistics = b.statistics + (n * b.T + t) * 2;
            if (b.normalize || statistics[1] != statistics[1]) outside += statistics[1];
            else if (statistics[0] > -CTC_INFINITY) outside -= statistics[0];
            if (b.gradient && t % CTC_BLOCK == 0) keep(t / CTC_BLOCK);
            forward(t);
        }
        CTC_CELLS { /* the last blank and the last label; every lane learns of them */
            ctc_cell end = ctc_add(ctc_only(lane_index() * K + i == S, k[i]), ctc_only(lane_index() * K + i == S - 1, l[i]));
            double high = top(end.e), part = sum(end.m * ctc_scale(end.e - high)), both = high > e ? high : e;
            m = m * exp2(e - both) + part * exp2(high - both); /* exact: the exponents are integers */
            e = both;
        }
        value = outside != outside ? nan : m > 0 ? outside - log(m) - e * CTC_LN2 : CTC_INFINITY;
        if (value != value || value > largest) {
            fill(value != value ? nan : 0.0);
            *loss = (REAL)(value != value ? nan : CTC_INFINITY);
            return;
        }
        *loss = (REAL)(b.normalize && value < 0 ? 0.0 : value);
        if (b.gradient) all_backward(upstream);
    }
};

#if defined(__CUDACC__)
/* All take one pointer, to the batch on the device. prepare: N warps; rows: N * T warps; chain: N blocks of one warp. */
extern "C" __global__ void ctc_shim_prepare(const ctc_batch *batch) {
    ctc_batch b = *batch;
    ctc_int n = (ctc_int)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (n < b.N) ctc_prepare(b, n);
}
#define CTC_CHAIN(REAL, SUFFIX, K) \
    extern "C" __global__ void __launch_bounds__(32) ctc_shim_chain_##SUFFIX##_##K(const ctc_batch *batch) { \
        ctc_batch b = *batch; \
        ctc_warp<REAL, K>(b, blockIdx.x).run(); \
    }
#define CTC_KERNELS(REAL, SUFFIX) \
    extern "C" __global__ void ctc_shim_rows_##SUFFIX(const ctc_batch *batch) { \
        ctc_batch b = *batch; \
        ctc_int i = (ctc_int)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; \
        if (i < b.N * b.T) ctc_row<REAL>(b, i / b.T, i % b.T); \
    } \
    CTC_CHAIN(REAL, SUFFIX, 1) CTC_CHAIN(REAL, SUFFIX, 2) CTC_CHAIN(REAL, SUFFIX, 4) CTC_CHAIN(REAL, SUFFIX, 8) \
    CTC_CHAIN(REAL, SUFFIX, 16)
CTC_KERNELS(float, f32)
CTC_KERNELS(double, f64)
#endif
