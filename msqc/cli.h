/*
 * cli.h - the command line of trawl-msqc.
 */
#ifndef MSQC_CLI_H
#define MSQC_CLI_H
#include "msqc/extract.h"

/*
 * Read the arguments, extract, and say on stdout what happens and on stderr what failed.
 * Owns nothing. The result is the exit status of the process. One thread (getopt).
 */
enum extract_exit cli_run(int argc, char **argv) __attribute__((nonnull, warn_unused_result));
#endif
