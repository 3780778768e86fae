# Leaving the instrument: the decisions (common/raw/retire), moving and removing in real folders.
add_unit_test(original common)
add_unit_test(retire common)
add_unit_test(retire_plan scheduler)
add_unit_test(move kind_move)
add_unit_test(move_meanwhile kind_move)
add_unit_test(remove kind_remove)
