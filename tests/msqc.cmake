# The tests of msqc/; they link nothing else of ours.
add_unit_test(msqc_stats msqc_core)
add_unit_test(msqc_arrays msqc_core)
add_unit_test(msqc_mzml msqc_core)
add_unit_test(msqc_damage msqc_core)
add_unit_test(msqc_bruker msqc_core)
add_unit_test(msqc_extract msqc_core)
add_unit_test(msqc_real msqc_core)

# -DFUZZ=ON with clang: build/…/fuzz_mzml -max_total_time=60 <copy of tests/fuzz/corpus/mzml>
option(FUZZ "Build the fuzz targets (clang only)" OFF)
if(FUZZ AND NOT TARGET fuzz_mzml)
  get_target_property(msqc_sources msqc_core SOURCES)
  list(TRANSFORM msqc_sources PREPEND ${PROJECT_SOURCE_DIR}/msqc/ REGEX "^[a-z_]+\\.c$")
  add_executable(fuzz_mzml fuzz/fuzz_mzml.c ${msqc_sources})
  target_compile_definitions(fuzz_mzml PRIVATE MSQC_VERSION="fuzz")
  target_compile_options(fuzz_mzml PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(fuzz_mzml PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_mzml PRIVATE project_flags PkgConfig::expat PkgConfig::sqlite3
    PkgConfig::zlib m)
endif()
