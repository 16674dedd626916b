#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# update.sh [NAME [LABEL]]: measures this machine (a quarter of an hour, best left alone) and publishes:
# writes NAME.jsonl (the standard suite, and the quick one below AVX-512) and NAME-peers.jsonl (other
# engines side by side) here, then the tables of README.md and bench/pictures/peers.svg from all files
# here. NAME defaults to the CPU's family and model and the number of CPUs.
#   --readme  only the tables and the picture, from the files that are here
#   --check   1 when these would change; changes nothing
#   --quick   a minute each, to try it
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
results=$root/bench/results
readme=$root/README.md
picture=$root/bench/pictures/peers.svg
. "$root/bench/build.sh"
begin='<!-- bench/results/update.sh writes from here -->'
end='<!-- to here -->'

mode=measure suite=standard quick=
case ${1-} in
-h | --help)
    sed -n '4,/^set/{s/^# \{0,1\}//p}' "$0"
    exit
    ;;
--readme | --check)
    mode=${1#--}
    shift
    ;;
--quick)
    suite=quick quick=--quick
    shift
    ;;
-*)
    attune_say "update.sh: $1: no such option; see update.sh --help"
    exit 2
    ;;
esac

command=${ATTUNE_COMMAND-}
if [ -z "$command" ]; then
    command=$root/build/attune
    attune_build attune_command attune
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The CPU's own words, where the system tells them: "authenticamd-26-2-2cpu".
default_name() {
    sed -n 's/^\(vendor_id\|cpu family\|model\|CPU implementer\|CPU part\)[[:space:]]*: *//p' /proc/cpuinfo |
        head -3 | tr 'A-Z \n' 'a-z--'
    echo "$(nproc)cpu"
}

measure() {
    name=${1:-$(default_name)} label=${2-}
    case $name in
    */* | .* | '')
        attune_say "update.sh: NAME: '$name' is no name of a file"
        exit 2
        ;;
    esac
    set -- --explain
    [ -z "$label" ] || set -- "$@" --label "$label"
    "$command" bench --suite "$suite" --threads 1,all -o "$work/best" "$@"
    : >"$work/avx2"
    if grep -q '"isa":"avx512"' "$work/best"; then
        "$command" bench --suite quick --threads 1 --isa avx2 -o "$work/avx2" "$@"
    fi
    # What other tiles would take: the machine's line and the landscapes, not their results again.
    "$command" bench --landscape --threads 1 --seconds 0.3 -o "$work/land" \
        --spec self:dot,h=8,t=1024,d=64 --spec additive,b=4,t=128,a=256,e=32 \
        ${label:+--label "$label"}
    grep -v '"kind":"result"' "$work/land" >"$work/landscapes"
    cat "$work/best" "$work/avx2" "$work/landscapes" >"$results/$name.jsonl"
    "$root/bench/peers/run.sh" $quick -o "$work/peers" || {
        attune_say "update.sh: the peers failed; their file stays as it is"
        failed=1
        return
    }
    if [ -n "$label" ]; then # the same machine under the same name
        sed -i '/"kind": *"machine"/s/"hardware"/"label": "'"$(printf %s "$label" | tr -d '"\\/&')"'", "hardware"/' \
            "$work/peers"
    fi
    cp "$work/peers" "$results/$name-peers.jsonl"
}

# publish README PICTURE: from all files here.
publish() {
    "$command" report "$results"/*.jsonl --markdown -o "$work/tables.md"
    "$command" report "$results"/*.jsonl --figure -o "$2"
    awk -v begin="$begin" -v end="$end" -v tables="$work/tables.md" '
        $0 == end { inside = 0; found++ }
        !inside { print }
        $0 == begin {
            inside = 1
            found++
            print ""
            while ((getline line < tables) > 0)
                print line
            print ""
        }
        END { exit found != 2 }' "$readme" >"$work/readme.md" || {
        attune_say "update.sh: README.md: the two lines that the tables go between are not there"
        exit 1
    }
    cp "$work/readme.md" "$1"
}

case $mode in
measure)
    failed=0
    measure "$@"
    publish "$readme" "$picture"
    exit $failed
    ;;
readme) publish "$readme" "$picture" ;;
check)
    publish "$work/README.md" "$work/peers.svg"
    code=0
    cmp "$work/README.md" "$readme" && cmp "$work/peers.svg" "$picture" || code=1
    [ $code -eq 0 ] || attune_say "README.md and its picture are not what bench/results says: run bench/results/update.sh --readme"
    exit $code
    ;;
esac
