#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tsan.sh BUILD_DIR [LENGTH [KIND]]: builds drive.c and the library with ThreadSanitizer there, and runs it. Archer
# tells the sanitizer what OpenMP's own barriers order.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
# shellcheck disable=SC2086
[ -f "$build/build.ninja" ] || CC=clang cmake -S "$here/tsan" -B "$build" -G Ninja $launcher >"$build.log"
cmake --build "$build" >>"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }
major=$(clang -dumpversion | cut -d. -f1)
archer=$(find /usr/lib/llvm-"$major" /usr/lib/*-linux-gnu -name libarcher.so 2>/dev/null | head -n 1)
[ -n "$archer" ] || { echo "libarcher.so is not installed (libomp-dev)"; exit 1; }
OMP_TOOL_LIBRARIES=$archer TSAN_OPTIONS="ignore_noninstrumented_modules=1 suppressions=$here/tsan.supp" \
    "$build/drive" "${2:-130}" ${3:+"$3"}
