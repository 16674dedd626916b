#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# From a bare Debian or Ubuntu to checked answers: installs what is missing, builds, runs every
# problem of bench/data against its expected results, prints one table, and draws the alignment of a
# word here and in build/alignment.svg. Options go to `attune bench`, such as --threads 4.
set -eu
case ${1-} in
-h | --help)
    sed -n '4,/^set/{s/^# \{0,1\}//p}' "$0"
    exit
    ;;
esac
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/bench/build.sh"
attune_build attune_command

# One thread unless told otherwise: these problems are words and sentences, no work for a team.
code=0
"$root/build/attune" bench --data "$root/bench/data" --threads 1 "$@" || code=$?
[ $code -lt 2 ] || exit $code # wrong use, an unfit machine
echo
"$root/build/attune" picture "$root/bench/data/g2p_additive.safetensors" --entry throughput --rows phonemes --columns letters \
    --svg "$root/build/alignment.svg" || code=$?
echo "the same picture: $root/build/alignment.svg"
exit $code
