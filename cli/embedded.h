/*
 * embedded.h - the completion scripts of the shells, which the build embeds in the program
 * (cmake/embed.cmake). Not NUL-terminated.
 */
#ifndef CLI_EMBEDDED_H
#define CLI_EMBEDDED_H
#include <stddef.h>

extern const unsigned char embedded_completion_shared[], embedded_completion_bash[],
    embedded_completion_zsh[];
extern const size_t embedded_completion_shared_len, embedded_completion_bash_len,
    embedded_completion_zsh_len;
#endif
