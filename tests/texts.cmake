# Completion in real shells, man pages by the two formatters that people have, and who includes whom.
add_test(NAME texts/completion COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/texts/completion ${PROJECT_BINARY_DIR})
add_test(NAME texts/man COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/texts/man ${PROJECT_BINARY_DIR})
# A room includes only the rooms that it stands on.
add_test(NAME texts/rooms COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/texts/rooms ${PROJECT_SOURCE_DIR})
set_tests_properties(texts/completion texts/man texts/rooms PROPERTIES LABELS unit TIMEOUT 200)
