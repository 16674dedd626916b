# SPDX-License-Identifier: Apache-2.0
#
# Compiles the file that ATTUNE_BUILTIN_CACHE names into tuner/cache_builtin.c: the layer of tuned choices
# below all others.
if(NOT EXISTS "${ATTUNE_BUILTIN_CACHE}" OR IS_DIRECTORY "${ATTUNE_BUILTIN_CACHE}")
  message(FATAL_ERROR "ATTUNE_BUILTIN_CACHE: there is no file ${ATTUNE_BUILTIN_CACHE}")
endif()
file(SIZE "${ATTUNE_BUILTIN_CACHE}" builtin_size)
if(builtin_size EQUAL 0)
  message(FATAL_ERROR "ATTUNE_BUILTIN_CACHE: ${ATTUNE_BUILTIN_CACHE} is empty")
endif()
set(builtin_bytes ${PROJECT_BINARY_DIR}/generated/attune_builtin_cache.inc)
add_custom_command(OUTPUT ${builtin_bytes}
  COMMAND ${CMAKE_COMMAND} -DINPUT=${ATTUNE_BUILTIN_CACHE} -DOUTPUT=${builtin_bytes}
    -P ${PROJECT_SOURCE_DIR}/cmake/AttuneBuiltin.cmake
  DEPENDS ${ATTUNE_BUILTIN_CACHE} ${PROJECT_SOURCE_DIR}/cmake/AttuneBuiltin.cmake VERBATIM)
target_sources(attune_core PRIVATE ${builtin_bytes})
set_source_files_properties(tuner/cache_builtin.c PROPERTIES
  COMPILE_DEFINITIONS "ATTUNE_BUILTIN_CACHE=\"${builtin_bytes}\"" OBJECT_DEPENDS ${builtin_bytes})
