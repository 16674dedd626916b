#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Regenerates arch/mca/table.md, the static count of every kernel's hot loop: builds the kernels for
# x86-64 and, across, for AArch64 under build/mca, and has count.py ask llvm-mca of LLVM 19 about the
# machines that the table names. Needs no such machine. --check compares with the table instead of
# writing it, and fails where a loop's ratio has grown by more than a tenth.
set -eu
case ${1-} in
-h | --help)
    sed -n '4,/^set/{s/^# \{0,1\}//p}' "$0"
    exit
    ;;
esac
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
. "$root/bench/build.sh"
attune_install gcc libc6-dev cmake make llvm-19 gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3
for target in x86 aarch64; do
    toolchain=
    [ $target = x86 ] || toolchain=-DCMAKE_TOOLCHAIN_FILE=$root/tests/emulate/aarch64.cmake
    # shellcheck disable=SC2086 # no word where there is no toolchain
    attune_quietly cmake -S "$root" -B "$root/build/mca/$target" -DATTUNE_KERNELS_ONLY=ON \
        -DCMAKE_BUILD_TYPE=Release $toolchain
done
attune_quietly cmake --build "$root/build/mca/x86" --target attune_avx2 attune_avx512
attune_quietly cmake --build "$root/build/mca/aarch64" --target attune_neon
exec python3 "$root/arch/mca/count.py" "$root/build/mca" "$root/arch/mca/table.md" "$@"
