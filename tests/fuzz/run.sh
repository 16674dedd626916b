#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Fuzzes the readers and the API's descriptions: run.sh [OPTION...] [SECONDS [TARGET...]]
# Without arguments every target runs 60 seconds. Exit 1 when a target found something; the input that
# shows it is then in build/fuzz/findings.
#   --build   builds the targets and runs none
#   --built   runs what is built, and installs nothing: for a machine that the build was carried to
#   --jobs N  runs each target in N processes, which share what they find
#   --tally   adds what ran to TALLY.tsv
#   --total   adds TALLY.tsv up: executions and findings of each target
#   --keep    puts the smallest set of inputs that reaches what is reached into corpus/
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
build=$root/build/fuzz
tally=$here/TALLY.tsv
. "$root/bench/build.sh"

mode='' built='' jobs=1
while [ $# -gt 0 ]; do
    case $1 in
    --build | --tally | --total | --keep) mode=$1 ;;
    --built) built=yes ;;
    --jobs) jobs=${2-} && shift ;;
    -*) jobs='' ;;
    *) break ;;
    esac
    case $jobs in
    '' | *[!0-9]* | 0*)
        sed -n '4,/^set/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
    shift
done
if [ "$mode" = --total ]; then
    awk -F'\t' '!/^#/ {runs[$3] += $4; seconds[$3] += $5; found[$3] += $6}
        END {for (t in runs) printf "%-12s %12d executions, %6d s, %d findings\n",
                                    t, runs[t], seconds[t], found[t]}' "$tally" | sort
    exit
fi

seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(cd "$here" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')

if [ -z "$built" ]; then
    # shellcheck disable=SC2086
    attune_install $attune_packages clang libclang-rt-dev libomp-dev
    [ -f "$build/build.ninja" ] ||
        CC=clang attune_quietly cmake -S "$here" -B "$build" -G Ninja
    attune_quietly cmake --build "$build"
    git -C "$root" rev-parse --short HEAD >"$build/commit"
fi
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

# Runs the jobs of a target, and counts those that found something and what all executed.
run_jobs() { # TARGET FOLDER...
    target=$1 found=0 runs=0 workers=''
    shift
    for job in $(seq "$jobs"); do
        run_target "$target" -max_total_time="$seconds" "$@" 2>"$build/$target-$job.log" &
        workers="$workers $!"
    done
    for worker in $workers; do
        wait "$worker" || found=$((found + 1))
    done
    for job in $(seq "$jobs"); do
        executed=$(awk '/number_of_executed_units/ {print $2}' "$build/$target-$job.log")
        runs=$((runs + ${executed:-0}))
    done
}

code=0
mkdir -p "$build/findings"
for target; do
    work=$build/corpus/$target kept=$here/corpus/$target
    mkdir -p "$work" "$kept"
    if [ "$mode" = --keep ]; then
        rm -rf "$build/smallest" && mkdir "$build/smallest"
        run_target "$target" -set_cover_merge=1 "$build/smallest" "$work" "$kept" 2>"$build/$target.log"
        rm -rf "$kept" && mv "$build/smallest" "$kept"
        continue
    fi
    run_jobs "$target" "$work" "$kept"
    printf '%s: %s executions in %s s, %s\n' "$target" "$runs" "$seconds" \
        "$([ $found = 0 ] && echo "no finding" || echo "A FINDING")"
    if [ $found != 0 ]; then
        tail -n 30 "$build/$target"-*.log
        code=1
    fi
    [ "$mode" != --tally ] || printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$(date +%F)" "$(cat "$build/commit")" \
        "$target" "$runs" "$seconds" "$found" >>"$tally"
done
exit $code
