# Runs COMMAND, which must end with a status that is not 0, without a signal, and with output that matches each of EXPECTED.

execute_process(COMMAND ${COMMAND} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 240)
if(NOT status MATCHES "^[0-9]+$")
  message(FATAL_ERROR "it ended by itself: ${status}\n${output}")
endif()
if(status EQUAL 0)
  message(FATAL_ERROR "it passes:\n${output}")
endif()
foreach(expression IN LISTS EXPECTED)
  if(NOT output MATCHES "${expression}")
    message(SEND_ERROR "nothing matches ${expression} in:\n${output}")
  endif()
endforeach()
