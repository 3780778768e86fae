/*
 * completion.h - what a shell may offer after "trawl", from the table of commands.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H
#include <stdio.h>

/* The shell function _trawl_data, for bash and zsh: candidates by key, one "word<tab>meaning" a
 * line, "@instruments", "@folders" or "@files" for names that the shell finds out.
 *   commands:<first word>            of a command; "commands:" the first words
 *   options:<command>                its options and those of every command
 *   value:<command>:--<option>       of an option that takes one
 *   words:<command>                  its arguments
 */
void completion_data(FILE *out) __attribute__((nonnull));
#endif
