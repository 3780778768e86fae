# Run by every build: version.h names the commit that was built, given by -DTRAWL_COMMIT=… or asked of git. It is only
# touched when it changes.
if(NOT TRAWL_COMMIT)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty
    OUTPUT_VARIABLE TRAWL_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT TRAWL_COMMIT)
  set(TRAWL_COMMIT "no commit")
endif()
configure_file(${SOURCE}/common/version.h.in ${OUT} @ONLY)
