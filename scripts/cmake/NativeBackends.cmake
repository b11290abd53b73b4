# The libraries that are measured beside the built-in core. Each is optional: a build without one
# says so in `bench list loops`. Debian: libuv1-dev libevent-dev libasio-dev.
find_path(LOOPGAUGE_UV_INCLUDE uv.h)
find_library(LOOPGAUGE_UV_LIBRARY uv)
find_path(LOOPGAUGE_EVENT_INCLUDE event2/event.h)
find_library(LOOPGAUGE_EVENT_LIBRARY NAMES event_core event)
find_path(LOOPGAUGE_ASIO_INCLUDE asio.hpp)
mark_as_advanced(LOOPGAUGE_UV_INCLUDE LOOPGAUGE_UV_LIBRARY LOOPGAUGE_EVENT_INCLUDE
                 LOOPGAUGE_EVENT_LIBRARY LOOPGAUGE_ASIO_INCLUDE)

# loopgauge_native_backend(name [SYSTEM include...] [LIBRARIES library...]): a shared library beside
# the extension modules, from loops/adapters/<name>.cpp. Nothing is made where something that it
# needs was not found.
function(loopgauge_native_backend name)
  cmake_parse_arguments(needs "" "" "SYSTEM;LIBRARIES" ${ARGN})
  foreach(need ${needs_SYSTEM} ${needs_LIBRARIES})
    if(need MATCHES "NOTFOUND$")
      message(STATUS "native backend ${name}: its library is not installed, built without")
      return()
    endif()
  endforeach()
  set(target loopgauge_native_${name})
  add_library(${target} MODULE adapters/${name}.cpp)
  target_include_directories(${target} SYSTEM PRIVATE ${needs_SYSTEM})
  target_link_libraries(${target} PRIVATE loopgauge_core loopgauge_warnings ${needs_LIBRARIES})
  target_compile_definitions(${target} PRIVATE LOOPGAUGE_VERSION="${PROJECT_VERSION}")
  loopgauge_optimise_links(${target})
  install(TARGETS ${target} LIBRARY DESTINATION loopgauge)
  set_property(GLOBAL APPEND PROPERTY LOOPGAUGE_NATIVE_BACKENDS ${target})
endfunction()
