#!/usr/bin/env bash
# The kernels alone under AddressSanitizer and UBSan, as C and as C++: bash tests/kernel_fuzz.sh ROUNDS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-O1 -g -fopenmp-simd -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra"
for source in kernel_fuzz decode_fuzz; do
    # decode.c takes what it needs of ctc.c
    unused=$([ $source = decode_fuzz ] && echo -Wno-unused-function || true)
    "${CC:-gcc}" $flags $unused -std=c99 "$here/$source.c" -o "$out/${source}_c" -lm -lpthread
    "${CXX:-g++}" $flags $unused -std=c++11 -x c++ "$here/$source.c" -x none -o "$out/${source}_cpp" -lm -lpthread
    "$out/${source}_c" "${1:-4000}"
    "$out/${source}_cpp" "${1:-4000}"
done
echo "4 passed, 0 failed"
