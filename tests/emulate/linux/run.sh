#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [-m MODEL] [-t SECONDS] ROM DIR COMMANDS FILE...
# Boots Linux on Bochs's CPU MODEL, with FILEs (and the shared libraries of those that are programs) at
# the places they have here, runs the lines of the file COMMANDS in it, prints what they print, and
# exits with 0 when all did. DIR keeps the kernel, which comes from this machine's apt.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
model=corei7_skylake_x limit=1800
while getopts m:t: option; do
    case $option in
    m) model=$OPTARG ;;
    t) limit=$OPTARG ;;
    *) exit 125 ;;
    esac
done
shift $((OPTIND - 1))
rom=$(realpath "$1") keep=$2 commands=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A kernel for virtual machines: what it needs is built in. The package is unpacked, not installed.
if [ ! -e "$keep/vmlinuz" ]; then
    mkdir -p "$keep/package"
    for meta in linux-image-cloud-amd64 linux-image-virtual linux-image-amd64; do
        package=$(apt-cache depends --no-recommends --no-suggests "$meta" 2>/dev/null |
            awk '/Depends: linux-image-/ {print $2; exit}')
        [ -z "$package" ] || break
    done
    [ -n "$package" ] || { echo "run.sh: apt knows no Linux image"; exit 3; }
    (cd "$keep/package" && apt-get -qq -o APT::Sandbox::User= download "$package" &&
        dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/vmlinuz-*')
    mv "$keep"/package/boot/vmlinuz-* "$keep/vmlinuz"
    rm -rf "$keep/package"
fi

root=$work/root
mkdir -p "$root/dev"
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -static "$here/init.c" -o "$root/init"
cp "$commands" "$root/commands"
for file; do
    file=$(realpath "$file")
    mkdir -p "$root${file%/*}"
    cp "$file" "$root$file"
    { ldd "$file" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r library; do
        mkdir -p "$root${library%/*}"
        [ -e "$root$library" ] || cp -L "$library" "$root$library"
    done
done
(cd "$root" && find . | cpio --quiet -o -H newc) >"$work/archive"
cp "$keep/vmlinuz" "$work/image"
truncate -s %4096 "$work/image"
cat "$work/archive" >>"$work/image"

# clearcpuid: what a kernel trips over under Bochs 2.7: XFD, XSAVEC, XSAVES, PKU, SMAP, INVPCID, PCID.
# acpi=off: there is no firmware. tsc_early_khz: ips below; CPUID tells the real CPU's clock, and every
# delay would take thirty times as long. quiet: the serial line is slow.
options="console=ttyS0 quiet mitigations=off nokaslr apparmor=0 audit=0 acpi=off panic=-1"
options="$options tsc_early_khz=50000 clearcpuid=600,321,323,515,308,298,145"
printf '%s\0' 255 "$(stat -c %s "$keep/vmlinuz")" "$(stat -c %s "$work/archive")" 1024 "$options" \
    >"$work/arguments"
head -c 32768 /dev/zero >"$work/vga"
echo continue >"$work/debugger"
cat >"$work/bochsrc" <<END
config_interface: textconfig
display_library: term
megs: 1024
romimage: file=$rom, address=0xffff0000
vgaromimage: file=$work/vga
optramimage1: file=$work/arguments, address=0x0ff00000
optramimage2: file=$work/image, address=0x10000000
cpu: model=$model, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
ata0: enabled=0
com1: enabled=1, mode=file, dev=$work/serial
clock: sync=none, time0=utc
log: $work/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
END
status=0
(cd "$work" && TERM=linux timeout -s KILL "$limit" bochs -q -f bochsrc -rc debugger \
    </dev/null >output 2>errors) || status=$?
touch "$work/serial"
sed '1,/^@@BEGIN/d; /^@@END/d' "$work/serial"
end=$(grep -aoE '^@@END [0-9]+' "$work/serial" | cut -d ' ' -f 2) || true
if [ -z "$end" ]; then
    echo "run.sh: no end within $limit s, or Bochs failed ($status):" >&2
    tail -n 5 "$work/serial" "$work/log" "$work/errors" >&2
    exit 125
fi
printf 'figure: %s: %d commands, exit code %d\n' "$model" "$(grep -c . "$commands")" "$end"
exit "$end"
