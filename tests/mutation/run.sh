#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [NAME...]: does the suite see a bug? Plants those of mutants.tsv (or the ones named) one at a
# time in a copy of the sources, builds what changed, and runs the tests of that layer, a minute at the
# most each. Keeps the last outcome of each in RESULTS.tsv. Exit 1 when fewer than 95 % are killed, or
# when one no longer applies to the sources.
#   killed    a test failed
#   hung      the tests did not end within five times what they take without a bug, and within the
#             limit (ATTUNE_MUTANT_SECONDS, 60): counted with the killed
#   survived, broken (does not compile), stale (the expression changes nothing)
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/build/mutation
tree=$work/tree build=$work/build results=$work/results.tsv
limit=${ATTUNE_MUTANT_SECONDS:-60}
commit=$(git -C "$root" rev-parse --short HEAD)

mkdir -p "$tree"
(cd "$root" && tar --exclude=./build --exclude=./.git -cf - .) | tar -xf - -C "$tree" || exit 1
# A run that was stopped has left objects with a bug in them, newer than their sources.
(cd "$tree" && grep -v '^#' "$here/mutants.tsv" | cut -f3 | sort -u | xargs touch)
launcher=
! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
# shellcheck disable=SC2086
cmake -S "$tree" -B "$build" -G Ninja $launcher -DATTUNE_BUILD_TESTS=ON >"$work/log" || exit 1

# What the user tuned on this machine is no part of a test.
export XDG_DATA_HOME=$work/untuned
unset ATTUNE_CACHE

# build_tests TEST, run_tests TEST: "kernels:NAME", "engine:PATTERN", "tuner:PATTERN",
# "cli:PATTERN", "fault", "output", "tsan:KIND".
build_tests() {
    case $1 in
    kernels:*) set -- kernel_tests ;;
    engine:*) set -- engine_tests ;;
    tuner:*) set -- tuner_tests ;;
    cli:*) set -- cli_tests attune_command ;;
    fault) set -- fault_memory attune_command ;;
    output) set -- fault_io attune_command ;;
    tsan:*) return 0 ;;
    esac
    cmake --build "$build" --target "$@" >"$work/log" 2>&1
}
run_tests() { # TEST SECONDS
    local limit=$2
    case $1 in
    kernels:*) timeout "$limit" "$build/tests/arch/kernel_tests" --filter "${1#*:}" ;;
    engine:*) timeout "$limit" "$build/tests/engine_tests" --filter "${1#*:}" --fail-fast -j2 ;;
    tuner:*) timeout "$limit" "$build/tests/tuner_tests" --filter "${1#*:}" --fail-fast -j2 ;;
    cli:*) timeout "$limit" "$build/tests/cli_tests" --filter "${1#*:}" --fail-fast -j2 ;;
    fault) timeout "$limit" "$build/tests/fault/fault_memory" "$build/attune" 20 \
        "$root/bench/data/g2p_location.safetensors" ;;
    output) timeout "$limit" bash "$tree/tests/fault/output.sh" "$build/attune" \
        "$build/tests/fault/libfault_io.so" "$root/bench/data/g2p_location.safetensors" ;;
    tsan:*) timeout "$limit" "$tree/tests/threads/tsan.sh" "$work/tsan" 130 "${1#*:}" ;;
    esac >"$work/log" 2>&1
}

mutants() { grep -v '^#' "$here/mutants.tsv"; }
wanted() { [ $# -eq 1 ] || printf '%s\n' "${@:2}" | grep -qxF -- "$1"; }

for name; do
    mutants | cut -f1 | grep -qxF -- "$name" || { printf 'run.sh: %s: no such mutant\n' "$name" >&2 && exit 2; }
done

# A test that fails without a bug kills nothing.
declare -A patience # of each test: the seconds after which it hangs
for test in $(mutants | while IFS=$'\t' read -r name test _; do wanted "$name" "$@" && echo "$test"; done |
    sort -u); do
    build_tests "$test" && started=$SECONDS && run_tests "$test" 1800 && {
        patience[$test]=$((5 * (SECONDS - started + 1)))
        [ "${patience[$test]}" -ge "$limit" ] || patience[$test]=$limit
        continue
    }
    printf '%s fails on the sources as they are\n' "$test"
    tail -n 20 "$work/log"
    exit 1
done

# The table: mutants in their order, with what they did now, or else the last time.
tabulate() {
    awk -F'\t' -v OFS='\t' -v commit="$commit" '
        BEGIN {
            print "# What became of each mutant the last time; run.sh writes this."
            print "# name", "tests", "outcome", "seconds", "commit"
        }
        FILENAME ~ /results.tsv$/ {now[$1] = $0 OFS commit; next}
        FILENAME ~ /RESULTS.tsv$/ {before[$1] = $0; next}
        !/^#/ && $1 in now {print now[$1]; next}
        !/^#/ && $1 in before {print before[$1]}' \
        "$results" "$here/RESULTS.tsv" "$here/mutants.tsv" >"$results.table" &&
        cp "$results.table" "$here/RESULTS.tsv"
}

: >"$results"
while IFS=$'\t' read -r name test file expression; do
    wanted "$name" "$@" || continue
    started=$SECONDS
    # From the copy, since the sources may change meanwhile.
    cp "$tree/$file" "$work/sound"
    sed -e "$expression" "$work/sound" >"$work/mutant"
    if cmp -s "$work/mutant" "$work/sound"; then
        outcome=stale
    else
        cat "$work/mutant" >"$tree/$file"
        if ! build_tests "$test"; then
            outcome=broken
        else
            run_tests "$test" "${patience[$test]}"
            case $? in
            0) outcome=survived ;;
            124) outcome=hung ;;
            *) outcome=killed ;;
            esac
        fi
        cat "$work/sound" >"$tree/$file"
    fi
    printf '%s\t%s\t%s\t%d\n' "$name" "$test" $outcome $((SECONDS - started)) | tee -a "$results"
    tabulate
done < <(mutants)

awk -F'\t' '{n++; count[$3]++} END {
    killed = count["killed"] + count["hung"]
    printf "figure: %d of %d mutants killed (%.0f %%), %d of them by hanging, %d survived, %d to be written anew\n",
        killed, n, 100 * killed / n, count["hung"], count["survived"], count["stale"] + count["broken"]
    exit killed < 0.95 * n || count["stale"] + count["broken"] > 0
}' "$results"
