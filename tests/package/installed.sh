#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# installed.sh WAY BUILD_DIR WORK_DIR README: installs BUILD_DIR into a prefix of its own, moves that
# prefix (nothing in it may depend on its place), and builds and runs the README's example against it.
# WAY: cmake (find_package, shared and static), pkg-config (shared), pkg-config-static, embedded.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
way=$1 build=$2 work=$3/$1 readme=$4
cc=${CC:-cc}
rm -rf "$work"
mkdir -p "$work"
"$here/example.sh" "$readme" "$work/example.c"

# The example's plan tells where its choice comes from.
plan_says() {
    ATTUNE_CACHE=$work/none.cache ATTUNE_VERBOSE=1 "$work/build/example" 2>"$work/said"
    grep -q "$1" "$work/said" || { cat "$work/said"; echo "the plan does not say: $1"; exit 1; }
}

# Embedded with a cache compiled in, then with one that is none: a warning, and the same results.
if [ "$way" = embedded ]; then
    builtin=
    if [ -x "$build/attune" ]; then
        ATTUNE_CACHE=$work/tuned.cache "$build/attune" tune --quick --force --threads 1 \
            --spec self:dot,h=8,t=256,d=64,causal=top_left >"$work/log"
        builtin=-DATTUNE_BUILTIN_CACHE=$work/tuned.cache
    fi
    cmake -S "$here/embedder" -B "$work/build" -DATTUNE_SOURCE="$here/../.." \
        -DEXAMPLE="$work/example.c" $builtin >>"$work/log"
    cmake --build "$work/build" --parallel 2 >>"$work/log"
    "$work/build/example"
    if [ "$builtin" ]; then
        plan_says 'tuned for exactly this key (builtin)'
        echo garbage >"$work/wrong.cache"
        cmake -DATTUNE_BUILTIN_CACHE="$work/wrong.cache" "$work/build" >>"$work/log"
        cmake --build "$work/build" --parallel 2 >"$work/log" 2>&1
        tr -s ' \n' ' ' <"$work/log" | grep -q 'is no cache file of format 1' # CMake breaks its lines
        plan_says 'tuned choices, builtin: '
        plan_says "taken: the model's choice"
    fi
    exit
fi

cmake --install "$build" --prefix "$work/first" >"$work/log"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
if grep -rIl "$work/first\|$build" "$prefix"; then
    echo "the installed tree names the folder it was built in or installed to"
    exit 1
fi
libdir=$(dirname "$(find "$prefix" -name 'libattune.a')")
export PKG_CONFIG_PATH=$libdir/pkgconfig
# shellcheck disable=SC2046
case $way in
cmake)
    cmake -S "$here/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" \
        -DEXAMPLE="$work/example.c" >>"$work/log"
    cmake --build "$work/build" >>"$work/log"
    "$work/build/example_shared"
    ldd "$work/build/example_static" | grep libattune && { echo "not linked statically"; exit 1; }
    "$work/build/example_static"
    ;;
pkg-config)
    "$cc" -std=c11 "$work/example.c" -o "$work/example" $(pkg-config --cflags --libs attune)
    LD_LIBRARY_PATH=$libdir "$work/example"
    ;;
pkg-config-static)
    rm "$libdir"/libattune.so* # the linker takes the shared library where it sees one
    "$cc" -std=c11 "$work/example.c" -o "$work/example" \
        $(pkg-config --static --cflags --libs attune)
    "$work/example"
    ;;
esac
if [ -x "$prefix/bin/attune" ]; then "$prefix/bin/attune" info >/dev/null; fi
