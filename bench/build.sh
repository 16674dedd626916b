# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Sourced by the scripts that start from a bare Debian or Ubuntu: installs what is missing to build
# Attune, and builds targets into build/. Expects $root, the top of the repository.
: "${root:?}"

attune_packages="gcc libc6-dev cmake ninja-build pkg-config libdnnl-dev libhwloc-dev libjansson-dev"

attune_say() {
    printf '%s\n' "$*" >&2
}

# Installs the packages named that are not installed. Elsewhere than on Debian's kin it is left to
# CMake to say what it misses.
attune_install() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        sudo=sudo
        if ! command -v sudo >/dev/null; then
            attune_say "missing packages:$missing; run as root: apt-get install$missing"
            return 1
        fi
    fi
    attune_say "installing$missing (a minute or two)"
    apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300"
    # shellcheck disable=SC2086 # words on purpose
    attune_quietly $apt update && attune_quietly $apt install --no-install-recommends $missing
}

# Builds the targets named; quiet unless it fails.
attune_build() {
    # shellcheck disable=SC2086
    attune_install $attune_packages || return 1
    if [ ! -f "$root/build/build.ninja" ] && [ ! -f "$root/build/Makefile" ]; then
        attune_say "building in build/ (a minute or two)"
        # A configuration that failed has left its cache, and with it the choice of a generator.
        generator=
        [ -f "$root/build/CMakeCache.txt" ] || ! command -v ninja >/dev/null || generator=-GNinja
        # shellcheck disable=SC2086
        attune_quietly cmake -S "$root" -B "$root/build" $generator || return 1
    fi
    attune_quietly cmake --build "$root/build" --parallel --target "$@"
}

# Runs a command and shows what it says only when it fails.
attune_quietly() {
    log=$(mktemp) || return 1
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}
