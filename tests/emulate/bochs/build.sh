#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh DIR: makes DIR/rom.bin, exactly 64 KiB.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
cd "$1"
cc=${CC:-cc}
"$cc" -std=c11 -O1 -Wall -Wextra -ffreestanding -fno-pic -mcmodel=large -mno-red-zone \
    -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
    -fno-tree-loop-distribute-patterns -c "$here/kernel.c" -o kernel.o
"$cc" -I"$here" -c "$here/boot.S" -o boot.o
ld -nostdlib -static -z noexecstack -T "$here/rom.ld" boot.o kernel.o -o rom.elf
objcopy -O binary -j .text -j .reset --gap-fill 0 rom.elf rom.bin
[ "$(stat -c %s rom.bin)" -eq 65536 ]
