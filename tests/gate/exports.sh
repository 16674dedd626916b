#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# exports.sh LIBRARY HEADER MAP: the shared library exports exactly what the header declares with
# ATTUNE_API and the version script lists, and is linked as it should be.
set -u
library=$1 header=$2 map=$3
failures=0
fail() { printf '%s\n' "$*"; failures=$((failures + 1)); }
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort)
declared=$(sed 's://.*::' "$header" | tr '\n' ' ' | grep -oE 'ATTUNE_API [^;{]*;' |
    grep -oE 'attune_[a-z0-9_]+ *\(' | tr -d ' (' | sort)
listed=$(grep -oE '^ +attune_[a-z0-9_]+;' "$map" | tr -d ' ;' | sort)
[ -n "$declared" ] || fail "no declaration found in $header"
difference=$(diff <(echo "$declared") <(echo "$listed")) ||
    fail "header (<) and version script (>) differ:" "$difference"
difference=$(diff <(echo "$declared") <(echo "$exported")) ||
    fail "header (<) and exported symbols (>) differ:" "$difference"

dynamic=$(readelf -dW "$library")
segments=$(readelf -lW "$library")
has() { grep -qE "$1" <<<"$2" || fail "$3"; }
has 'SONAME.*\[libattune\.so\.[0-9]+\]' "$dynamic" "no SONAME with a version"
has 'NODELETE' "$dynamic" "not linked with -z nodelete"
has 'BIND_NOW|FLAGS.*NOW' "$dynamic" "not linked with -z now"
has 'GNU_RELRO' "$segments" "no RELRO"
has 'GNU_STACK.* RW ' "$segments" "the stack is executable"
grep -qE 'TEXTREL' <<<"$dynamic" && fail "text relocations"
grep -E 'RPATH|RUNPATH' <<<"$dynamic" | grep -qE '\[(.*:)?(\.|/tmp|[^/])' && fail "a relative or temporary RPATH"
[ "$failures" -eq 0 ] && echo "$(wc -l <<<"$exported") symbols, all of them public"
exit $((failures != 0))
