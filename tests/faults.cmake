# Faults that an ingest should survive, against real processes: tests/faults/<case>-<topic>.py, on a file
# system that fails as told (tests/faultfs, FUSE). Without FUSE they are skipped.
pkg_check_modules(FUSE3 IMPORTED_TARGET fuse3>=3.12)
if(FUSE3_FOUND)
  add_executable(faultfs faultfs/faultfs.c faultfs/names.c faultfs/ops_attributes.c
    faultfs/ops_files.c faultfs/rules.c faultfs/smb.c faultfs/smb_attributes.c faultfs/smb_io.c)
  target_link_libraries(faultfs PRIVATE project_flags PkgConfig::FUSE3)
endif()

# A clock that jumps, for the processes that preload it.
add_library(test_clock MODULE faults/clock.c)
target_link_libraries(test_clock PRIVATE project_flags)
set_target_properties(test_clock PROPERTIES PREFIX "")

file(GLOB fault_scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/faults/[0-9]*-*.py)
foreach(script ${fault_scripts})
  get_filename_component(topic ${script} NAME_WE)
  add_test(NAME faults/${topic} COMMAND ${PROJECT_SOURCE_DIR}/tests/world run /usr/bin/python3 ${script})
  set_tests_properties(faults/${topic} PROPERTIES
    LABELS faults FIXTURES_REQUIRED world SKIP_RETURN_CODE 77 TIMEOUT 400
    ENVIRONMENT_MODIFICATION "TRAWL_TEST_BIN=set:${CMAKE_BINARY_DIR}")
endforeach()

# It starts a cluster of its own, and every part of that fails once.
set_tests_properties(faults/09-cluster PROPERTIES TIMEOUT 600 COST 200)

# Only one site at a time may be "production": its name is in the names of the topics.
foreach(name faults/08-corruption faults/25-held-originals faults/26-replica-set integration/0332-originals integration/0330-retire
        integration/0450-many-files)
  if(TEST ${name})
    set_property(TEST ${name} APPEND PROPERTY RESOURCE_LOCK production)
  endif()
endforeach()

# Chaos: one short run of tests/chaos/chaos.py, with servers of its own. The seed is one that kills
# each of them, every scheduler and every worker, and has instruments of every manner. Longer:
# make chaos SEED=n KILLS=n.
if(FUSE3_FOUND)
  # Times of birth, for the processes that preload it.
  add_library(test_birth MODULE chaos/birth.c)
  target_link_libraries(test_birth PRIVATE project_flags)
  set_target_properties(test_birth PROPERTIES PREFIX "")

  add_test(NAME chaos/short COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/chaos/chaos.py --seed 188 --kills 12 --store-faults)
  set_tests_properties(chaos/short PROPERTIES
    LABELS chaos SKIP_RETURN_CODE 77 TIMEOUT 600 COST 200
    ENVIRONMENT_MODIFICATION "TRAWL_TEST_BIN=set:${CMAKE_BINARY_DIR}")
endif()

# The model of dispatching (docs/model), searched by spin, and its rules broken one by one. All of it
# is computing, and the tests beside it have deadlines.
foreach(part two_faults three_tasks every_task_ends errors names)
  add_test(NAME model/${part} COMMAND nice -n 19 ${PROJECT_SOURCE_DIR}/docs/model/check ${part})
  set_tests_properties(model/${part} PROPERTIES LABELS model TIMEOUT 300 COST 50)
endforeach()
