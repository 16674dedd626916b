# SPDX-License-Identifier: Apache-2.0
#
# cmake -P: writes OUTPUT, the bytes of INPUT as C numbers. What is no cache file is embedded all the
# same: the library says so, and goes without it, as it does with any cache that is wrong.
file(READ ${INPUT} text LIMIT 64)
if(NOT text MATCHES "^%attune-cache 1\\.")
  message(WARNING "ATTUNE_BUILTIN_CACHE: ${INPUT} is no cache file of format 1 (attune cache export "
    "makes one); the library will not use it")
endif()
file(READ ${INPUT} bytes HEX)
string(REPEAT "[0-9a-f]" 32 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "${bytes}\n")
