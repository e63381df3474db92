// The kernels of loss.cu by name, with the grid that each must be given.
#include "simt.h"

#include <string>

#include "../../../ctc_shim/csrc/cuda/loss.cu"

enum Shape { WARP_A_SEQUENCE, FRAMES, ROWS, POSTERIOR, FIRST, SECOND, SINGLE };
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
                                 KERNEL(chain_first_8, FIRST),
                                 KERNEL(chain_second_8, SECOND),
                                 KERNEL(chain_first_16, FIRST),
                                 KERNEL(chain_second_16, SECOND),
                                 KERNEL(careful_rows_f32, FRAMES),
                                 KERNEL(careful_rows_f64, FRAMES),
                                 KERNEL(careful_rows_bf16, FRAMES),
                                 KERNEL(careful_rows_f16, FRAMES),
                                 KERNEL(scale_f32, ROWS),
                                 KERNEL(scale_f64, ROWS),
                                 KERNEL(scale_bf16, ROWS),
                                 KERNEL(scale_f16, ROWS),
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
                   b.S <= (size.x == 8 ? (int)CTC_SHORT : (int)CTC_MOST_PLACES(CTC_SHORT_ROUND));
        case FIRST:
        case SECOND: {
            const unsigned round = strchr(kernel.name, '8') ? CTC_SHORT_ROUND : CTC_ROUND;
            const unsigned blocks = kernel.shape == FIRST ? 2 : b.gradient ? 3 : 1;
            return grid.x == blocks * N && grid.y == 1 && size.y == 1 &&
                   (b.S + 2 > CTC_MOST_PLACES(CTC_ROUND)) == (round == CTC_SHORT_ROUND) &&
                   size.x / 32 * (32 * CTC_K - round) + round >= b.S + 2 &&
                   size.x <= 32 * CTC_WARPS(round);
        }
        default: return grid.x == N && grid.y == 1 && all == 32;
    }
}
