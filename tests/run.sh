#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--long] [--native]: from a bare Debian or Ubuntu (root or sudo) to every test run: installs
# what is missing, builds into build/tests, runs all suites through ctest, those of other CPUs under
# emulators, and ends with one line, "N passed, N failed". Exits with 0 when none failed.
#   --native  without emulators, sanitizers and fuzzing: for the inner loop
#   --long    also what takes minutes: the command on an emulated AVX-512 Linux machine, more of
#             everything random; figures go into LONG.tsv
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/tests
. "$root/bench/build.sh"

emulated=ON instrumented=ON long=OFF
for option; do
    case $option in
    --native) emulated=OFF instrumented=OFF ;;
    --long) long=ON ;;
    *)
        sed -n '4,/^set/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
done
exec </dev/null
started=$SECONDS
stage() { printf '== %s (%d s)\n' "$*" $((SECONDS - started)); }
give_up() { printf 'run.sh: %s\n0 passed, 1 failed\n' "$*"; exit 1; }

# On another architecture its own kernels run natively; the emulated ones are an x86-64 host's part.
[ "$(uname -m)" = x86_64 ] || emulated=OFF
stage "packages"
# shellcheck disable=SC2086
attune_install $attune_packages g++ binutils libcriterion-dev strace locales python3 ||
    give_up "packages are missing"
if [ "$emulated" = ON ]; then
    attune_install bochs bochs-term qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross ||
        give_up "the emulators cannot be installed, so AVX-512 and NEON would not run"
fi

if [ "$instrumented" = ON ]; then
    attune_install clang libclang-rt-dev libomp-dev valgrind ||
        give_up "the sanitizers cannot be installed"
fi
# The page of attune report is tested in a browser; without one that test is skipped and says so.
command -v chromium >/dev/null || attune_install chromium || echo "no Chromium: its test will be skipped"

if [ "$long" = ON ]; then
    attune_install cpio clang-tidy cppcheck || give_up "cpio, clang-tidy or cppcheck cannot be installed"
fi

stage "build"
mkdir -p "$build"
rm -f "$build/results.xml"
cmake -S "$root" -B "$build" -G Ninja -DATTUNE_BUILD_TESTS=ON -DATTUNE_WERROR=ON \
    -DATTUNE_TEST_EMULATED=$emulated -DATTUNE_TEST_INSTRUMENTED=$instrumented \
    -DATTUNE_TEST_LONG=$long >"$root/build/tests.log" 2>&1 &&
    cmake --build "$build" >>"$root/build/tests.log" 2>&1 || {
    tail -n 60 "$root/build/tests.log"
    give_up "the build failed"
}

stage "tests"
# The sizes: by default ctest keeps the first kilobyte of what a test prints, and not its result.
(cd "$build" && ctest --output-on-failure -j "$(nproc)" \
    --test-output-size-passed 100000000 --test-output-size-failed 100000000 \
    --output-junit "$build/results.xml")
code=$?
[ "$long" = OFF ] || "$root/tests/long.sh" "$build/results.xml"
stage "done"

# A Criterion suite counts its own cases and kernel_tests its checks; any other test is one. A suite
# that failed without a failed case (a crash, a time limit, the wrong kernel) adds one to the failed.
awk '
    /<testcase / {
        tests++
        run = /status="run"/
        passed = run
        failed = 0
        skipped = 0
    }
    { sub(/.*<system-out>/, "") }
    /SKIP_RETURN_CODE/ { skipped = 1 }
    match($0, /Tested: [0-9]+ \| Passing: [0-9]+ \|/) {
        split(substr($0, RSTART, RLENGTH), n, /[^0-9]+/)
        passed = n[3]
        failed = n[2] - n[3]
    }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed = $1; failed = $3 }
    /<\/testcase>/ {
        all_passed += passed
        all_skipped += skipped
        all_failed += failed > 0 || run ? failed : !skipped
    }
    END {
        if (tests == 0) all_failed = 1
        printf "%d passed, %d failed", all_passed, all_failed
        printf all_skipped ? ", %d skipped\n" : "\n", all_skipped
    }
' "$build/results.xml"
exit $code
