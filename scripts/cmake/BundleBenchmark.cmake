# Debian ships Google Benchmark as a shared library only. A wheel must work where it is not
# installed, so the library travels beside the module, which looks for it in its own folder.
get_target_property(benchmark_type benchmark::benchmark TYPE)
if(SKBUILD AND benchmark_type STREQUAL "SHARED_LIBRARY")
  get_property(configurations TARGET benchmark::benchmark PROPERTY IMPORTED_CONFIGURATIONS)
  list(GET configurations 0 configuration)
  get_property(soname TARGET benchmark::benchmark PROPERTY IMPORTED_SONAME_${configuration})
  set_target_properties(_bench PROPERTIES INSTALL_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH ON)
  install(FILES $<TARGET_FILE:benchmark::benchmark> DESTINATION loopgauge RENAME ${soname})
endif()
