#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# hardened.sh FILE...: what is built has the mitigations that cost nothing: full RELRO, no executable
# stack, no writable code, canaries and FORTIFY where the compiler put them in; executables are
# position-independent. (objects.sh looks for CET: whether a linked file may use it the system's own start
# files decide.)
set -u
failures=0
fail() { printf '%s\n' "$*"; failures=$((failures + 1)); }
for file; do
    name=${file##*/}
    dynamic=$(readelf -dW "$file")
    segments=$(readelf -lW "$file")
    symbols=$(nm -D "$file" 2>/dev/null)
    grep -q 'GNU_RELRO' <<<"$segments" || fail "$name: no RELRO"
    grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || fail "$name: symbols are bound lazily"
    grep -q 'GNU_STACK.* RW ' <<<"$segments" || fail "$name: the stack is executable"
    grep -qE 'LOAD.* RWE ' <<<"$segments" && fail "$name: code that can be written"
    grep -q 'TEXTREL' <<<"$dynamic" && fail "$name: text relocations"
    grep -qE '\(RPATH\)' <<<"$dynamic" && fail "$name: RPATH"
    grep -q 'Type:.*DYN' <<<"$(readelf -hW "$file")" || fail "$name: not position-independent"
    grep -q '__stack_chk_fail' <<<"$symbols" || fail "$name: no stack protector"
    grep -q '__[a-z]*_chk' <<<"$(grep -v stack_chk <<<"$symbols")" || fail "$name: no FORTIFY"
done
[ $failures -eq 0 ] && echo "$# files, hardened"
exit $((failures != 0))
