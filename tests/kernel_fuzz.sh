#!/usr/bin/env bash
# The kernel alone under AddressSanitizer and UBSan, as C and as C++: bash tests/kernel_fuzz.sh ROUNDS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-O1 -g -fopenmp-simd -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra"
"${CC:-gcc}" $flags -std=c99 "$here/kernel_fuzz.c" -o "$out/as_c" -lm -lpthread
"${CXX:-g++}" $flags -std=c++11 -x c++ "$here/kernel_fuzz.c" -x none -o "$out/as_cpp" -lm -lpthread
for program in as_c as_cpp; do
    "$out/$program" "${1:-4000}"
done
echo "2 passed, 0 failed"
