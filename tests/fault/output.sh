#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# output.sh COMMAND SHIM PROBLEM: `attune run PROBLEM -o RESULT` on disks and systems that fail. The
# old file is whole or the new one is, nothing lies beside it, and the message names the path and the
# reason.
set -u
command=$1 shim=$2 problem=$3
folder=$(mktemp -d /tmp/attune-output-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
passed=0 failed=0

pass() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)) && printf '%s\n' "$*"; }
# expect WHAT CONDITION...: the condition is a test's.
expect() { local what=$1 && shift && if "$@"; then pass; else fail "$what: $* ($(cat "$folder/err"))"; fi; }
says() { grep -qF -- "$1" "$folder/err"; }
one_line() { [ "$(wc -l <"$folder/err")" = 1 ]; }
count_is() { [ "$(find "$1" -mindepth 1 | wc -l)" = "$2" ]; }
run() { # PATH [BEFORE...]: the exit code in $code
    local path=$1
    shift
    # Around it, since the shell says of itself that something was killed.
    { "$@" "$command" run "$problem" -o "$path" >"$folder/out" 2>"$folder/err"; } 2>/dev/null
    code=$?
    return 0
}
refused() { # WHAT PATH REASON
    expect "$1" [ "$code" = 4 ]
    expect "$1" one_line
    expect "$1" says "$2"
    expect "$1" says "$3"
}

run "$folder/new"
expect "as it should be" [ "$code" = 0 ]
place=$folder/place
mkdir "$place"
fresh() { rm -rf "$place" && mkdir "$place" && printf old >"$place/result"; }
printf old >"$folder/old"
is_old() { cmp -s "$place/result" "$folder/old"; }
is_new() { cmp -s "$place/result" "$folder/new"; }

# ---- Calls that fail. ----
preload() { run "$place/result" env LD_PRELOAD="$shim" ATTUNE_IO="$1"; }
writes=0 code=4
while fresh && preload "write $((writes + 1)) 28" && [ $code = 4 ]; do writes=$((writes + 1)); done
expect "it writes" [ $writes -gt 0 ]
while read -r errno reason; do
    for call in open write fsync close rename; do
        [ "$call/$errno" != fsync/30 ] || continue # EROFS there: a device that cannot sync
        for n in $(seq 1 "$([ $call = write ] && echo "$writes" || echo 1)"); do
            fresh
            preload "$call $n $errno"
            refused "$call $n fails with $errno" "$place/result" "$reason"
            expect "$call $n fails with $errno" is_old
            expect "$call $n fails with $errno" count_is "$place" 1
        done
    done
done <<'END'
28 No space left on device
122 Disk quota exceeded
30 Read-only file system
5 Input/output error
116 Stale file handle
13 Permission denied
END
# The folder's fsync comes after the rename: the new file is there, its durability is not sure.
fresh
preload "fsync 2 5"
refused "the folder cannot be synced" "$place/result" "Input/output error"
expect "the folder cannot be synced" is_new
for call in write close; do
    for what in 4 short; do
        [ "$call/$what" != close/short ] || continue
        for n in $(seq 1 "$writes"); do
            fresh
            preload "$call $n $what"
            expect "$call $n: $what" [ "$code" = 0 ]
            expect "$call $n: $what" is_new
        done
    done
done

# ---- SIGKILL before and after each step. ----
for call in open write fsync close rename; do
    for n in 1 2 $([ $call = write ] && seq 3 "$writes"); do
        for when in before after; do
            fresh
            preload "$call $n $when"
            if is_old || is_new; then pass; else fail "killed $when $call $n: neither old nor new"; fi
            run "$place/result"
            expect "after a kill $when $call $n" [ "$code" = 0 ]
            expect "after a kill $when $call $n" is_new
        done
    done
done

# ---- Paths. ----
fresh
run "$place"
refused "a directory" "$place" "Is a directory"
run "$place/none/result"
refused "no such folder" "$place/none/result" "No such file or directory"
run "$place/result/below"
refused "a file for a folder" "$place/result/below" "Not a directory"
run /dev/full
refused "a full device" /dev/full "No space left on device"
fresh
run "$place/result" bash -c 'ulimit -f 1 && exec "$@"' -
refused "over the limit of a file's size" "$place/result" "File too large"
expect "over the limit of a file's size" is_old
expect "over the limit of a file's size" count_is "$place" 1
run /dev/null
expect "/dev/null" [ "$code" = 0 ]
expect "/dev/null" [ -c /dev/null ]
ln -s loop "$place/loop"
run "$place/loop"
refused "a loop of links" "$place/loop" "Too many levels of symbolic links"
rm "$place/loop"
mkdir "$place/real"
ln -s real/target "$place/link"
run "$place/link"
expect "a link to what is not there yet" [ "$code" = 0 ]
expect "a link to what is not there yet" [ -L "$place/link" ]
expect "a link to what is not there yet" cmp -s "$place/real/target" "$folder/new"
run "$place/$(printf 'n%.0s' $(seq 255))"
expect "the longest name" [ "$code" = 0 ]
run "$place/$(printf 'n%.0s' $(seq 256))"
refused "a name too long" nnnn "File name too long"

# ---- Every other command that writes a file does it the same way. ----
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
any() { # PATH BEFORE... -- COMMAND...: the path goes behind the command
    local path=$1
    shift
    local before=()
    while [ "$1" != -- ]; do before+=("$1") && shift; done
    shift
    "${before[@]}" "$command" "$@" "$path" >"$folder/out" 2>"$folder/err"
    code=$?
}
while read -r -a writer; do
    what=${writer[0]}
    fresh
    any "$place" -- "${writer[@]}"
    refused "$what: a directory" "$place" "Is a directory"
    any "$place/none/result" -- "${writer[@]}"
    refused "$what: no such folder" "$place/none/result" "No such file or directory"
    any /dev/full -- "${writer[@]}"
    refused "$what: a full device" /dev/full "No space left on device"
    for call in write fsync rename; do
        fresh
        any "$place/result" env LD_PRELOAD="$shim" ATTUNE_IO="$call 1 28" -- "${writer[@]}"
        refused "$what: $call fails" "$place/result" "No space left on device"
        expect "$what: $call fails" is_old
        expect "$what: $call fails" count_is "$place" 1
    done
    ln -s result "$place/link"
    any "$place/link" -- "${writer[@]}"
    expect "$what: a link" [ "$code" = 0 ]
    expect "$what: a link" [ -L "$place/link" ]
    expect "$what: a link" [ "$(stat -c %s "$place/result")" -gt 3 ]
done <<END
picture $problem --svg
report $source/bench/results/zen5-2c.jsonl -o
cache export -o
bench --kernel weights_scalar_* --seconds 0.001 -o
END

# ---- Another user's file, a folder that may not be written. ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    fresh
    chmod 1777 "$place"
    if "${as_nobody[@]}" test -x "$command" -a -r "$problem"; then
        run "$place/result" "${as_nobody[@]}"
        refused "another user's file" "$place/result" "Permission denied"
        expect "another user's file" is_old
        chmod 755 "$place"
        run "$place/other" "${as_nobody[@]}"
        refused "a folder that may not be written" "$place/other" "Permission denied"
        expect "a folder that may not be written" count_is "$place" 1
    fi
fi

# ---- A disk that is full, and one that is read-only. ----
small=$folder/small
mkdir "$small"
if mount -t tmpfs -o size=16k attune "$small" 2>/dev/null; then
    printf old >"$small/result"
    head -c 12288 /dev/zero >"$small/filler"
    run "$small/result"
    refused "a full disk" "$small/result" "No space left on device"
    expect "a full disk" [ "$(cat "$small/result")" = old ]
    expect "a full disk" count_is "$small" 2
    mount -o remount,ro "$small"
    run "$small/result"
    refused "a read-only disk" "$small/result" "Read-only file system"
    umount "$small"
else
    echo "no file system can be mounted here: the full and the read-only disk are left to the shim"
fi

printf '%d passed, %d failed\n' $passed $failed
exit $((failed != 0))
