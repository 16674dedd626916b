#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Fuzzes the readers and the API's descriptions: run.sh [OPTION] [SECONDS [TARGET...]]
# Without arguments every target runs 60 seconds. Exit 1 when a target found something; the input that
# shows it is then in build/fuzz/findings.
#   --build  builds the targets and runs none
#   --tally  adds what ran to TALLY.tsv
#   --total  adds TALLY.tsv up: executions and findings of each target
#   --keep   puts the smallest set of inputs that reaches what is reached into corpus/
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
build=$root/build/fuzz
tally=$here/TALLY.tsv
. "$root/bench/build.sh"

mode=
case ${1:-} in
--build | --tally | --total | --keep) mode=$1 && shift ;;
-*)
    sed -n '4,/^set/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
if [ "$mode" = --total ]; then
    awk -F'\t' '!/^#/ {runs[$3] += $4; seconds[$3] += $5; found[$3] += $6}
        END {for (t in runs) printf "%-12s %12d executions, %6d s, %d findings\n",
                                    t, runs[t], seconds[t], found[t]}' "$tally" | sort
    exit
fi

seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(cd "$here" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')

# shellcheck disable=SC2086
attune_install $attune_packages clang libclang-rt-dev libomp-dev
[ -f "$build/build.ninja" ] ||
    CC=clang attune_quietly cmake -S "$here" -B "$build" -G Ninja
attune_quietly cmake --build "$build"
[ "$mode" != --build ] || exit 0

# An input may be as long as a short header, or as a description with some forty bends; a longer one
# reaches nothing more.
run_target() { # TARGET OPTION...
    length=1024
    [ "$1" != descriptor ] || length=160
    dictionary=
    [ ! -f "$here/$1.dict" ] || dictionary=-dict=$here/$1.dict
    target=$1 && shift
    # shellcheck disable=SC2086
    "$build/fuzz_$target" $dictionary -max_len=$length -timeout=20 -rss_limit_mb=4096 -close_fd_mask=1 \
        -print_final_stats=1 -artifact_prefix="$build/findings/$target-" "$@"
}

code=0
mkdir -p "$build/findings"
for target; do
    work=$build/corpus/$target kept=$here/corpus/$target log=$build/$target.log
    mkdir -p "$work" "$kept"
    if [ "$mode" = --keep ]; then
        rm -rf "$build/smallest" && mkdir "$build/smallest"
        run_target "$target" -set_cover_merge=1 "$build/smallest" "$work" "$kept" 2>"$log"
        rm -rf "$kept" && mv "$build/smallest" "$kept"
        continue
    fi
    found=0
    run_target "$target" -max_total_time="$seconds" "$work" "$kept" 2>"$log" || found=1
    runs=$(awk '/number_of_executed_units/ {print $2}' "$log")
    printf '%s: %s executions in %s s, %s\n' "$target" "${runs:-0}" "$seconds" \
        "$([ $found = 0 ] && echo "no finding" || echo "A FINDING")"
    if [ $found = 1 ]; then
        tail -n 30 "$log"
        code=1
    fi
    [ "$mode" != --tally ] || printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$(date +%F)" \
        "$(git -C "$root" rev-parse --short HEAD)" "$target" "${runs:-0}" "$seconds" "$found" >>"$tally"
done
exit $code
