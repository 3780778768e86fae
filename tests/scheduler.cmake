# The pure parts of scheduler/: rules, names, outcomes, settings.
add_unit_test(acquisition scheduler)
add_unit_test(names scheduler)
add_unit_test(outcome scheduler)
add_unit_test(resolve scheduler)
add_unit_test(task common)
add_unit_test(held common)
target_link_options(test_held PRIVATE LINKER:--wrap=db_update_together)
add_unit_test(settings common)
