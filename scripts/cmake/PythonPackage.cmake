# loopgauge/__init__.py is generated in both worlds: into the wheel, and into
# build/<preset>/pyroot/loopgauge, the development tree. The latter looks like an installed
# wheel but is made of symlinks to the sources, so that an edited Python file needs no build;
# one .pth line of the virtual environment points at pyroot.
set(templates ${CMAKE_CURRENT_LIST_DIR})

if(SKBUILD)
  configure_file(${templates}/package_init.py.in ${CMAKE_BINARY_DIR}/package/__init__.py @ONLY)
  file(TOUCH ${CMAKE_BINARY_DIR}/package/py.typed)
  install(FILES ${CMAKE_BINARY_DIR}/package/__init__.py ${CMAKE_BINARY_DIR}/package/py.typed
                DESTINATION loopgauge)
  install(FILES ${templates}/package_init.pyi DESTINATION loopgauge RENAME __init__.pyi)
  return()
endif()

set(pyroot ${CMAKE_BINARY_DIR}/pyroot)
set(package ${pyroot}/loopgauge)
file(MAKE_DIRECTORY ${package})
foreach(room loops harness scenarios conformance reports)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${room} ${package}/${room} SYMBOLIC)
endforeach()
configure_file(${templates}/package_init.py.in ${package}/__init__.py @ONLY)
file(CREATE_LINK ${templates}/package_init.pyi ${package}/__init__.pyi SYMBOLIC)
file(TOUCH ${package}/py.typed)

foreach(module _core _bench)
  if(TARGET ${module})
    set_property(TARGET ${module} PROPERTY LIBRARY_OUTPUT_DIRECTORY ${package})
  endif()
endforeach()

# importlib.metadata finds the version of the development tree as it finds a wheel's.
file(WRITE ${pyroot}/loopgauge-${PROJECT_VERSION}.dist-info/METADATA
     "Metadata-Version: 2.1\nName: loopgauge\nVersion: ${PROJECT_VERSION}\n")
