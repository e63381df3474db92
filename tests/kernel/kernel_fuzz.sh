#!/usr/bin/env bash
# The C kernel alone, as C and as C++: bash tests/kernel/kernel_fuzz.sh [ROUNDS [SANITIZERS]]
# Every header compiles by itself without warnings; the tests of its parts pass; the fuzzers
# find nothing under AddressSanitizer and UBSan, or under ThreadSanitizer (SANITIZERS: thread).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
csrc=$here/../../ctc_shim/csrc
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cc=${CC:-gcc} cxx=${CXX:-g++}
strict="-fopenmp-simd -D_GNU_SOURCE -Wall -Wextra -Wconversion -Werror"
# -Wno-pass-failed: at -O1 clang does not vectorise, and says so.
sanitized="-O1 -g -fsanitize=${2:-address,undefined} -fno-sanitize-recover=all -Wno-pass-failed"
# ThreadSanitizer of gcc 12 and older fails where the kernel randomises addresses more than it knew.
fixed=$(setarch "$(uname -m)" -R true 2>/dev/null && echo "setarch $(uname -m) -R" || true)
passed=0

for header in "$csrc"/*.h "$csrc"/cpu/*[!c].h "$csrc"/cuda/cuda_batch.h; do
    [[ $header == *.inc.h ]] && continue
    $cc $strict -std=c99 -fsyntax-only -x c -include "$header" /dev/null
    $cxx $strict -std=c++11 -fsyntax-only -x c++ -include "$header" /dev/null
done
of_the_kernel=("$csrc"/cpu/{loss,decode,align,dispatch,processors}.c)
$cc $strict -std=c99 -fsyntax-only "${of_the_kernel[@]}" "$csrc"/cuda/launcher.c
$cxx $strict -std=c++11 -fsyntax-only -x c++ "${of_the_kernel[@]}"

run() { # source, arguments of the program
    $cc $strict $sanitized -std=c99 "$1" "$csrc/cpu/processors.c" -o "$out/c" -lm -lpthread
    $cxx $strict $sanitized -std=c++11 -x c++ "$1" "$csrc/cpu/processors.c" -x none -o "$out/cpp" -lm -lpthread
    (cd "$out" && $fixed ./c "${@:2}" && $fixed ./cpp "${@:2}")
    passed=$((passed + 2))
}
for source in "$here"/test_*.c; do run "$source"; done
run "$here/kernel_fuzz.c" "${1:-4000}"
run "$here/decode_fuzz.c" "${1:-4000}"
run "$here/align_fuzz.c" "${1:-4000}"
echo "$passed passed, 0 failed"
