# Builds the Rust library with cargo, and lays it out in the build tree as an install would.
#
# Sets MOORLINE_LIBRARY_DIR, where the build puts the libraries, and MOORLINE_NATIVE_LIBRARIES, what the static one needs.
# The target is moorline-cargo.

# The one in the PATH first; a plain shell has none, so then where rustup puts it.
set(cargo_places "$ENV{HOME}/.cargo/bin")
if(DEFINED ENV{CARGO_HOME})
  list(PREPEND cargo_places "$ENV{CARGO_HOME}/bin")
endif()
find_program(MOORLINE_CARGO cargo PATHS ${cargo_places} REQUIRED DOC "The cargo that builds the library")

execute_process(COMMAND ${MOORLINE_CARGO} -vV WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  OUTPUT_VARIABLE cargo_version COMMAND_ERROR_IS_FATAL ANY)

# An old one, as distributions have, would say of Cargo.lock or the edition that it cannot read them, and not what to do.
file(STRINGS Cargo.toml rust_version REGEX "^rust-version *= *\"[0-9.]+\"" LIMIT_COUNT 1)
string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" rust_version "${rust_version}")
if(cargo_version MATCHES "release: ([0-9.]+)" AND CMAKE_MATCH_1 VERSION_LESS rust_version)
  message(FATAL_ERROR "Moorline needs Rust ${rust_version} or newer, and ${MOORLINE_CARGO} is of ${CMAKE_MATCH_1}. "
    "A newer one comes from https://rustup.rs; -DMOORLINE_CARGO=... says which cargo it is.")
endif()

# Always naming the target keeps the place of the output the same, whatever cargo's own configuration says.
if(NOT MOORLINE_RUST_TARGET)
  string(REGEX MATCH "host: ([^\n]+)" _ "${cargo_version}")
  set(MOORLINE_RUST_TARGET ${CMAKE_MATCH_1} CACHE STRING "The target triple that cargo builds for" FORCE)
endif()

# One cargo profile for a build tree. A multi-configuration generator gets the release profile for all of them.
set(cargo_profile release)
set(cargo_output_dir release)
set(cargo_environment)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(cargo_profile dev)
  set(cargo_output_dir debug)
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(cargo_environment CARGO_PROFILE_RELEASE_DEBUG=true)
elseif(CMAKE_BUILD_TYPE STREQUAL "MinSizeRel")
  set(cargo_environment CARGO_PROFILE_RELEASE_OPT_LEVEL=s)
endif()

# What is to be released does not tell where it was built. Flags from the environment take the place of these.
set(cargo_flags)
if(NOT CMAKE_BUILD_TYPE MATCHES "Debug|RelWithDebInfo")
  set(cargo_home "$ENV{CARGO_HOME}")
  if(NOT cargo_home)
    set(cargo_home "$ENV{HOME}/.cargo")
  endif()
  # TOML's multi-line literals, in which an apostrophe of a path is one.
  set(cargo_flags --config
    "build.rustflags=['''--remap-path-prefix=${PROJECT_SOURCE_DIR}=moorline''', '''--remap-path-prefix=${cargo_home}=cargo''']")
endif()

# Asks the rustc that cargo uses: what it says to `--print` with an empty static library.
function(moorline_ask_rustc question result)
  set(probe ${PROJECT_BINARY_DIR}/rustc-probe)
  file(WRITE ${probe}/lib.rs "")
  file(WRITE ${probe}/Cargo.toml
    "[package]\nname = \"probe\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\ncrate-type = [\"staticlib\"]\n[workspace]\n")
  execute_process(
    COMMAND ${MOORLINE_CARGO} rustc --quiet --offline --manifest-path ${probe}/Cargo.toml --target-dir ${probe}/target
            --target ${MOORLINE_RUST_TARGET} -- --print ${question}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE answer
    ERROR_VARIABLE answer
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "cargo cannot build for ${MOORLINE_RUST_TARGET}:\n${answer}")
  endif()
  set(${result} "${answer}" PARENT_SCOPE)
endfunction()

# Which system libraries a Rust static library needs.
function(moorline_find_native_libraries result)
  moorline_ask_rustc(native-static-libs answer)
  if(NOT answer MATCHES "native-static-libs: ([^\r\n]*)")
    message(FATAL_ERROR "rustc does not say what a static library needs, but:\n${answer}")
  endif()
  string(REPLACE "-l" "" libraries "${CMAKE_MATCH_1}")
  separate_arguments(libraries UNIX_COMMAND "${libraries}")
  list(REMOVE_DUPLICATES libraries)
  # The unwinder. Compilers link it by themselves, the shared one or with -static the static one, which has another name.
  list(REMOVE_ITEM libraries gcc_s)
  set(${result} ${libraries} PARENT_SCOPE)
endfunction()
moorline_find_native_libraries(MOORLINE_NATIVE_LIBRARIES)

include(${CMAKE_CURRENT_LIST_DIR}/Notices.cmake)

set(MOORLINE_LIBRARY_DIR ${PROJECT_BINARY_DIR}/lib)
set(MOORLINE_CARGO_TARGET_DIR ${PROJECT_BINARY_DIR}/cargo CACHE PATH
  "Where cargo builds; several build trees of the same sources may share it")
set(cargo_target_dir ${MOORLINE_CARGO_TARGET_DIR})
set(cargo_library_dir ${cargo_target_dir}/${MOORLINE_RUST_TARGET}/${cargo_output_dir})
set(shared_library libmoorline.so.${PROJECT_VERSION})

# Cargo knows best what is out of date, so it is always asked, which takes a moment; only a library that really changed
# is copied, so nothing is linked again without need. Without the Rust library beside them these two can be optimised as
# wholes, which cargo does not do otherwise.
# Its directory is made beforehand: the tool's is in it, and a cargo that makes it may move it into the way of the other's.
file(MAKE_DIRECTORY ${MOORLINE_LIBRARY_DIR} ${cargo_target_dir})
add_custom_target(moorline-cargo ALL
  COMMAND ${CMAKE_COMMAND} -E env ${cargo_environment} ${MOORLINE_CARGO} rustc --locked --package moorline --lib
          --crate-type cdylib,staticlib --profile ${cargo_profile} --target ${MOORLINE_RUST_TARGET} --target-dir ${cargo_target_dir} ${cargo_flags}
          --message-format json-render-diagnostics > ${MOORLINE_NOTICES_DIR}/library.json
  COMMAND ${CMAKE_COMMAND} -E copy_if_different
          ${cargo_library_dir}/libmoorline.so ${MOORLINE_LIBRARY_DIR}/${shared_library}
  COMMAND ${CMAKE_COMMAND} -E copy_if_different
          ${cargo_library_dir}/libmoorline.a ${MOORLINE_LIBRARY_DIR}/libmoorline.a
  COMMAND ${CMAKE_COMMAND} -E create_symlink
          ${shared_library} ${MOORLINE_LIBRARY_DIR}/libmoorline.so.${PROJECT_VERSION_MAJOR}
  COMMAND ${CMAKE_COMMAND} -E create_symlink
          libmoorline.so.${PROJECT_VERSION_MAJOR} ${MOORLINE_LIBRARY_DIR}/libmoorline.so
  BYPRODUCTS ${MOORLINE_LIBRARY_DIR}/${shared_library} ${MOORLINE_LIBRARY_DIR}/libmoorline.a
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "Building the Rust library with cargo (profile ${cargo_profile})"
  USES_TERMINAL VERBATIM)
moorline_add_notices(library moorline moorline-cargo)
