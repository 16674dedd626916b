#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh sanitizers BUILD_DIR: builds there and runs the suites, the kernels' test and a tuning that runs out
# of memory under AddressSanitizer and UndefinedBehaviorSanitizer, kernels included.
# run.sh valgrind BUILD_DIR: what is built there already, a chosen set, under valgrind, which sees what has
# no value (it knows AVX2, not AVX-512). Problems without projections: the code that oneDNN compiles reads
# beyond its own blocks and has no name that could be excused.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
what=$1 build=$2
launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
log=$build.$what.log
quietly() { "$@" >>"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }; }
: >"$log"

case $what in
sanitizers)
    # shellcheck disable=SC2086
    quietly cmake -S "$root" -B "$build" -G Ninja $launcher -DATTUNE_BUILD_TESTS=ON \
        -DCMAKE_BUILD_TYPE=Sanitized -DCMAKE_C_FLAGS="-O1 -g1 -fsanitize=address,undefined \
-fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    quietly cmake --build "$build" --target engine_tests tuner_tests fault_tune kernel_tests
    # Criterion leaves blocks of its own behind, and stands in every test's stack: leaks are fault_memory's
    # and valgrind's to find.
    options=detect_leaks=0
    export UBSAN_OPTIONS=print_stacktrace=1 XDG_DATA_HOME="$build/untuned"
    suites() { # PATTERN of engine_tests
        "$build/tests/engine_tests" --color=never -j2 --filter "@($1)/*"
    }
    # Guard pages watch the kernels' operands from outside; here it is their own arrays and arithmetic.
    # What asks for speed or for other processes is left to the plain build. Variables that a function left
    # behind take nearly half of the time to find: not looked for where random problems repeat what the
    # other suites call.
    {
        export ASAN_OPTIONS=$options:detect_stack_use_after_return=1
        "$build/tests/arch/kernel_tests"
        "$build/tests/fault/fault_tune" 11
        suites 'args|cache|cpu|exact|kinds|limits|numbers|odd|prepared|projection|quota|reference|shares|topology|validate'
        "$build/tests/tuner_tests" --color=never -j2
        export ASAN_OPTIONS=$options:detect_stack_use_after_return=0
        suites 'choice|extreme|mechanism|same_bits|splits'
    } 2>&1 | tee "$build.$what.results"
    awk '/^[0-9]+ passed, [0-9]+ failed$/ {passed += $1}
         /Tested: [0-9]+ \| Passing:/ {sub(/.*Passing: /, ""); passed += $1}
         END {printf "%d passed, 0 failed\n", passed}' "$build.$what.results"
    ;;
valgrind)
    problems=$root/bench/data
    quietly cmake -S "$root" -B "$build" -G Ninja $launcher -DATTUNE_BUILD_TESTS=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo
    quietly cmake --build "$build" --target attune_command fault_endure
    # hwloc keeps its topology, and the team its threads (one here: valgrind runs
    # one at a time, and a waiting one would take another's turn), until the process ends.
    checked() {
        quietly valgrind --quiet --fair-sched=yes --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
            --errors-for-leak-kinds=definite --suppressions="$here/valgrind.supp" "$@"
        printf '%s\n' "clean: ${*##*/}"
    }
    checked "$build/attune" run "$problems/g2p_scaled.safetensors" --threads 1
    checked "$build/attune" info --explain self:dot,t=64,d=16,causal=top_left
    checked "$build/attune" picture "$problems/g2p_scaled.safetensors"
    printf '3 passed, 0 failed\n'
    ;;
*)
    echo "run.sh sanitizers|valgrind BUILD_DIR" >&2
    exit 2
    ;;
esac
