#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# heldout.sh [SEED [COUNT]]: what a tuned cache is worth on shapes that the tuner was not shown: COUNT (80)
# of them made from SEED (1), on one thread and on all. Tunes the canonical set first, unless ATTUNE_TUNED
# names a cache. For each shape, a line: the SPEC, where the choice came from (core/parallel), the speed-up
# over the default with its interval and the noise, and that of the best single candidate over the tuned
# plan. Exit 1 where a shape got surely slower, or fewer than nine in ten come within 5 % of the best.
# ATTUNE_TIMED: a command to put before what is timed, such as `chrt -f 50`. ATTUNE_BUILD: a build folder.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${ATTUNE_BUILD-$root/build}
. "$root/bench/build.sh"

case ${1-} in
-h | --help)
    sed -n '4,/^set/{s/^# \{0,1\}//p}' "$0"
    exit
    ;;
esac
seed=${1-1} count=${2-80}

[ -n "${ATTUNE_BUILD-}" ] || attune_build attune_command tuning_judge
judge=$build/tests/tuning/tuning_judge
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cache=${ATTUNE_TUNED-$folder/cache}
if [ -z "${ATTUNE_TUNED-}" ]; then
    # shellcheck disable=SC2086 # words on purpose
    ATTUNE_CACHE=$cache ${ATTUNE_TIMED-} "$build/attune" tune >/dev/null 2>&1
fi

# What the lines add up to; $1: threads.
add_up() {
    awk -F'\t' -v threads="$1" '
        $5 < 1 - ($6 > 0.0075 ? 2 * $6 : 0.015) { slower++ }
        $4 > 1 + ($6 > 0.0075 ? 2 * $6 : 0.015) { faster++ }
        $7 <= 1.05 { near++ }
        { sum += log($3) }
        END {
            printf "%d threads, %d shapes: %d surely faster, %d surely slower, %.3f on the geometric mean; " \
                   "%.1f %% within 5 %% of the best\n", threads, NR, faster, slower, exp(sum / NR),
                   100 * near / NR
            exit slower > 0 || near < 0.9 * NR
        }'
}

code=0
for threads in 1 $(nproc); do
    # Some shapes at a time, so that others may have the machine in between.
    # shellcheck disable=SC2086
    "$judge" shapes "$seed" "$count" |
        xargs -n 8 ${ATTUNE_TIMED-} "$judge" rivals "$threads" "$cache" >"$folder/lines"
    cat "$folder/lines"
    add_up "$threads" <"$folder/lines" || code=1
done
exit $code
