# Tests of common/: no server.
foreach(what audit config config_show err fs hash instrument bandwidth log manifest members path smb_name)
  add_unit_test(${what} common)
endforeach()
