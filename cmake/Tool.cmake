# Builds the command-line tool with cargo, as Cargo.cmake builds the library, and installs it with what it prints about itself.

set(tool ${PROJECT_BINARY_DIR}/bin/moorline)
set(tool_pages ${PROJECT_BINARY_DIR}/tool)
# Not the library's: the tool has the library as a crate, and to cargo the two kinds are one, so each build would undo the other's.
set(cargo_tool_dir ${cargo_target_dir}/tool)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/bin ${tool_pages})

add_custom_target(moorline-tool ALL
  COMMAND ${CMAKE_COMMAND} -E env ${cargo_environment} ${MOORLINE_CARGO} build --locked --package moorline-cli
          --profile ${cargo_profile} --target ${MOORLINE_RUST_TARGET} --target-dir ${cargo_tool_dir} ${cargo_flags}
          --message-format json-render-diagnostics > ${MOORLINE_NOTICES_DIR}/tool.json
  COMMAND ${CMAKE_COMMAND} -E copy_if_different ${cargo_tool_dir}/${MOORLINE_RUST_TARGET}/${cargo_output_dir}/moorline ${tool}
  COMMAND ${tool} man > ${tool_pages}/moorline.1
  COMMAND ${tool} completions bash > ${tool_pages}/moorline.bash
  COMMAND ${tool} completions zsh > ${tool_pages}/_moorline
  COMMAND ${tool} completions fish > ${tool_pages}/moorline.fish
  BYPRODUCTS ${tool}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "Building the command-line tool with cargo (profile ${cargo_profile})"
  USES_TERMINAL VERBATIM)
moorline_add_notices(tool moorline-cli moorline-tool)

set_property(GLOBAL APPEND PROPERTY moorline_components tool)
install(PROGRAMS ${tool} DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tool)
install(FILES ${tool_pages}/moorline.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tool)
install(FILES ${tool_pages}/moorline.bash DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions COMPONENT tool RENAME moorline)
install(FILES ${tool_pages}/_moorline DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/zsh/site-functions COMPONENT tool)
install(FILES ${tool_pages}/moorline.fish DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d COMPONENT tool)
