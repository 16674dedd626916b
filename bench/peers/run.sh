#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--quick] [-o FILE] [--spec SPEC]... [--threads 1,all] [--budget SECONDS] [--ggml DIR]: times Attune beside
# PyTorch, ONNX Runtime, OpenVINO, oneDNN's primitives and, given the folder of a ggml source tree that
# was built in DIR/build, ggml: same inputs, interleaved rounds, every result checked against float64,
# one result file for `attune compare` and `attune report`. Installs what is missing into
# .deps/peers (1.4 GB); a peer that cannot be had, or fails, is left out and named.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
here=$root/bench/peers
home=${ATTUNE_PEERS:-$root/.deps/peers}
. "$root/bench/build.sh"

ggml=
for option; do
    shift
    case $option in
    -h | --help)
        sed -n '4,/^set/{s/^# \{0,1\}//p}' "$0"
        exit
        ;;
    --ggml=*) ggml=${option#*=} ;;
    --ggml) ggml=next ;;
    *)
        if [ "$ggml" = next ]; then
            ggml=$option
        else
            set -- "$@" "$option"
        fi
        ;;
    esac
done
if [ -n "$ggml" ] && [ ! -f "$ggml/include/ggml.h" ]; then
    attune_say "run.sh: --ggml: '$ggml' holds no include/ggml.h"
    exit 2
fi

# Inductor, which compiles FlexAttention, needs a C++ compiler at run time.
attune_install python3 python3-venv g++ || attune_say "continuing without: FlexAttention needs g++"
attune_build attune_command attune
mkdir -p "$home"
python=$home/venv/bin/python
[ -x "$python" ] || python3 -m venv "$home/venv"

# One package at a time: a machine may have only some of them.
while read -r package; do
    name=${package%%==*}
    "$python" -c "import sys, importlib.metadata as m; sys.exit(m.version('$name').split('+')[0] != '${package##*==}')" \
        2>/dev/null && continue
    attune_say "installing $package"
    attune_quietly "$python" -m pip install -q --disable-pip-version-check "$package" ||
        attune_say "left out: $package cannot be installed"
done <"$here/requirements.txt"

# native NAME SOURCE FLAGS...: builds a peer that is a C library.
native() {
    name=$1 source=$2
    shift 2
    object=$home/$source.so
    if attune_quietly "${CC:-cc}" -std=c11 -O2 -fPIC -shared -o "$object" "$here/$source.c" "$@" -lm; then
        echo "$name=$object" >>"$home/natives"
    else
        attune_say "left out: $name: $source.c cannot be built"
    fi
}
: >"$home/natives"
# oneDNN 3 from PyPI where there is one for this machine, else the system's.
onednn=$home/venv
[ -f "$onednn/include/dnnl.h" ] ||
    "$python" -m pip install -q --disable-pip-version-check onednn-devel-cpu-gomp==2023.2.0 2>/dev/null || true
if [ -f "$onednn/include/dnnl.h" ]; then
    native onednn onednn_chain "-I$onednn/include" "-L$onednn/lib" "-Wl,-rpath,$onednn/lib" -ldnnl
else
    native onednn onednn_chain -ldnnl
fi
[ -z "$ggml" ] || native ggml ggml_flash "-I$ggml/include" "-L$ggml/build/src" \
    "-Wl,-rpath,$(CDPATH='' cd -- "$ggml" && pwd)/build/src" -lggml-cpu -lggml-base

export TORCHINDUCTOR_CACHE_DIR="$home/inductor" PYTHONDONTWRITEBYTECODE=1
unset OMP_PROC_BIND OMP_PLACES OPENBLAS_CORETYPE OPENBLAS_L2_SIZE ATTUNE_MAX_ISA 2>/dev/null || true
exec "$python" "$here/peers.py" --command "$root/build/attune" --library "$root/build/libattune.so" \
    --natives "$home/natives" "$@"
