# The tests of msqc/; they link nothing else of ours.
add_unit_test(msqc_stats msqc_core)
add_unit_test(msqc_arrays msqc_core)
add_unit_test(msqc_mzml msqc_core)
add_unit_test(msqc_damage msqc_core)
add_unit_test(msqc_bruker msqc_core)
add_unit_test(msqc_extract msqc_core)
add_unit_test(msqc_real msqc_core)
