#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# repeat.sh [N [OPTION...]]: tunes the canonical set N times (5) from nothing, each a minute or less, with
# the options of `attune tune` given, and counts how often two runs agree on a key: the same entry, or two
# of which neither is surely faster when they meet. Exit 1 below nine in ten.
# ATTUNE_TIMED: a command to put before what is timed, such as `chrt -f 50`. ATTUNE_BUILD: a build folder.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${ATTUNE_BUILD-$root/build}
. "$root/bench/build.sh"

runs=5
case ${1-} in
-h | --help)
    sed -n '4,/^set/{s/^# \{0,1\}//p}' "$0"
    exit
    ;;
[0-9]*)
    runs=$1
    shift
    ;;
esac

[ -n "${ATTUNE_BUILD-}" ] || attune_build attune_command tuning_judge
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
i=0
while [ $i -lt "$runs" ]; do
    # shellcheck disable=SC2086 # words on purpose
    ATTUNE_CACHE=$folder/$i ${ATTUNE_TIMED-} "$build/attune" tune "$@" 2>/dev/null |
        grep ' keys in ' >&2
    i=$((i + 1))
done
# shellcheck disable=SC2046,SC2086
${ATTUNE_TIMED-} "$build/tests/tuning/tuning_judge" agreement "${ATTUNE_THREADS-$(nproc)}" \
    $(seq -f "$folder/%g" 0 $((runs - 1)))
