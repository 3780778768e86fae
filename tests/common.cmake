# Tests of common/: no server.
foreach(what audit config config_show err fs hash instrument limit log manifest members path)
  add_unit_test(${what} common)
endforeach()
