#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# abi.sh [--write] LIBRARY INCLUDE_DIR: the binary interface against abi.txt: exported symbols, sizes of
# the public structs, offsets of their members, values of all enumerators. It holds for 64-bit machines.
# A difference breaks programs that are compiled already: --write accepts it, and the version must rise.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
write=
[ "$1" != --write ] || { write=1 && shift; }
library=$1 include=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$include/attune/attune.h" >"$work/abi.c" <<'END'
import re, sys
text = re.sub(r'/\*.*?\*/', '', open(sys.argv[1]).read(), flags=re.S)
text = re.sub(r'(?m)^\s*#.*$', '', text)
print('#include <attune/attune.h>\n#include <stdio.h>\nint main(void)\n{')
for name, body in re.findall(r'struct (\w+) \{(.*?)\n\};', text, flags=re.S):
    print(f'    printf("struct {name} %zu\\n", sizeof(struct {name}));')
    for declaration in filter(str.strip, body.split(';')):
        pointer = re.search(r'\(\*(\w+)\)\(', declaration)
        names = [pointer.group(1)] if pointer else [
            re.search(r'(\w+)\s*(\[[^]]*\])*\s*$', part).group(1) for part in declaration.split(',')]
        for member in names:
            print(f'    printf("  {member} %zu\\n", offsetof(struct {name}, {member}));')
for body in re.findall(r'enum(?: \w+)? \{(.*?)\}', text, flags=re.S):
    for enumerator in filter(str.strip, body.split(',')):
        name = enumerator.split('=')[0].strip()
        print(f'    printf("{name} %lld\\n", (long long){name});')
print('}')
END
"${CC:-cc}" -std=c11 -I"$include" -o "$work/abi" "$work/abi.c"
{
    "$work/abi"
    nm -D --defined-only "$library" | awk '$2 != "A" {print "symbol " $3}' | sort
} >"$work/abi.txt"
if [ -n "$write" ]; then
    cp "$work/abi.txt" "$here/abi.txt"
elif ! diff "$here/abi.txt" "$work/abi.txt"; then
    echo "the binary interface is not that of abi.txt (<)"
    exit 1
fi
echo "$(wc -l <"$work/abi.txt") facts, as listed"
