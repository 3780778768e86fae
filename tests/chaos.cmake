# Chaos: one short run of tests/chaos/chaos.py, with servers of its own. The seed is one that kills
# each of them, every scheduler and every worker, and has instruments of every manner. Longer:
# make chaos SEED=n KILLS=n.
if(FUSE3_FOUND)
  # Times of birth, for the processes that preload it.
  add_library(test_birth MODULE chaos/birth.c)
  target_link_libraries(test_birth PRIVATE project_flags)
  set_target_properties(test_birth PROPERTIES PREFIX "")

  add_test(NAME chaos/short COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/chaos/chaos.py --seed 188 --kills 12)
  set_tests_properties(chaos/short PROPERTIES
    LABELS chaos SKIP_RETURN_CODE 77 TIMEOUT 600 COST 200
    ENVIRONMENT_MODIFICATION "TRAWL_TEST_BIN=set:${CMAKE_BINARY_DIR}")
endif()
