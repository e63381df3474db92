// The kernels of loss.cu by name, with the grid that each must be given.
#include "simt.h"

#include <string>

#include "../../ctc_shim/csrc/cuda/loss.cu"

enum Shape { WARP_A_SEQUENCE, FRAMES, ROWS, POSTERIOR, CHAIN, SINGLE };
struct Kernel {
    const char *name;
    Shape shape;
    void (*run)(const ctc_batch);
};
#define KERNEL(name, shape) {#name, shape, ctc_shim_##name}
#define KERNELS_OF(kind) \
    KERNEL(rows_##kind##_32, ROWS), KERNEL(rows_##kind##_64, ROWS), \
        KERNEL(rows_##kind##_128, ROWS), KERNEL(rows_##kind##_0, ROWS), \
        KERNEL(posterior_##kind##_8, POSTERIOR), KERNEL(posterior_##kind##_32, POSTERIOR)
static const Kernel kernels[] = {KERNEL(prepare, WARP_A_SEQUENCE),
                                 KERNELS_OF(f32),
                                 KERNELS_OF(bf16),
                                 KERNELS_OF(f16),
                                 KERNEL(chain, CHAIN),
                                 KERNEL(careful_rows_f32, FRAMES),
                                 KERNEL(careful_rows_f64, FRAMES),
                                 KERNEL(careful_rows_bf16, FRAMES),
                                 KERNEL(careful_rows_f16, FRAMES),
                                 KERNEL(careful_1, SINGLE),
                                 KERNEL(careful_2, SINGLE),
                                 KERNEL(careful_4, SINGLE),
                                 KERNEL(careful_8, SINGLE)};

inline const Kernel *kernel_named(const std::string &name) {
    for (const Kernel &kernel : kernels)
        if (name == std::string("ctc_shim_") + kernel.name) return &kernel;
    return nullptr;
}

// May this kernel be launched so?
inline bool fits(const Kernel &kernel, const ctc_batch &b, dim3 grid, dim3 size) {
    const unsigned N = (unsigned)b.N, all = size.x * size.y;
    if (!grid.x || !grid.y || grid.y > 65535 || !all || all % 32 || all > MOST) return false;
    switch (kernel.shape) {
        case WARP_A_SEQUENCE: {
            unsigned warps = all / 32;
            return grid.x == (N + warps - 1) / warps && grid.y == 1 && size.y == 1;
        }
        case FRAMES: return grid.x == N && size.x == 32 * CTC_FRAMES && size.y == 1;
        case ROWS:
            return grid.x == N && (all == 32 * CTC_FRAMES || size.y == 1) &&
                   size.x <= 32 * CTC_ROW_WARPS;
        case POSTERIOR:
            return grid.x == N && all == 32 * CTC_FRAMES &&
                   b.S <= (size.x == 8 ? (int)CTC_SHORT : (int)CTC_PLACES_IN_ALL);
        case CHAIN: {
            long long places = CTC_ROUND + size.x / 32 * (long long)CTC_OWN;
            return grid.x == (b.gradient ? 2 * N : N) && grid.y == 1 && size.y == 1 &&
                   places >= b.S + 2 && size.x <= 32 * CTC_WARPS;
        }
        default: return grid.x == N && grid.y == 1 && all == 32;
    }
}
