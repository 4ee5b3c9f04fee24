# What cpack makes: Debian packages, one a component, and a tar.gz of everything.
#
#   library          libmoorline0           the shared library
#   development      libmoorline-dev        headers, static library, CMake package, pkg-config file
#   qt               libmoorline-qt6-0      the Qt adapter
#   qt_development   libmoorline-qt6-dev    its headers, its part of the CMake package, its pkg-config file
#   tool             moorline               the command-line tool

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME moorline)
set(CPACK_PACKAGE_VENDOR "The Moorline contributors")
set(CPACK_PACKAGE_CONTACT "The Moorline contributors <moorline@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Local sockets whose lifetimes cannot go wrong")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE-MIT)
set(CPACK_PACKAGE_FILE_NAME moorline-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_THREADS 0)
# Whatever the umask of who packs.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

get_property(CPACK_COMPONENTS_ALL GLOBAL PROPERTY moorline_components)

# --- Debian ---

# The number in a package's name is that of the soname, so that programs for either can be installed side by side.
set(soversion ${PROJECT_VERSION_MAJOR})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY >=)
# The system libraries that a binary needs, and from which version on, are found by dpkg-shlibdeps.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${MOORLINE_LIBRARY_DIR})
set(same "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")

function(moorline_debian_package component package section description)
  string(TOUPPER ${component} component)
  list(JOIN ARGN ", " depends)
  set(CPACK_DEBIAN_${component}_PACKAGE_NAME ${package} PARENT_SCOPE)
  set(CPACK_DEBIAN_${component}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_COMPONENT_${component}_DESCRIPTION ${description} PARENT_SCOPE)
  set(CPACK_DEBIAN_${component}_PACKAGE_DEPENDS ${depends} PARENT_SCOPE)
endfunction()

moorline_debian_package(library libmoorline${soversion} libs
  "The shared library: servers and sockets for programs on one machine,\nbehind a C ABI.")
moorline_debian_package(development libmoorline-dev libdevel
  "Headers for C and C++17 with the test kit's, the static library,\nthe CMake package and the pkg-config file."
  "libmoorline${soversion} ${same}")
moorline_debian_package(qt libmoorline-qt6-${soversion} libs
  "The Qt adapter: LocalServer and LocalSocket in the place of\nQLocalServer and QLocalSocket."
  "libmoorline${soversion} ${same}")
moorline_debian_package(qt_development libmoorline-qt6-dev libdevel
  "Headers of the Qt adapter, its part of the CMake package\nand its pkg-config file."
  "libmoorline-qt6-${soversion} ${same}" "libmoorline-dev ${same}" "qt6-base-dev")
moorline_debian_package(tool moorline net
  "The command-line tool: serve, connect to, measure and diagnose local sockets.")

# The loader is told of a new shared library by dpkg's trigger: once, however many packages are installed.
file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
foreach(component IN ITEMS LIBRARY QT)
  set(CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/triggers)
endforeach()

# What Debian does with files, and asks for in each package.
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/Debian.cmake)
set(CPACK_MOORLINE_SOURCE_DIR ${PROJECT_SOURCE_DIR})
set(CPACK_MOORLINE_NOTICES_DIR ${MOORLINE_NOTICES_DIR})
set(CPACK_MOORLINE_STRIP ${CMAKE_STRIP})

include(CPack)
