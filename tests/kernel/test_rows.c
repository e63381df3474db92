/* Softmax and emissions of a row against libm. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/rows.h"

#include "../../ctc_shim/csrc/cpu/float.inc.h"
#define CLOSE 6e-6
#include "test_rows.inc.h"
#undef CLOSE
#include "../../ctc_shim/csrc/cpu/double.inc.h"
#define CLOSE 1e-13
#include "test_rows.inc.h"

int main(void) {
    const int64_t sizes[] = {1, 2, 15, 16, 31, 511, 512, 513, 1200, 2048};
    int i;
    for (iteration = 0; iteration < 20; iteration++)
        for (i = 0; i < 10; i++) {
            check_softmax_f32(sizes[i], 20, (int)below(2));
            check_softmax_f64(sizes[i], 20, (int)below(2));
        }
    for (iteration = 0; iteration < 200; iteration++) {
        check_emissions_f32(1 + below(60), 8 + 8 * below(7));
        check_emissions_f64(1 + below(60), 8 + 8 * below(7));
    }
    return 0;
}
