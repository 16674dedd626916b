#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# cross.sh kernels|command DIR: builds for AArch64 under DIR/kernels the kernels' test alone, or under
# DIR/command the library and the command against the sysroot that it unpacks to DIR/sysroot.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
what=$1 work=$2
options=(-S "$here/../.." -B "$work/$what" -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_TOOLCHAIN_FILE="$here/aarch64.cmake")
mkdir -p "$work"
case $what in
kernels) options+=(-DATTUNE_KERNELS_ONLY=ON) ;;
command)
    "$here/sysroot.sh" "$work/sysroot"
    options+=(-DATTUNE_SYSROOT="$work/sysroot/root" -DATTUNE_BUILD_TESTS=OFF)
    ;;
esac
cmake "${options[@]}"
cmake --build "$work/$what" --parallel 2
