# Tests of workers/quant/; the paths are relative to tests/.
foreach(what quant_states quant_reply quant_metrics quant_errors quant_job quant_scripts)
  add_unit_test(${what} kind_quant)
endforeach()

add_unit_test(job_engines job)
set_tests_properties(unit/job_engines PROPERTIES COST 20)

# Needs a cluster.
add_executable(test_slurm integration/test_slurm.c integration/slurm_world.c)
target_link_libraries(test_slurm PRIVATE project_flags PkgConfig::cmocka kind_quant)
target_include_directories(test_slurm PRIVATE ${PROJECT_SOURCE_DIR}/tests)
add_world_test(slurm $<TARGET_FILE:test_slurm>)
set_tests_properties(integration/slurm PROPERTIES COST 100)

if(FUZZ)
  target_compile_options(kind_quant PUBLIC -fsanitize=fuzzer-no-link,address,undefined)
  target_link_options(kind_quant PUBLIC -fsanitize=address,undefined)
  add_executable(fuzz_slurm fuzz/fuzz_slurm.c)
  target_link_options(fuzz_slurm PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_slurm PRIVATE project_flags kind_quant)
endif()
