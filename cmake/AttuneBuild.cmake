# SPDX-License-Identifier: Apache-2.0
#
# cmake -P: writes OUTPUT, the header that tells what a build is made of, and touches it only when
# something changed. The commit is that of SOURCE at build time, not when it was configured.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT commit)
  set(commit unknown)
endif()
set(text "/* Written by the build. */\n#define ATTUNE_BUILD_COMMIT \"${commit}\"\n")
foreach(name COMPILER FLAGS TYPE ONEDNN HWLOC OPENMP)
  string(STRIP "${${name}}" value)
  string(REPLACE "\\" "\\\\" value "${value}")
  string(REPLACE "\"" "\\\"" value "${value}")
  string(APPEND text "#define ATTUNE_BUILD_${name} \"${value}\"\n")
endforeach()
set(before)
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
