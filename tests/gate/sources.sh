#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sources.sh SOURCE_DIR: dependencies go one way (bench, tests -> engine -> tuner -> arch), and one file
# each knows hwloc, oneDNN and OpenMP.
set -u
cd "$1" || exit 1
failures=0
fail() { printf '%s\n' "$*"; failures=$((failures + 1)); }
# search REGEX FOLDER...: C files there that match, none where a folder is absent. bench/peers holds
# programs that use other libraries in our stead and none of ours.
search() {
    local regex=$1
    shift
    grep -rlE --include='*.[ch]' --include='*.def' --exclude-dir=peers "$regex" "$@" 2>/dev/null
}
# closed FOLDER UPPER...: nothing in FOLDER includes anything of the folders above it
closed() {
    local folder=$1 uppers
    shift
    uppers=$(IFS='|'; echo "$*")
    local found
    found=$(search "#[[:space:]]*include[[:space:]]*[<\"](\.\./)*($uppers)/" "$folder")
    [ -z "$found" ] || fail "$folder/ reaches up into $*:" $found
}
# owned HEADER FILE
owned() {
    local found
    found=$(search "#[[:space:]]*include[[:space:]]*[<\"](.*/)?${1//./\\.}[>\"]" arch engine tuner bench)
    [ "$found" = "$2" ] || fail "$1 is $2's alone, but is included by:" $found
}
[ -d arch ] && [ -d engine ] && [ -d tuner ] || fail "not a source tree: $1"
closed arch engine tuner bench tests attune
closed tuner engine bench tests attune
closed engine bench tests
closed bench tests
owned hwloc.h arch/topology.c
owned dnnl.h engine/projection.c
owned omp.h engine/threads.c
found=$(search '_mm(256|512)?_|vld1q_|__AVX|immintrin\.h|arm_neon\.h' engine tuner bench)
[ -z "$found" ] || fail "instruction sets belong in arch/:" $found
# The public header stands alone.
found=$(grep -hoE '#[[:space:]]*include.*' engine/include/attune/attune.h | grep -vE '<(stddef|stdint)\.h>')
[ -z "$found" ] || fail "attune.h includes" "$found"
[ "$failures" -eq 0 ] && echo "dependencies go one way"
exit $((failures != 0))
