# SPDX-License-Identifier: Apache-2.0
#
# Hwloc::hwloc, by header and library: hwloc installs no package file for CMake, and its pkg-config
# module, asked for static libraries, names some that a shared hwloc does not need.
find_path(Hwloc_INCLUDE_DIR hwloc.h)
find_library(Hwloc_LIBRARY hwloc)
if(Hwloc_INCLUDE_DIR)
  # HWLOC_API_VERSION is 0x00XXYYZZ; configuration headers hide the rest behind the architecture.
  file(STRINGS ${Hwloc_INCLUDE_DIR}/hwloc.h hwloc_api REGEX "define HWLOC_API_VERSION 0x")
  if(hwloc_api MATCHES "0x([0-9a-f][0-9a-f][0-9a-f][0-9a-f])([0-9a-f][0-9a-f])")
    math(EXPR hwloc_major "0x${CMAKE_MATCH_1}")
    math(EXPR hwloc_minor "0x${CMAKE_MATCH_2}")
    set(Hwloc_VERSION ${hwloc_major}.${hwloc_minor})
  endif()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Hwloc
  REQUIRED_VARS Hwloc_LIBRARY Hwloc_INCLUDE_DIR VERSION_VAR Hwloc_VERSION)
mark_as_advanced(Hwloc_INCLUDE_DIR Hwloc_LIBRARY)
if(Hwloc_FOUND AND NOT TARGET Hwloc::hwloc)
  add_library(Hwloc::hwloc UNKNOWN IMPORTED)
  set_target_properties(Hwloc::hwloc PROPERTIES
    IMPORTED_LOCATION ${Hwloc_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${Hwloc_INCLUDE_DIR})
endif()
