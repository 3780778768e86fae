# Kafka: the unit test runs librdkafka's mock cluster, whose group joins take 3 s each.
add_unit_test(bus common)
set_tests_properties(unit/bus PROPERTIES TIMEOUT 300)

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
