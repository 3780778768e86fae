# What the benches run beside the product: a worker whose kinds do nothing.
add_executable(trawl-noop-worker ${PROJECT_SOURCE_DIR}/workers/main.c bench/noop_kinds.c)
target_link_libraries(trawl-noop-worker PRIVATE workers)
