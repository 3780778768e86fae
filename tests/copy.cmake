# The copy worker: its engine, its task document, and the engine's bench.
add_executable(trawl-copy-bench bench/copy_bench.c)
target_link_libraries(trawl-copy-bench PRIVATE kind_copy)
foreach(part engine resume faults flush options supersede task)
  add_unit_test(copy_${part} kind_copy)
endforeach()
