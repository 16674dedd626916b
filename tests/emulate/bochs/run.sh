#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [-m MODEL] [-x XCR0] [-t SECONDS] ROM PROGRAM [ARGUMENT...]
# Runs a static x86-64 program on Bochs's CPU MODEL, with the ROM of this folder as its operating
# system, which saves the register state named by XCR0 (decimal; all that the CPU has unless given).
# Prints what the program prints; exits with its status, or 125 when it did not come to an end.
# BOCHS_ENVIRONMENT holds "NAME=VALUE ..." for the program.
set -u
model=corei7_icelake_u xcr0=255 limit=600
while getopts m:x:t: option; do
    case $option in
    m) model=$OPTARG ;;
    x) xcr0=$OPTARG ;;
    t) limit=$OPTARG ;;
    *) exit 125 ;;
    esac
done
shift $((OPTIND - 1))
rom=$(realpath "$1") program=$(realpath "$2") || exit 125
shift 2
work=$(mktemp -d) || exit 125
trap 'rm -rf "$work"' EXIT

{
    printf '%s\0' "$xcr0" "$program" "$@" --
    for variable in ${BOCHS_ENVIRONMENT:-}; do printf '%s\0' "$variable"; done
    printf '\0'
} >"$work/arguments"
head -c 32768 /dev/zero >"$work/vga"
echo continue >"$work/debugger"
cat >"$work/bochsrc" <<END
config_interface: textconfig
display_library: term
megs: 512
romimage: file=$rom, address=0xffff0000
vgaromimage: file=$work/vga
optramimage1: file=$work/arguments, address=0x0ff00000
optramimage2: file=$program, address=0x10000000
cpu: model=$model, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
com1: enabled=0
parport1: enabled=0
ata0: enabled=0
port_e9_hack: enabled=1
clock: sync=none, time0=utc
log: $work/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
END
# Debian's Bochs is built with its debugger, which waits for a command before the machine starts.
(cd "$work" && TERM=linux timeout -s KILL "$limit" bochs -q -f bochsrc -rc debugger \
    </dev/null >output 2>errors)
status=$?
tr -d '\000' <"$work/output" |
    sed -n '/@@START/,/@@EXIT/{/^@@START/d;/^@@EXIT/d;p}' | sed '${/^$/d}'
exit=$(grep -ao '@@EXIT [0-9]*' "$work/output" | head -n 1 | cut -d ' ' -f 2)
if [ -z "$exit" ]; then
    echo "run.sh: no end within $limit s, or Bochs failed ($status):" >&2
    tail -n 3 "$work/log" "$work/errors" >&2
    exit 125
fi
exit "$exit"
