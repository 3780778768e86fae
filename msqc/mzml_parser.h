/*
 * mzml_parser.h - an mzML file piece by piece, by expat, in bounded memory.
 * Threads: none; one owner.
 */
#ifndef MSQC_MZML_PARSER_H
#define MSQC_MZML_PARSER_H
#include <stddef.h>

#include "common/base/own.h"
#include "msqc/figures.h"

struct mzml_parser; /* opaque; defined in mzml_parser.c */

/*
 * A parser that adds to figures (borrowed; must outlive it). The caller owns it
 * (mzml_parser_free). On failure: NULL, *err set.
 */
struct mzml_parser *mzml_parser_new(struct figures *figures, struct err *err) OWNED
    __attribute__((nonnull));

/*
 * Read the next piece. On failure: -1, *err set and beginning with the line and the byte; feed no
 * more after that.
 */
int mzml_parser_feed(struct mzml_parser *parser, const char *text, size_t size, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * The file ends here: fill in what is not in the figures. On failure: -1, *err set; a document that
 * is not complete "is cut short".
 */
int mzml_parser_end(struct mzml_parser *parser, struct result *result, struct err *err)
    __attribute__((nonnull, warn_unused_result));

void mzml_parser_free(struct mzml_parser *parser);
AUTO_DEFINE(struct mzml_parser, mzml_parser_free);
#endif
