#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# header.sh INCLUDE_DIR: the public header compiles alone, twice, as strict C11 and as C++.
set -eu
check() { # COMPILER LANGUAGE STANDARD
    command -v "$1" >/dev/null || { echo "$1 is not installed"; exit 1; }
    printf '#include <attune/attune.h>\n#include <attune/attune.h>\n' |
        "$1" -x "$2" "-std=$3" -pedantic-errors -Wall -Wextra -Werror -I"$include" -fsyntax-only -
}
include=$1
check "${CC:-cc}" c c11
check "${CXX:-c++}" c++ c++11
check "${CXX:-c++}" c++ c++20
