# Tests of common/: no server.
foreach(what audit config config_show err fs hash instrument limit log manifest path)
  add_unit_test(${what} common)
endforeach()

# libFuzzer targets: only clang, only when asked for (-DFUZZ=ON), run for a minute by CI:
#   build/fuzz/tests/fuzz_config -max_total_time=60 tests/fuzz/corpus/config
option(FUZZ "Build the fuzz targets (clang)" OFF)
if(FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "FUZZ=ON needs clang; this is ${CMAKE_C_COMPILER_ID}")
  endif()
  # What is fuzzed must count its branches, too; whatever links it then needs the same run-time.
  target_compile_options(common PUBLIC -fsanitize=fuzzer-no-link,address,undefined)
  target_link_options(common PUBLIC -fsanitize=address,undefined)
  add_executable(fuzz_config fuzz/fuzz_config.c)
  target_link_options(fuzz_config PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_config PRIVATE project_flags common)
  add_executable(fuzz_manifest fuzz/fuzz_manifest.c)
  target_link_options(fuzz_manifest PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_manifest PRIVATE project_flags common)
endif()
