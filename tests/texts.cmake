# Completion in real shells, and man pages by the two formatters that people have.
add_test(NAME texts/completion COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/texts/completion ${PROJECT_BINARY_DIR})
add_test(NAME texts/man COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/texts/man ${PROJECT_BINARY_DIR})
set_tests_properties(texts/completion texts/man PROPERTIES LABELS unit TIMEOUT 200)
