#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--compilers] BUILD_DIR: the sources without a warning: clang with -Wall -Wextra -Wconversion
# -Wshadow (gcc's are errors in the suites' own build); then (not with --compilers) gcc -fanalyzer, clang-tidy with the
# checks of .clang-tidy, and cppcheck. Kernels are left to the compilers: analyzers expand their unrolled
# bodies for minutes and find nothing in straight-line code.
#
# Exceptions, one line each in exceptions.txt: the tool's name for it, the file, and why it is none.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
compilers=
[ "$1" != --compilers ] || { compilers=only && shift; }
build=$1
failures=0
mkdir -p "$build"
launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache

# judge TOOL: what is on standard input, less the exceptions, which name no lines. Fails where that is any.
judge() {
    local found
    found=$(sort -u | awk -F'\t' 'NR == FNR {if ($0 !~ /^#/) exception[$1]; next}
        {bare = $0; gsub(/:[0-9]+/, "", bare)
         for (e in exception) if (index(bare, e)) next
         print}' "$here/exceptions.txt" -)
    if [ -n "$found" ]; then
        printf '%s:\n%s\n' "$1" "$found"
        return 1
    fi
    printf '%s: clean\n' "$1"
}

cd "$root" || exit 1
# The suites' own build is gcc's, with -Werror.
# shellcheck disable=SC2086
CC=clang cmake -S . -B "$build/clang" -G Ninja $launcher -DATTUNE_BUILD_TESTS=OFF \
    -DATTUNE_WERROR=ON \
    >"$build/clang.log" 2>&1 && cmake --build "$build/clang" -- -k 0 >>"$build/clang.log" 2>&1 ||
    echo "error: the build failed" >>"$build/clang.log"
grep -E '(warning|error|Error)[: ]' "$build/clang.log" | judge clang || failures=$((failures + 1))
[ -z "$compilers" ] || exit $((failures != 0))

sources=$(ls engine/*.c engine/mechanism/*.c tuner/*.c arch/*.c bench/*.c bench/cli/*.c bench/examples/*.c)
flags="-std=c11 -D_GNU_SOURCE -I. -Iengine/include -I$build/clang/generated $(pkg-config --cflags hwloc jansson)"
# each COMMAND...: the command for every source in place of {}, on all processors.
# shellcheck disable=SC2086
each() { printf '%s\n' $sources | xargs -P "$(nproc)" -I '{}' "$@"; }
# shellcheck disable=SC2086
each gcc $flags -fopenmp -O1 -fanalyzer -c -o /dev/null '{}' 2>&1 | grep 'warning:' | judge "gcc -fanalyzer" || failures=$((failures + 1))
# shellcheck disable=SC2086
each clang-tidy --quiet '{}' -- $flags -fopenmp 2>/dev/null | grep -E '(warning|error):' |
    sed "s|$root/||" | judge "clang-tidy" || failures=$((failures + 1))
# shellcheck disable=SC2086
cppcheck --quiet --enable=warning,performance,portability --std=c11 --inline-suppr -D_GNU_SOURCE \
    -D__x86_64__ -D__linux__ -I. -Iengine/include --suppress=missingIncludeSystem \
    --template='{file}:{line}: {id}: {message}' $sources 2>&1 | judge cppcheck || failures=$((failures + 1))
printf 'figure: %d sources, %d exceptions, %d of 4 tools with something to say\n' \
    "$(printf '%s\n' $sources | wc -l)" "$(grep -vc '^#' "$here/exceptions.txt")" $failures
exit $((failures != 0))
