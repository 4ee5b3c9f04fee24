# Compiles SOURCE with COMPILER and FLAGS: every line that ends with "// warns" must give a warning of an ignored result, no
# other line any, and with -Werror the same must fail to compile. Where Result is std::expected (EXPECTED is true), whether a
# user's own function warns is the standard library's matter: "// warns before std::expected".

set(command ${COMPILER} ${FLAGS} -fsyntax-only ${SOURCE})
execute_process(COMMAND ${command} RESULT_VARIABLE result ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "it does not compile:\n${output}")
endif()

# As a list of one element a line, whatever is in it.
file(READ ${SOURCE} text)
string(REPLACE ";" "," text "${text}")
string(REGEX REPLACE "[][]" "_" text "${text}")
string(REPLACE "\n" ";" lines "${text}")
set(number 0)
set(expected 0)
foreach(line IN LISTS lines)
  math(EXPR number "${number} + 1")
  string(REGEX MATCH ":${number}:[0-9]+: warning: [^\n]*(ignoring|unused-result|unused-value)" warned "${output}")
  if(line MATCHES "// warns$" OR (line MATCHES "// warns before std::expected$" AND NOT EXPECTED))
    math(EXPR expected "${expected} + 1")
    if(NOT warned)
      message(SEND_ERROR "no warning for line ${number}: ${line}")
    endif()
  elseif(warned AND NOT line MATCHES "// warns before std::expected$")
    message(SEND_ERROR "a warning for line ${number}: ${line}")
  endif()
endforeach()
if(expected EQUAL 0)
  message(FATAL_ERROR "no line of ${SOURCE} says that it warns")
endif()

execute_process(COMMAND ${command} -Werror=unused-result RESULT_VARIABLE result ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "it compiles with -Werror=unused-result")
endif()
