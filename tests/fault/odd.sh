#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# odd.sh COMMAND SPELL SOURCE: the command where the system tells it less than usual: no /proc, no /sys,
# nothing from hwloc, a locale with decimal commas, little stack. The result must be right each time.
set -u
command=$1 spell=$2 source=$3
problem=$source/bench/data/g2p_location.safetensors
folder=$(mktemp -d /tmp/attune-odd-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
export XDG_DATA_HOME=$folder ATTUNE_CACHE=$folder/mine.cache
passed=0 failed=0 skipped=0
check() { # WHAT COMMAND...
    local what=$1
    shift
    "$@" >"$folder/log" 2>&1
    local code=$?
    if [ $code -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: exit %d: %s\n' "$what" $code "$(head -c 400 "$folder/log")"
    fi
}
run=("$command" run "$problem" --check --threads 3 -o "$folder/result")

# Mounts in a namespace of their own: for the superuser, or where users may make namespaces.
hidden() { unshare -rm bash -c 'mount -t tmpfs none "$0" && exec "$@"' "$@"; }
if unshare -rm true 2>/dev/null; then
    check "no /proc" hidden /proc "${run[@]}"
    check "no /sys" hidden /sys "${run[@]}"
    check "no /dev" hidden /dev "$command" run "$problem" --check
    check "info without /proc" hidden /proc "$command" info
    check "info without /sys" hidden /sys "$command" info
else
    skipped=$((skipped + 1))
    echo "no namespaces here: /proc, /sys and /dev stay"
fi

check "hwloc without discovery" env HWLOC_COMPONENTS=-linux,-linuxio,-x86,-pci,-opencl "${run[@]}"
check "hwloc: an empty file" env HWLOC_XMLFILE=/dev/null "${run[@]}"
check "hwloc: one core" env HWLOC_SYNTHETIC="core:1 pu:1" "${run[@]}"
check "hwloc: caches unknown" env HWLOC_SYNTHETIC="numa:2 core:4 pu:2" "${run[@]}"
check "hwloc: tiny caches" env HWLOC_SYNTHETIC="l2:2(size=4096) l1d:1(size=1024) pu:2" "${run[@]}"
check "hwloc: nonsense" env HWLOC_SYNTHETIC="nonsense" "${run[@]}"

check "64 KiB of stack for OpenMP's threads" env OMP_STACKSIZE=64K "${run[@]}"
check "256 KiB of stack" bash -c 'ulimit -s 256 && exec "$@"' - "${run[@]}"

# Every command on 64 KiB: the kernel kills what needs more. A machine too busy to measure on (exit code
# 3) has not used less of it.
little() { bash -c 'ulimit -s 64; "$@"; code=$?; exit $((code == 3 ? 0 : code))' - "$@"; }
spec=self:dot,h=2,t=16,d=16
results=$source/bench/results/zen5-2c
check "a cache" env ATTUNE_TUNE=record "$command" info --explain $spec
check "its export" "$command" cache export -o "$folder/cache"
while read -r line; do
    # shellcheck disable=SC2086
    check "64 KiB of stack: $line" little "$command" $line
done <<END
run $problem --check --threads 3 -o $folder/result
run $problem --check --json
bench --spec $spec --threads 1 --seconds 0.001 --explain --landscape -o $folder/results
bench --kernel weights_scalar_* --seconds 0.001
bench --list
compare $results.jsonl $folder/results
compare $results.jsonl --machine $folder/results
compare --live $command $command --spec $spec --seconds 0.001 --launches 6
report $results.jsonl $results-peers.jsonl $folder/results --picture $problem -o $folder/page
report $results-peers.jsonl --markdown
report $results-peers.jsonl --figure
report $results.jsonl --machine $folder/results -o $folder/page
tune --quick --force --threads 1 --budget 1 --spec $spec
tune --dry-run
selftest
cache list
cache inspect --why $spec
cache path --all
cache verify $folder/cache
cache merge $folder/cache $folder/cache -o $folder/merged
cache import $folder/cache
cache export -o $folder/export
cache forget --all --yes
info
info --json
info --explain $problem
picture $problem --entry 1
picture $problem --svg $folder/picture
END
check "64 KiB of stack: the example" little "$spell" --model "$source/bench/data/g2p_model.safetensors" stack

check "16 descriptors" bash -c 'ulimit -n 16 && exec "$@"' - "${run[@]}"
check "no environment" env -i "${run[@]}"

if command -v localedef >/dev/null && localedef -i de_DE -f UTF-8 "$folder/de_DE.UTF-8" 2>/dev/null; then
    comma=(env LOCPATH="$folder" LC_ALL=de_DE.UTF-8)
    check "the locale is there" test "$("${comma[@]}" locale decimal_point)" = ,
    check "decimal commas: a problem" "${comma[@]}" "${run[@]}"
    check "decimal commas: a spec" "${comma[@]}" "$command" info --explain \
        self:dot,t=4,d=8,softcap=2.5
    "${comma[@]}" "$command" run "$problem" --check --json --repeat 2 >"$folder/json" 2>&1
    check "decimal commas: JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$folder/json"
else
    skipped=$((skipped + 1))
    echo "the sources of locales are not installed: no decimal commas"
fi
printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ] || exit 1
[ $skipped -lt 2 ] || exit 77
