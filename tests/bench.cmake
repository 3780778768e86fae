# What the benches run beside the product: a worker whose kinds do nothing, and what gives it work.
add_executable(trawl-noop-worker ${PROJECT_SOURCE_DIR}/workers/main.c bench/noop_kinds.c)
target_link_libraries(trawl-noop-worker PRIVATE workers)
add_executable(trawl-task-driver bench/task_driver.c)
target_link_libraries(trawl-task-driver PRIVATE common m)
