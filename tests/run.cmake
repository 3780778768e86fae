# The worker itself, without its servers.
add_unit_test(run workers)
