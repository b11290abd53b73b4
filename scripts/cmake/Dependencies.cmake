include(FetchContent)
set(FETCHCONTENT_TRY_FIND_PACKAGE_MODE NEVER)

# pybind11 is a Python package: ask the interpreter that the module is built for.
if(NOT pybind11_DIR)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
    OUTPUT_VARIABLE pybind11_cmakedir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(pybind11_cmakedir)
    set(pybind11_DIR ${pybind11_cmakedir} CACHE PATH "" FORCE)
  endif()
endif()
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 2.13 CONFIG REQUIRED)

# Debian's library first (1.7.1 of Debian 12 suffices), a pinned one where there is none.
find_package(benchmark 1.7 CONFIG QUIET)
if(NOT benchmark_FOUND)
  message(STATUS "Google Benchmark not installed: fetching the pinned release")
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  set(BENCHMARK_ENABLE_GTEST_TESTS OFF)
  set(BENCHMARK_ENABLE_WERROR OFF)
  set(BUILD_SHARED_LIBS OFF)
  FetchContent_Declare(
    benchmark
    GIT_REPOSITORY https://github.com/google/benchmark.git
    GIT_TAG v1.9.5
    GIT_SHALLOW ON)
  FetchContent_MakeAvailable(benchmark)
endif()

if(LOOPGAUGE_TESTS)
  find_package(GTest 1.12 CONFIG QUIET)
  if(NOT GTest_FOUND)
    message(STATUS "GoogleTest not installed: fetching the pinned release")
    set(INSTALL_GTEST OFF)
    FetchContent_Declare(
      googletest
      GIT_REPOSITORY https://github.com/google/googletest.git
      GIT_TAG v1.17.0
      GIT_SHALLOW ON)
    FetchContent_MakeAvailable(googletest)
  endif()
endif()
