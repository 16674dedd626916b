#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh sanitizers|valgrind BUILD_DIR: the suites under AddressSanitizer and UndefinedBehaviorSanitizer,
# in a build of their own, kernels included; or a set of them under valgrind, which sees what has no
# value and what oneDNN's compiled code does (it knows AVX2, not AVX-512).
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
what=$1 build=$2
launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
quietly() { "$@" >>"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }; }
: >"$build.log"

case $what in
sanitizers)
    # shellcheck disable=SC2086
    quietly cmake -S "$root" -B "$build" -G Ninja $launcher -DATTUNE_BUILD_TESTS=ON \
        -DCMAKE_BUILD_TYPE=Sanitized -DCMAKE_C_FLAGS="-O1 -g1 -fsanitize=address,undefined \
-fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    quietly cmake --build "$build" --target engine_tests tuner_tests
    export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
    "$build/tests/engine_tests" --color=never -j2 --filter '!(*@(dlclose|forked|choice|identity)*)'
    "$build/tests/tuner_tests" --color=never -j2
    ;;
valgrind)
    problems=$root/bench/data
    quietly cmake -S "$root" -B "$build" -G Ninja $launcher -DATTUNE_BUILD_TESTS=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo
    quietly cmake --build "$build" --target attune_command fault_endure
    # hwloc keeps its topology, and the team its threads, until the process ends.
    checked() {
        quietly valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
            --errors-for-leak-kinds=definite --suppressions="$here/valgrind.supp" "$@"
        printf '%s\n' "clean: ${*##*/}"
    }
    checked "$build/tests/fault/fault_endure" 12
    checked "$build/attune" run "$problems/g2p_location.safetensors" --threads 2
    checked "$build/attune" info --explain self:dot,t=64,d=16,causal=top_left
    checked "$build/attune" picture "$problems/g2p_location.safetensors"
    printf '4 passed, 0 failed\n'
    ;;
*)
    echo "run.sh sanitizers|valgrind BUILD_DIR" >&2
    exit 2
    ;;
esac
