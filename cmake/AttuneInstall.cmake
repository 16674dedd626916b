# SPDX-License-Identifier: Apache-2.0
#
# cmake --install: library, header, command, find_package(Attune), pkg-config. The shared library needs
# nothing of its own dependencies at a user's build; the static one finds them again.
install(DIRECTORY engine/include/attune DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
install(TARGETS attune EXPORT AttuneTargets)
install(TARGETS attune_static EXPORT AttuneStaticTargets)
if(ATTUNE_BUILD_COMMAND)
  install(TARGETS attune_command)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Attune)
install(EXPORT AttuneTargets NAMESPACE Attune:: DESTINATION ${package_dir})
install(EXPORT AttuneStaticTargets NAMESPACE Attune:: DESTINATION ${package_dir})
configure_package_config_file(cmake/AttuneConfig.cmake.in
  ${PROJECT_BINARY_DIR}/AttuneConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/AttuneConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/AttuneConfig.cmake
  ${PROJECT_BINARY_DIR}/AttuneConfigVersion.cmake
  cmake/FindHwloc.cmake cmake/FindOneDNN.cmake DESTINATION ${package_dir})

# attune.pc finds its prefix from its own place, so that --prefix at install time and a tree that was
# moved both work. The private libraries are named one by one: hwloc's module would add what only a
# static hwloc needs.
set(ATTUNE_PC_PRIVATE)
foreach(library ${Hwloc_LIBRARY} ${OneDNN_LIBRARY} ${OpenMP_C_LIB_NAMES} m)
  get_filename_component(folder "${library}" DIRECTORY)
  if(folder AND NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
    string(APPEND ATTUNE_PC_PRIVATE " -L${folder}")
  endif()
  get_filename_component(name "${library}" NAME_WE)
  string(REGEX REPLACE "^lib" "" name "${name}")
  string(APPEND ATTUNE_PC_PRIVATE " -l${name}")
endforeach()
string(STRIP "${ATTUNE_PC_PRIVATE}" ATTUNE_PC_PRIVATE)
file(RELATIVE_PATH ATTUNE_PC_PREFIX
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/attune.pc.in ${PROJECT_BINARY_DIR}/attune.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/attune.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
