#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# command.sh QEMU DIR ARGUMENT...: runs the command that cross.sh built under DIR. Exits with 3 where
# there is no sysroot to run it in.
set -u
qemu=$1 work=$2
shift 2
[ -e "$work/sysroot/done" ] || exit 3
exec "$qemu" -L "$work/sysroot/root" "$work/command/attune" "$@"
