# The index worker (its store's side needs a server: integration/test_index) and the trawl command.
foreach(what contribution fold property)
  add_unit_test(index_${what} kind_index)
endforeach()
foreach(what args dead json mount queue table text top verify why)
  add_unit_test(cli_${what} cli)
endforeach()
