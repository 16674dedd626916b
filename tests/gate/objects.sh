#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# objects.sh KIND OBJECT...: what the object files of one instruction set (scalar, avx2, avx512, neon)
# or of everything else (core) may contain. A foreign register means that a flag leaked, and that the
# library dies of SIGILL on the machine next door.
set -u
kind=$1
shift
[ $# -gt 0 ] || { echo "no objects of $kind"; exit 1; }
failures=0
fail() { echo "$kind: $*"; failures=$((failures + 1)); }

code=$(objdump -d --no-show-raw-insn "$@") || exit 1
uses() { grep -qE "$1" <<<"$code"; }
where() { grep -E "file format|^[0-9a-f]+ <|$1" <<<"$code" | grep -B1 -E "$1" | head -n 8; }
forbid() { if uses "$1"; then fail "$2:"; where "$1"; fi; }
require() { uses "$1" || fail "no $2 at all: nothing was compiled for it"; }

vex='%[yz]mm|%k[0-7]|^ *[0-9a-f]+:\s+v[a-z0-9]+ '
evex='%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])'
case $(uname -m)/$kind in
x86_64/scalar | x86_64/core) forbid "$vex" "AVX instructions" ;;
x86_64/avx2)
    forbid "$evex" "AVX-512 instructions"
    require '%ymm' "256-bit register"
    ;;
x86_64/avx512) require '%zmm' "512-bit register" ;;
aarch64/neon) require 'v[0-9]+\.4s' "NEON register" ;;
esac

# Every external name is ours.
nm --defined-only --extern-only "$@" | awk 'NF == 3 {print $3}' | grep -v '^attune_' >/dev/null &&
    fail "defines" $(nm --defined-only --extern-only "$@" | awk 'NF == 3 {print $3}' | grep -v '^attune_')

# Kernels call nothing of the system: no libm above all, whose results would differ between machines.
if [ "$kind" != core ]; then
    called=$(nm --undefined-only "$@" | awk 'NF == 2 && $1 == "U" {print $2}' | sort -u |
        grep -vE '^(attune_.*|memcpy|memmove|memset|_GLOBAL_OFFSET_TABLE_)$')
    [ -z "$called" ] || fail "calls" $called
fi

# An object without this note makes the stack of the whole program executable.
for object in "$@"; do
    readelf -SW "$object" | grep -q '\.note\.GNU-stack' || fail "${object##*/} leaves the stack executable"
done
# Landing pads and shadow stacks, which cost nothing: what is linked has them if every object has.
for object in "$@"; do
    [ "$(uname -m)" != x86_64 ] || readelf -nW "$object" | grep -q 'IBT, SHSTK' ||
        fail "${object##*/} lacks the CET note"
done
[ "$failures" -eq 0 ] && echo "$kind: $# objects, as they should be"
exit $((failures != 0))
