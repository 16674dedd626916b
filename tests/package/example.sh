#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# example.sh README FILE: writes the README's C example, its first ```c block, to FILE.
set -eu
awk '/^```c$/ && !seen {inside = seen = 1; next} /^```$/ {inside = 0} inside' "$1" >"$2"
grep -q 'main *(' "$2" || { echo "$1 has no C example with a main()"; exit 1; }
