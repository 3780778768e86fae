# Every target links project_flags: one place says how the code is compiled.
add_library(project_flags INTERFACE)
target_compile_features(project_flags INTERFACE c_std_17)
target_compile_definitions(project_flags INTERFACE _GNU_SOURCE)
target_compile_options(project_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wvla
  -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough -fno-common -fstack-protector-strong
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(project_flags INTERFACE
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
  # Before every file. It includes headers, so clang compiles without it and sees which ones a file has forgotten.
  target_compile_options(project_flags INTERFACE -include ${PROJECT_SOURCE_DIR}/common/base/ban.h)
endif()
if(WERROR)
  target_compile_options(project_flags INTERFACE -Werror)
endif()

set(CMAKE_C_FLAGS_DEBUG "-O0 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g") # no -DNDEBUG: asserts stay on in production

if(SANITIZE STREQUAL "address,undefined" OR SANITIZE STREQUAL "thread")
  set(san -fsanitize=${SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(project_flags INTERFACE ${san})
  target_link_options(project_flags INTERFACE ${san})
elseif(NOT SANITIZE STREQUAL "")
  message(FATAL_ERROR "unknown SANITIZE='${SANITIZE}': use address,undefined or thread")
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(project_flags INTERFACE -D_FORTIFY_SOURCE=3)
endif()
