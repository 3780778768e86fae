# embed(<header> <output.c> <file>...): the files as byte arrays embedded_<name>, so that a program carries its scripts.
function(embed header output)
  set(text "#include \"${header}\"\n")
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND text "const unsigned char embedded_${name}[] = {${bytes}};\n"
      "const size_t embedded_${name}_len = sizeof embedded_${name};\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
endfunction()
