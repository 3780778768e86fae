# The pure parts of scheduler/: rules, names, outcomes, settings.
add_unit_test(acquisition scheduler)
add_unit_test(names scheduler)
add_unit_test(outcome scheduler)
add_unit_test(resolve scheduler)
add_unit_test(task common)
add_unit_test(settings common)
