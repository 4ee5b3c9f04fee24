# cpack runs this before it closes the Debian packages, for what Debian Policy asks of each: its licence and its changelogs in
# /usr/share/doc/PACKAGE (12.5 and 12.7), binaries without symbols for debuggers (10.1 and 10.2), compressed manual pages (12.1).

if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

# A text as it is in a field of several lines: indented, a dot where a line is empty.
function(as_field text result)
  string(REGEX REPLACE "[ \t]+\n" "\n" text "${text}")
  string(REGEX REPLACE "\n+$" "" text "${text}")
  # Once more, as a line feed that ends a match does not begin the next one.
  string(REPLACE "\n\n" "\n.\n" text "${text}")
  string(REPLACE "\n\n" "\n.\n" text "${text}")
  string(REPLACE "\n" "\n " text "${text}")
  set(${result} " ${text}" PARENT_SCOPE)
endfunction()

file(READ ${CPACK_MOORLINE_SOURCE_DIR}/LICENSE-MIT mit)
string(REGEX REPLACE "^MIT License\n\nCopyright [^\n]*\n\n" "" mit "${mit}")
as_field("${mit}" mit)
string(CONFIGURE [[Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Moorline

Files: *
Copyright: 2026 The Moorline contributors
License: Expat or Apache-2.0

License: Expat
@mit@

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
]] copyright @ONLY)

# What is linked into which component from elsewhere.
set(notices_library library)
set(notices_development library)
set(notices_tool tool)

# Whose headers or help lead to the pages. Not compressed, as they lead to each other.
set(pages_development TRUE)
set(pages_tool TRUE)

# The changelog of the packaging itself.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(debian_changelog "moorline (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Version ${CPACK_PACKAGE_VERSION}; what has changed is in changelog.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")

# Without the time, so that the same content makes the same file.
function(compress)
  execute_process(COMMAND gzip --best --no-name --force ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
  if(NOT IS_DIRECTORY ${root})
    message(FATAL_ERROR "there is nothing of component ${component} at ${root}")
  endif()
  set(documentation ${root}${CPACK_PACKAGING_INSTALL_PREFIX}/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  file(WRITE ${documentation}/copyright "${copyright}")
  set(standard_library "")
  if(notices_${component})
    file(READ ${CPACK_MOORLINE_NOTICES_DIR}/THIRD-PARTY-NOTICES-${notices_${component}}.txt notices)
    as_field("${notices}" notices)
    file(APPEND ${documentation}/copyright "
Files: crates/*
Copyright: those whom the notices below name
License: of-the-crates
${notices}
")
    file(GLOB standard_library ${CPACK_MOORLINE_NOTICES_DIR}/rust-standard-library*)
    file(COPY ${standard_library} DESTINATION ${documentation})
    list(TRANSFORM standard_library REPLACE "^.*/" "${documentation}/")
  endif()
  if(pages_${component})
    file(COPY ${CPACK_MOORLINE_SOURCE_DIR}/docs DESTINATION ${documentation}
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ DIRECTORY_PERMISSIONS ${CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
  endif()
  file(WRITE ${documentation}/changelog.Debian "${debian_changelog}")
  configure_file(${CPACK_MOORLINE_SOURCE_DIR}/CHANGELOG.md ${documentation}/changelog COPYONLY)
  set(zsh ${root}${CPACK_PACKAGING_INSTALL_PREFIX}/share/zsh)
  if(IS_DIRECTORY ${zsh})
    file(RENAME ${zsh}/site-functions ${zsh}/vendor-completions)
  endif()
  file(GLOB_RECURSE files ${root}/*)
  set(pages ${files})
  list(FILTER pages INCLUDE REGEX "/man/man[0-9]/")
  compress(${documentation}/changelog ${documentation}/changelog.Debian ${standard_library} ${pages})

  set(binaries ${files})
  list(FILTER binaries INCLUDE REGEX "/bin/|\\.so\\.${CPACK_PACKAGE_VERSION}$")
  set(archives ${files})
  list(FILTER archives INCLUDE REGEX "\\.a$")
  if(binaries)
    execute_process(COMMAND ${CPACK_MOORLINE_STRIP} --strip-unneeded --remove-section=.comment ${binaries} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  if(archives)
    execute_process(COMMAND ${CPACK_MOORLINE_STRIP} --strip-debug --enable-deterministic-archives ${archives}
      COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
