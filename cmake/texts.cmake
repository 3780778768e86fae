# Man pages and completion, made by the programs themselves at build time, installed where man, bash and zsh look.
set(texts ${PROJECT_BINARY_DIR}/texts)

function(add_man_page program section brief)
  set(page ${texts}/${program}.${section})
  add_custom_command(OUTPUT ${page}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${texts}
    COMMAND ${PROJECT_SOURCE_DIR}/cmake/man.sh $<TARGET_FILE:${program}> ${section} "${brief}" > ${page}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${page}.new ${page}
    DEPENDS ${program} ${PROJECT_SOURCE_DIR}/cmake/man.sh VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY text_files ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endfunction()

function(add_completion shell file folder)
  set(script ${texts}/${file})
  add_custom_command(OUTPUT ${script}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${texts}
    COMMAND trawl completion ${shell} > ${script}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${script}.new ${script}
    DEPENDS trawl VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY text_files ${script})
  install(FILES ${script} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
endfunction()

add_man_page(trawl 1 "show and steer what becomes of raw files")
add_man_page(trawl-msqc 1 "quality-control figures of an acquisition")
add_man_page(trawl-scheduler 8 "watch instruments and plan tasks")
add_man_page(trawl-worker 8 "run the tasks of raw files")
add_completion(bash trawl bash-completion/completions)
add_completion(zsh _trawl zsh/site-functions)
get_property(text_files DIRECTORY PROPERTY text_files)
add_custom_target(texts ALL DEPENDS ${text_files})
