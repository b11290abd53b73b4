# loopgauge/__init__.py is generated in both worlds: into the wheel, and into
# build/<preset>-<python>/pyroot/loopgauge, the development tree. The latter looks like an installed
# wheel but is made of symlinks to the sources, so that an edited Python file needs no build; one
# .pth line of the virtual environment points at pyroot.
set(init ${CMAKE_CURRENT_LIST_DIR}/package_init.py.in)
set(init_stub ${CMAKE_CURRENT_LIST_DIR}/package_init.pyi)
set(core_stub ${PROJECT_SOURCE_DIR}/loops/native/_core.pyi)

if(SKBUILD)
  configure_file(${init} ${CMAKE_BINARY_DIR}/package/__init__.py @ONLY)
  file(TOUCH ${CMAKE_BINARY_DIR}/package/py.typed)
  install(FILES ${CMAKE_BINARY_DIR}/package/__init__.py ${CMAKE_BINARY_DIR}/package/py.typed
                ${core_stub} DESTINATION loopgauge)
  install(FILES ${init_stub} DESTINATION loopgauge RENAME __init__.pyi)
  return()
endif()

set(pyroot ${CMAKE_BINARY_DIR}/pyroot)
set(package ${pyroot}/loopgauge)
file(MAKE_DIRECTORY ${package})
foreach(room loops harness scenarios conformance reports)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${room} ${package}/${room} SYMBOLIC)
endforeach()
configure_file(${init} ${package}/__init__.py @ONLY)
file(CREATE_LINK ${init_stub} ${package}/__init__.pyi SYMBOLIC)
file(CREATE_LINK ${core_stub} ${package}/_core.pyi SYMBOLIC)
file(TOUCH ${package}/py.typed)
get_property(native_backends GLOBAL PROPERTY LOOPGAUGE_NATIVE_BACKENDS)
set_target_properties(_core _bench ${native_backends} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                                                                 ${package})

# importlib.metadata finds the version of the development tree as it finds a wheel's.
file(WRITE ${pyroot}/loopgauge-${PROJECT_VERSION}.dist-info/METADATA
     "Metadata-Version: 2.1\nName: loopgauge\nVersion: ${PROJECT_VERSION}\n")
