# Locations: the proof of one (mounts a tmpfs where root may), and who waits for a hung one.
add_unit_test(mount common)
add_unit_test(mounts common)

if(FUZZ)
  add_executable(fuzz_mount fuzz/fuzz_mount.c)
  target_link_options(fuzz_mount PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_mount PRIVATE project_flags common)
endif()
