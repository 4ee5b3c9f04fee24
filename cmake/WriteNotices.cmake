# Writes the notices of all crates that are linked into a package of this workspace: their names, and each text of a licence once,
# with who has it.
#
# cargo tree knows which crates are linked, cargo's messages of the build where the sources of each are. Nothing is asked of a network.
# -D: CARGO, RUST_TARGET, PACKAGE; ARTIFACTS, the messages; OUTPUT.

cmake_minimum_required(VERSION 3.21)

execute_process(
  COMMAND ${CARGO} tree --locked --offline --package ${PACKAGE} --edges normal,no-proc-macro --target ${RUST_TARGET} --prefix none
          --no-dedupe --format "{p}|{l}"
  OUTPUT_VARIABLE linked OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" linked "${linked}")
list(REMOVE_DUPLICATES linked)
# Those with a place behind their version are of this workspace.
list(FILTER linked EXCLUDE REGEX " \\(/")
list(SORT linked)

# One message a line.
file(STRINGS ${ARTIFACTS} messages REGEX "\"manifest_path\"")
foreach(message IN LISTS messages)
  string(JSON manifest GET "${message}" manifest_path)
  string(JSON id GET "${message}" package_id)
  # registry+ADDRESS#NAME@VERSION, or ADDRESS#VERSION where NAME is what the address ends in.
  if(id MATCHES "#([^@]+)@(.+)$")
    cmake_path(GET manifest PARENT_PATH "sources_${CMAKE_MATCH_1}_${CMAKE_MATCH_2}")
  endif()
endforeach()

set(crates "")
set(hashes "")
foreach(entry IN LISTS linked)
  if(NOT entry MATCHES "^([^ ]+) v([^| ]+)[^|]*\\|(.+)$")
    message(FATAL_ERROR "cargo tree says what is not understood: ${entry}")
  endif()
  set(crate "${CMAKE_MATCH_1} ${CMAKE_MATCH_2}")
  set(sources "${sources_${CMAKE_MATCH_1}_${CMAKE_MATCH_2}}")
  string(APPEND crates "  ${crate}: ${CMAKE_MATCH_3}\n")
  if(sources STREQUAL "")
    message(FATAL_ERROR "cargo does not say where the sources of ${crate} are: build first")
  endif()
  file(GLOB texts LIST_DIRECTORIES FALSE ${sources}/LICEN[CS]E* ${sources}/COPYING* ${sources}/COPYRIGHT* ${sources}/NOTICE*
    ${sources}/UNLICENSE*)
  if(NOT texts)
    message(FATAL_ERROR "${crate} has no text of its licence in ${sources}")
  endif()
  foreach(file IN LISTS texts)
    file(READ ${file} text)
    # Some differ in nothing but their spaces.
    string(REGEX REPLACE "[ \t\r\n]+" " " key "${text}")
    string(STRIP "${key}" key)
    string(SHA256 hash "${key}")
    if(NOT hash IN_LIST hashes)
      list(APPEND hashes ${hash})
      string(REPLACE "\r\n" "\n" text "${text}")
      string(REGEX REPLACE "^\n+|[ \n]+$" "" text_${hash} "${text}")
      set(users_${hash} "")
    endif()
    if(NOT crate IN_LIST users_${hash})
      list(APPEND users_${hash} "${crate}")
    endif()
  endforeach()
endforeach()

set(notices "What is linked into ${PACKAGE} from elsewhere, and under which licences:

${crates}
Rust's standard library is linked into it too: the file beside this one has the notices of that.
")
foreach(hash IN LISTS hashes)
  list(JOIN users_${hash} ", " users)
  string(APPEND notices "
==================================================================================
${users}
==================================================================================

${text_${hash}}
")
endforeach()
file(WRITE ${OUTPUT} "${notices}")
