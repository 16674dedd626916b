# SPDX-License-Identifier: Apache-2.0
#
# OneDNN::dnnl, by header and library: Debian's dnnl-config.cmake insists on OpenCL, which nothing
# here uses.
find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl_version.h)
find_library(OneDNN_LIBRARY dnnl)
if(OneDNN_INCLUDE_DIR)
  file(GLOB dnnl_headers ${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version*.h)
  set(OneDNN_VERSION)
  foreach(part MAJOR MINOR PATCH)
    foreach(header IN LISTS dnnl_headers)
      file(STRINGS ${header} line REGEX "define DNNL_VERSION_${part} +[0-9]+")
      if(line MATCHES " ([0-9]+) *$")
        list(APPEND OneDNN_VERSION ${CMAKE_MATCH_1})
        break()
      endif()
    endforeach()
  endforeach()
  list(JOIN OneDNN_VERSION "." OneDNN_VERSION)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN
  REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR VERSION_VAR OneDNN_VERSION)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)
if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
  add_library(OneDNN::dnnl UNKNOWN IMPORTED)
  set_target_properties(OneDNN::dnnl PROPERTIES
    IMPORTED_LOCATION ${OneDNN_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR})
endif()
