#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# faults.sh ATTUNE: the command's files under faults that strace injects: killed or refused at each call
# that locks, writes, syncs, links or renames, the file that was there stays whole or the new one is: the
# cache, and an -o output. A killed writer's leftover is gone after the next. Exits with 77 (skipped)
# where strace cannot trace.
set -u
attune=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export XDG_DATA_HOME=$folder ATTUNE_CACHE=$folder/mine.cache
failures=0
checks=0
fail() { echo "$*"; failures=$((failures + 1)); }

command -v strace >/dev/null && strace -f -qq -o /dev/null true 2>/dev/null || {
    echo "strace cannot trace here"
    exit 77
}

# Two files of this machine: the keys that plans asked for.
ATTUNE_TUNE=record "$attune" info --explain self:dot,t=512,d=64 >/dev/null || fail "cannot record"
[ -s mine.cache ] || fail "nothing was recorded"
cp mine.cache old.cache
ATTUNE_TUNE=record "$attune" info --explain self:dot,t=4096,d=64 >/dev/null
cp mine.cache new.cache
cmp -s old.cache new.cache && fail "the two files do not differ"

# inject CALL WHEN WHAT COMMAND...: runs the command with that fault.
inject() {
    local call=$1 when=$2 what=$3
    shift 3
    # In a shell of its own, whose remark on who was killed goes nowhere.
    (
        strace -f -qq -o trace -e trace="$call" -e inject="$call:$what:when=$when" "$@" >out 2>err
        exit $?
    ) 2>/dev/null
}

# try CALL WHAT: import new.cache over old.cache with the fault at the first, second, ... such call, up
# to the one that does not come any more.
try() {
    local call=$1 what=$2 when code
    for when in 1 2 3 4 5 6 7 8 9; do
        cp old.cache mine.cache
        inject "$call" "$when" "$what" "$attune" cache import new.cache
        code=$?
        checks=$((checks + 1))
        if ! cmp -s mine.cache old.cache && ! "$attune" cache verify mine.cache >/dev/null; then
            fail "$call $when ($what): the file is torn"
        fi
        case $what in
        error=*)
            [ "$code" -le 4 ] || fail "$call $when ($what): exit $code"
            [ "$code" -eq 0 ] || [ "$(wc -l <err)" -eq 1 ] || fail "$call $when ($what): $(cat err)"
            ;;
        esac
        grep -q INJECTED trace || [ "$code" -gt 4 ] || return
    done
}
for call in write fsync linkat rename flock; do
    try "$call" signal=SIGKILL
    try "$call" error=EIO
    try "$call" error=ENOSPC
done

# Leftovers of the killed are old by now, and the next writer removes them.
touch -d '1 hour ago' .attune-*.tmp 2>/dev/null
cp old.cache mine.cache
"$attune" cache import new.cache >/dev/null || fail "a clean import fails"
ls -A | grep '^\.attune-' && fail "leftovers stay"

# An interruption is gone on from, at every call that can be interrupted.
for call in write fsync flock; do
    cp old.cache mine.cache
    inject "$call" 1 error=EINTR "$attune" cache import new.cache
    code=$?
    checks=$((checks + 1))
    grep -q INJECTED trace || fail "EINTR: the command does not call $call"
    [ "$code" -eq 0 ] && ! cmp -s mine.cache old.cache || fail "EINTR in $call: exit $code: $(cat err)"
done

# An -o output is the old file or the new one too; a failure is one line that names the file and the
# reason, exit 4.
"$attune" cache export -o out.cache || fail "cannot export"
cp out.cache expected.cache
for call in write fsync linkat rename; do
    for what in signal=SIGKILL error=ENOSPC error=EDQUOT error=EIO error=EINTR; do
        for when in 1 2 3; do
            echo "what was there" >out.cache
            inject "$call" "$when" "$what" "$attune" cache export -o out.cache
            code=$?
            checks=$((checks + 1))
            cmp -s out.cache expected.cache || [ "$(cat out.cache)" = "what was there" ] ||
                fail "-o: $call $when ($what): the file is torn"
            case $what/$call/$code in
            error=EINTR/write/0 | error=EINTR/fsync/0 | signal=*) ;;
            error=EINTR/write/* | error=EINTR/fsync/*) fail "-o: $call $when ($what): exit $code" ;;
            error=*/0) ;;
            error=*/4)
                [ "$(wc -l <err)" -eq 1 ] && grep -q '^attune cache export: out.cache: cannot write: ' err ||
                    fail "-o: $call $when ($what): $(cat err)"
                ;;
            *) fail "-o: $call $when ($what): exit $code" ;;
            esac
        done
    done
done

# attune tune goes on without its claim on the machine where there can be none, says nothing of it, and
# leaves nothing; a killed one's does not hinder the next.
tune=("$attune" tune --quick --force --threads 1 --budget 1 --spec self:dot,h=1,t=8,d=8)
for call in openat fstat newfstatat flock ftruncate write unlink; do
    for what in error=EIO error=EINTR signal=SIGKILL; do
        (
            strace -f -qq -o trace -P "$folder/mine.cache.tuning" -e inject="$call:$what:when=1" \
                "${tune[@]}" >out 2>err
            exit $?
        ) 2>/dev/null
        code=$?
        grep -q INJECTED trace || [ "$code" -gt 4 ] || continue
        checks=$((checks + 1))
        case $what/$call/$code in
        signal=*/*/137 | error=*/*/0) ;;
        *) fail "tune: $call ($what): exit $code: $(cat err)" ;;
        esac
    done
done
"${tune[@]}" >out 2>err || fail "tune after all that: exit $?: $(cat err)"
[ ! -e mine.cache.tuning ] || fail "the claim's file stays"

# A setuid program asks no environment, neither for a file to read nor for one to write.
if [ "$(id -u)" -eq 0 ]; then
    cp "$attune" setuid && chown 65534 setuid && chmod 4755 setuid && chmod 755 .
    said=$(ATTUNE_CACHE=$folder/mine.cache ./setuid cache path 2>&1)
    [ $? -eq 2 ] && grep -q "neither XDG_DATA_HOME nor HOME names a folder" <<<"$said" ||
        fail "setuid: $said"
    checks=$((checks + 1))
fi
[ "$failures" -eq 0 ] && echo "$checks faults, and every file old or new"
exit $((failures != 0))
