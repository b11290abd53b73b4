# Debian ships Google Benchmark as a shared library only. A wheel must work where it is not
# installed, so the library travels beside the module, which looks for it in its own folder.
get_target_property(benchmark_type benchmark::benchmark TYPE)
if(SKBUILD AND benchmark_type STREQUAL "SHARED_LIBRARY")
  set_target_properties(_bench PROPERTIES INSTALL_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH ON)
  install(IMPORTED_RUNTIME_ARTIFACTS benchmark::benchmark LIBRARY DESTINATION loopgauge)
endif()
