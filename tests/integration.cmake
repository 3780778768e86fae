# Integration tests talk to the real servers of tests/world, which the fixture starts and wipes.
set(test_world ${PROJECT_SOURCE_DIR}/tests/world)
set(test_world_bin "TRAWL_TEST_BIN=set:${CMAKE_BINARY_DIR}")

# The first start on a machine fetches the servers' jars.
add_test(NAME world/up COMMAND ${test_world} up)
add_test(NAME world/down COMMAND ${test_world} down --wipe)
set_tests_properties(world/up world/down PROPERTIES
  LABELS integration TIMEOUT 400 ENVIRONMENT_MODIFICATION ${test_world_bin})
set_tests_properties(world/up PROPERTIES FIXTURES_SETUP world)
set_tests_properties(world/down PROPERTIES FIXTURES_CLEANUP world)

# add_world_test(<name> <command>...): run with the environment of the shared servers.
function(add_world_test name)
  add_test(NAME integration/${name} COMMAND ${test_world} run ${ARGN})
  set_tests_properties(integration/${name} PROPERTIES
    LABELS integration FIXTURES_REQUIRED world SKIP_RETURN_CODE 77 TIMEOUT 400
    ENVIRONMENT_MODIFICATION ${test_world_bin})
endfunction()

# add_alone_test(<name> "<servers>" <command>...): with servers of its own, which it may restart.
function(add_alone_test name servers)
  add_test(NAME integration/${name} COMMAND ${test_world} alone ${servers} ${ARGN})
  set_tests_properties(integration/${name} PROPERTIES
    LABELS integration SKIP_RETURN_CODE 77 TIMEOUT 400 COST 100
    ENVIRONMENT_MODIFICATION ${test_world_bin})
endfunction()

# One test a file: tests/integration/NNNN-topic.py, whose functions have sentences as names. The
# longest ones begin first.
file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/integration/[0-9]*-*.py)
foreach(script ${scripts})
  get_filename_component(topic ${script} NAME_WE)
  add_world_test(${topic} /usr/bin/python3 ${script})
endforeach()
foreach(long 0200-servers-away 0300-copy-faults 0450-many-files)
  if(TEST integration/${long})
    set_tests_properties(integration/${long} PROPERTIES COST 100)
  endif()
endforeach()
if(TEST integration/0450-many-files) # five times through 100,000 files, beside other tests
  set_tests_properties(integration/0450-many-files PROPERTIES LABELS slow TIMEOUT 1200)
endif()

# Programs in C that talk to the store.
foreach(what db index index_races leader lists)
  add_executable(test_${what} integration/test_${what}.c integration/store.c)
  target_link_libraries(test_${what} PRIVATE project_flags PkgConfig::cmocka kind_index scheduler)
  target_include_directories(test_${what} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_world_test(${what} $<TARGET_FILE:test_${what}>)
endforeach()

# Each of their commands is a turn.
foreach(call find_id each aggregate insert update upsert find_update update_all upsert_all update_together)
  target_link_options(test_index_races PRIVATE LINKER:--wrap=db_${call})
endforeach()

# With a broker of its own, which it restarts and stops.
add_executable(test_bus_real integration/test_bus_real.c)
target_link_libraries(test_bus_real PRIVATE project_flags PkgConfig::cmocka common)
target_include_directories(test_bus_real PRIVATE ${PROJECT_SOURCE_DIR}/tests)
add_alone_test(bus_real kafka $<TARGET_FILE:test_bus_real>)

# librdkafka under ThreadSanitizer: see tsan_threads.c and tsan.supp.
if(SANITIZE STREQUAL "thread")
  foreach(what test_bus test_bus_real)
    target_sources(${what} PRIVATE tsan_threads.c)
  endforeach()
  set_tests_properties(unit/bus integration/bus_real PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tsan.supp")
endif()

# These need a cluster.
foreach(what slurm slurm_batch)
  add_executable(test_${what} integration/test_${what}.c integration/slurm_world.c)
  target_link_libraries(test_${what} PRIVATE project_flags PkgConfig::cmocka kind_quant)
  target_include_directories(test_${what} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_world_test(${what} $<TARGET_FILE:test_${what}>)
  set_tests_properties(integration/${what} PROPERTIES COST 100)
endforeach()

# What the benches run: a worker whose kinds do nothing and what gives it work, the copy engine, the cluster's engine.
add_executable(trawl-noop-worker ${PROJECT_SOURCE_DIR}/workers/main.c bench/noop_kinds.c)
target_link_libraries(trawl-noop-worker PRIVATE workers)
add_executable(trawl-task-driver bench/task_driver.c)
target_link_libraries(trawl-task-driver PRIVATE common m)
add_executable(trawl-site-driver bench/site_driver.c)
target_link_libraries(trawl-site-driver PRIVATE common)
add_executable(trawl-copy-bench bench/copy_bench.c)
target_link_libraries(trawl-copy-bench PRIVATE kind_copy)
add_executable(trawl-slurm-bench bench/slurm_bench.c)
target_link_libraries(trawl-slurm-bench PRIVATE project_flags job)
