#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sysroot.sh DIR: unpacks under DIR/root what the library and the command need on an AArch64 Debian,
# from the mirrors and the release that this machine's apt already uses, through an apt state of its
# own: nothing is installed and no foreign architecture is added. Exits with 3 where those mirrors
# carry no arm64.
set -eu
work=$1
if [ -e "$work/done" ]; then exit 0; fi
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages" "$work/root"
: >"$work/status"
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sort -u >"$work/sources.list"
mkdir "$work/keys" # all that this machine trusts for a source, whichever way its own list names it
cp /etc/apt/trusted.gpg.d/*.gpg /etc/apt/trusted.gpg.d/*.asc /usr/share/keyrings/*archive*.gpg \
    "$work/keys" 2>/dev/null || true
options=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::trustedparts="$work/keys"
    -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status"
    -o Dir::Cache="$work/cache" -o APT::Architecture=arm64 -o APT::Architectures=arm64
    -o APT::Sandbox::User= -o Acquire::Retries=3 -o Acquire::Languages=none)
apt-get "${options[@]}" -qq update >"$work/log" 2>&1 || true
wanted=(libc6-dev libgcc-s1 libgomp1 libhwloc-dev libjansson-dev libdnnl-dev)
plan=$(apt-get "${options[@]}" -s --no-install-recommends install "${wanted[@]}" 2>>"$work/log") || {
    echo "sysroot.sh: this machine's apt mirrors offer no arm64 packages" >&2
    exit 3
}
# Libraries and their headers alone: no interpreter, no tools, none of their scripts is run.
mapfile -t packages < <(awk '$1 == "Inst" && $2 ~ /^(lib|linux-libc-dev)/ && $2 !~ /^libperl/ {print $2}' \
    <<<"$plan")
(cd "$work/packages" && apt-get "${options[@]}" -qq download "${packages[@]}" >>"$work/log")
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/root"; done
find "$work/root" -type l -lname '/*' | while read -r link; do
    ln -sfr "$work/root$(readlink "$link")" "$link"
done
rm -rf "$work/packages" "$work/cache" "$work/lists"
: >"$work/done"
