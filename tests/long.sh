#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# long.sh RESULTS.xml: puts the figures of the tests that take minutes into LONG.tsv, in place of those
# that stand there of the same test. The file is ctest's (--output-junit); a figure is what a test prints
# behind "figure: ". tests/run.sh --long does this at its end; one of them alone:
#   (cd build/tests && ctest -R engine.wide --test-output-size-passed 1000000 --output-junit one.xml) &&
#       tests/long.sh build/tests/one.xml
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
table=$here/LONG.tsv
[ $# -eq 1 ] || { sed -n '4,/^set/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2 && exit 2; }

fresh=$(awk -v day="$(date +%F)" -v commit="$(git -C "$here" rev-parse --short HEAD)" '
    /<testcase / {
        match($0, / name="[^"]*"/); name = substr($0, RSTART + 7, RLENGTH - 8)
        match($0, / time="[^"]*"/); seconds = substr($0, RSTART + 7, RLENGTH - 8)
        passed = /status="run"/
    }
    sub(/.*figure: /, "") {
        printf "%s\t%s\t%s\t%.0f\t%s%s\n", day, commit, name, seconds, $0, passed ? "" : " (failed)"
    }' "$1")
[ -n "$fresh" ] || { echo "long.sh: no figure in $1" >&2 && exit 1; }
{
    printf '# What tests/run.sh --long found last; tests/long.sh writes this.\n'
    printf '# day\tcommit\ttest\tseconds\tfigure\n'
    {
        printf '%s\n' "$fresh"
        [ ! -f "$table" ] || awk -F'\t' -v fresh="$fresh" 'BEGIN {
                for (n = split(fresh, line, "\n"); n > 0; n--) {
                    split(line[n], field, "\t")
                    again[field[3]]
                }
            }
            !/^#/ && !($3 in again)' "$table"
    } | sort -t "$(printf '\t')" -k 3,3 -k 5,5
} >"$table.new"
mv "$table.new" "$table"
