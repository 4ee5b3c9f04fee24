# cpack runs this before it closes the Debian packages, for what Debian Policy asks of each: its licence and its changelogs in
# /usr/share/doc/PACKAGE (12.5 and 12.7), binaries without symbols for debuggers (10.1 and 10.2), compressed manual pages (12.1).

if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

file(READ ${CPACK_MOORLINE_SOURCE_DIR}/LICENSE-MIT mit)
string(REGEX REPLACE "^MIT License\n\nCopyright [^\n]*\n\n" "" mit "${mit}")
string(REGEX REPLACE "\n\n" "\n.\n" mit "${mit}")
string(REGEX REPLACE "\n+$" "" mit "${mit}")
string(REGEX REPLACE "\n" "\n " mit "${mit}")
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
  file(WRITE ${documentation}/changelog.Debian "${debian_changelog}")
  configure_file(${CPACK_MOORLINE_SOURCE_DIR}/CHANGELOG.md ${documentation}/changelog COPYONLY)
  set(zsh ${root}${CPACK_PACKAGING_INSTALL_PREFIX}/share/zsh)
  if(IS_DIRECTORY ${zsh})
    file(RENAME ${zsh}/site-functions ${zsh}/vendor-completions)
  endif()
  file(GLOB_RECURSE files ${root}/*)
  set(pages ${files})
  list(FILTER pages INCLUDE REGEX "/man/man[0-9]/")
  compress(${documentation}/changelog ${documentation}/changelog.Debian ${pages})

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
