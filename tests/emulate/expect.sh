#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# expect.sh REGEX COMMAND...: runs the command; passes when it exits with 0 and a line of its output
# matches. An emulated suite that ran something else than it was meant to has failed.
set -u
regex=$1
shift
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
"$@" 2>&1 | tee "$output"
status=${PIPESTATUS[0]}
[ "$status" -eq 0 ] || { echo "exit status $status"; exit "$status"; }
grep -qE -- "$regex" "$output" || { echo "no line matches: $regex"; exit 1; }
