/* The level of a processor, from the words of some that there are. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/dispatch.h"

int main(void) {
    const ctc_shim_words none = {0, 0, 0, 0}, westmere = {0x029ee3ff, 0, 1, 0},
                         haswell = {0x7ffafbff, 0x000027ab, 0x21, 0x07},
                         skylake_server = {0x7ffefbff, 0xd39ffffb, 0x121, 0xe7};
    ctc_shim_words words = skylake_server;
    CHECK(ctc_shim_level_of(none) == 0 && ctc_shim_level_of(westmere) == 1);
    CHECK(ctc_shim_level_of(haswell) == 2 && ctc_shim_level_of(words) == 3);
    words.kept = 0x07; /* an operating system that keeps no registers of AVX-512 */
    CHECK(ctc_shim_level_of(words) == 2);
    words.kept = 0x03; /* nor those of AVX */
    CHECK(ctc_shim_level_of(words) == 1);
    words = haswell;
    words.extended_c = 1; /* without LZCNT its code would run as BSR, and be wrong */
    CHECK(ctc_shim_level_of(words) == 1);
    CHECK(ctc_shim_level() >= 0 && ctc_shim_level() < CTC_SHIM_LEVELS);
    return 0;
}
