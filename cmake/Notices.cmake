# The notices of what is linked into the libraries and the tool from elsewhere: its licences ask for them with every copy.

set(MOORLINE_NOTICES_DIR ${PROJECT_BINARY_DIR}/notices)
file(MAKE_DIRECTORY ${MOORLINE_NOTICES_DIR})

# moorline_add_notices(NAME PACKAGE TARGET)  Gathers the notices of a package of this workspace when TARGET has built it, for which cargo's
# messages are in NAME.json. Debian.cmake has them in Debian's packages in its own way; every whole install has them as they are.
function(moorline_add_notices name package target)
  set(notices ${MOORLINE_NOTICES_DIR}/THIRD-PARTY-NOTICES-${name}.txt)
  add_custom_command(OUTPUT ${notices}
    COMMAND ${CMAKE_COMMAND} -DCARGO=${MOORLINE_CARGO} -DRUST_TARGET=${MOORLINE_RUST_TARGET} -DPACKAGE=${package}
            -DARTIFACTS=${MOORLINE_NOTICES_DIR}/${name}.json -DOUTPUT=${notices} -P ${PROJECT_SOURCE_DIR}/cmake/WriteNotices.cmake
    DEPENDS ${target} ${PROJECT_SOURCE_DIR}/Cargo.lock ${PROJECT_SOURCE_DIR}/Cargo.toml ${PROJECT_SOURCE_DIR}/cli/Cargo.toml
            ${PROJECT_SOURCE_DIR}/cmake/WriteNotices.cmake
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMENT "Gathering the notices of what is in ${package}"
    VERBATIM)
  add_custom_target(moorline-notices-${name} ALL DEPENDS ${notices})
  install(FILES ${notices} DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/moorline COMPONENT licences)
endfunction()

# Rust's standard library comes with notices of its own, by rustup's toolchains as by Debian's.
moorline_ask_rustc(sysroot sysroot)
string(STRIP "${sysroot}" sysroot)
set(standard_library_notices "")
foreach(file IN ITEMS rust/COPYRIGHT-library.html libstd-rust-dev/copyright libstd-rust-web-dev/copyright)
  if(NOT standard_library_notices AND EXISTS ${sysroot}/share/doc/${file})
    cmake_path(GET file EXTENSION extension)
    set(standard_library_notices ${MOORLINE_NOTICES_DIR}/rust-standard-library${extension})
    configure_file(${sysroot}/share/doc/${file} ${standard_library_notices} COPYONLY)
    install(FILES ${standard_library_notices} DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/moorline COMPONENT licences)
  endif()
endforeach()
if(NOT standard_library_notices)
  message(WARNING "There are no notices of Rust's standard library in ${sysroot}/share/doc: what is built must not be passed on without them.")
endif()
