# The targets in this build tree, and their package: what find_package(Moorline) and pkg-config read after an install.
# Nothing that is installed holds an absolute path, so an install can be moved.

include(CMakePackageConfigHelpers)

set(package_build_dir ${PROJECT_BINARY_DIR}/package)
set(package_install_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Moorline)

configure_file(cmake/MoorlineTargets.cmake.in ${package_build_dir}/MoorlineTargets.cmake @ONLY)
configure_package_config_file(cmake/MoorlineConfig.cmake.in ${package_build_dir}/MoorlineConfig.cmake
  INSTALL_DESTINATION ${package_install_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${package_build_dir}/MoorlineConfigVersion.cmake COMPATIBILITY SameMinorVersion)

function(moorline_write_pkg_config_files)
  file(RELATIVE_PATH prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" prefix ${prefix})
  file(RELATIVE_PATH libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
  file(RELATIVE_PATH includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
  list(TRANSFORM MOORLINE_NATIVE_LIBRARIES PREPEND -l OUTPUT_VARIABLE libs_private)
  list(JOIN libs_private " " libs_private)
  foreach(name IN ITEMS moorline moorline-qt6)
    configure_file(cmake/${name}.pc.in ${package_build_dir}/${name}.pc @ONLY)
  endforeach()
endfunction()
moorline_write_pkg_config_files()

# --- the build tree ---

set(moorline_include_dir ${PROJECT_SOURCE_DIR}/include)
set(moorline_library_dir ${MOORLINE_LIBRARY_DIR})
include(${package_build_dir}/MoorlineTargets.cmake)
foreach(target IN ITEMS moorline moorline-static cpp testkit)
  # Not as system headers: our own tests shall see the warnings in them.
  set_target_properties(Moorline::${target} PROPERTIES IMPORTED_GLOBAL TRUE IMPORTED_NO_SYSTEM TRUE)
  add_dependencies(Moorline::${target} moorline-cargo)
endforeach()

# --- the install ---

# What only runs programs, and what builds them, apart: Pack.cmake makes a package of each component.
set_property(GLOBAL APPEND PROPERTY moorline_components library development)
# Whether shared libraries are executable is the distribution's custom.
if(CMAKE_INSTALL_SO_NO_EXE)
  set(library_kind FILES)
else()
  set(library_kind PROGRAMS)
endif()
install(${library_kind} ${MOORLINE_LIBRARY_DIR}/libmoorline.so.${PROJECT_VERSION}
  DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(FILES ${MOORLINE_LIBRARY_DIR}/libmoorline.so.${PROJECT_VERSION_MAJOR}
  DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(FILES ${MOORLINE_LIBRARY_DIR}/libmoorline.so ${MOORLINE_LIBRARY_DIR}/libmoorline.a
  DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY include/moorline DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES
  ${package_build_dir}/MoorlineConfig.cmake
  ${package_build_dir}/MoorlineConfigVersion.cmake
  ${package_build_dir}/MoorlineTargets.cmake
  DESTINATION ${package_install_dir} COMPONENT development)
install(FILES ${package_build_dir}/moorline.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
# In no component's package, which has them by another name; in every whole install.
install(FILES LICENSE-MIT LICENSE-APACHE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/moorline COMPONENT licences)
# What headers and the tool's help lead to. Debian.cmake has it in Debian's packages, in each one's own directory.
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/moorline COMPONENT documentation)
