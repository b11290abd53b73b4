# Warnings of our own sources only: Python's and Google's headers come in as SYSTEM.
add_library(loopgauge_warnings INTERFACE)
target_compile_options(loopgauge_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
if(LOOPGAUGE_WARNINGS_AS_ERRORS)
  target_compile_options(loopgauge_warnings INTERFACE -Werror)
endif()
