# Run by every build: version.h names the commit that was built. It is only touched when it changes.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty
  OUTPUT_VARIABLE TRAWL_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT TRAWL_COMMIT)
  set(TRAWL_COMMIT "no commit")
endif()
configure_file(${SOURCE}/common/version.h.in ${OUT} @ONLY)
