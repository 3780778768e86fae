# The model of dispatching (docs/model), searched by spin, and its rules broken one by one. All of it
# is computing, and the tests beside it have deadlines.
foreach(part two_faults three_tasks every_task_ends errors names)
  add_test(NAME model/${part} COMMAND nice -n 19 ${PROJECT_SOURCE_DIR}/docs/model/check ${part})
  set_tests_properties(model/${part} PROPERTIES LABELS model TIMEOUT 300 COST 50)
endforeach()
