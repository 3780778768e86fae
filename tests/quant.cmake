# Tests of workers/quant/; the paths are relative to tests/.
foreach(what quant_states quant_reply quant_metrics quant_metrics_world quant_errors quant_job quant_scripts)
  add_unit_test(${what} kind_quant)
endforeach()

add_unit_test(job_engines job)
set_tests_properties(unit/job_engines PROPERTIES COST 20)

# These need a cluster.
foreach(what slurm slurm_batch)
  add_executable(test_${what} integration/test_${what}.c integration/slurm_world.c)
  target_link_libraries(test_${what} PRIVATE project_flags PkgConfig::cmocka kind_quant)
  target_include_directories(test_${what} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_world_test(${what} $<TARGET_FILE:test_${what}>)
  set_tests_properties(integration/${what} PROPERTIES COST 100)
endforeach()

# Of make bench BENCH=slurm.
add_executable(trawl-slurm-bench bench/slurm_bench.c)
target_link_libraries(trawl-slurm-bench PRIVATE project_flags job)
