# Tests of workers/quant/; the paths are relative to tests/.
foreach(what quant_states quant_reply quant_metrics quant_job quant_scripts)
  add_unit_test(${what} kind_quant)
endforeach()

# Needs a cluster.
add_executable(test_slurm integration/test_slurm.c integration/slurm_world.c)
target_link_libraries(test_slurm PRIVATE project_flags PkgConfig::cmocka kind_quant)
target_include_directories(test_slurm PRIVATE ${PROJECT_SOURCE_DIR}/tests)
add_world_test(slurm $<TARGET_FILE:test_slurm>)
set_tests_properties(integration/slurm PROPERTIES COST 100)
