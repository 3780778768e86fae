/*
 * mzml_parser.c - expat's calls become mzml_run's, with limits for files that mean harm.
 *
 * - No document type: mzML has none, and entities (billion laughs, files from elsewhere) live
 * there.
 * - Depth is bounded by the stack of open elements.
 * - expat keeps a tag or comment whole; one that does not end within MAX_TOKEN_BYTES is refused.
 * - Text never accumulates: it goes to the array decoder piece by piece, or nowhere.
 */
#include "msqc/mzml_parser.h"

#include <assert.h>
#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdint.h>

#include "msqc/encoding.h"
#include "msqc/mzml_run.h"

#define MAX_DEPTH       64 /* mzML needs 12 */
#define MAX_TOKEN_BYTES ((int64_t)4 << 20)

struct mzml_parser {
    XML_Parser expat;
    struct mzml_run run;
    struct err failure; /* of a handler; expat itself only knows "aborted" */
    int64_t fed_bytes;
    size_t depth;
    enum mzml_element open[MAX_DEPTH];
};

/* Stop expat; it may still make one more call, which the handlers ignore. */
static void stop(struct mzml_parser *parser)
{
    XML_StopParser(parser->expat, XML_FALSE);
}

static void XMLCALL on_text(void *user, const char *text, int size)
{
    struct mzml_parser *parser = user;
    if (parser->failure.kind == ERR_NONE &&
        mzml_run_text(&parser->run, text, (size_t)size, &parser->failure) != 0) {
        stop(parser);
    }
}

/* Most text is arrays that nobody needs: expat skips it faster without a handler. */
static void choose_text_handler(struct mzml_parser *parser)
{
    XML_SetCharacterDataHandler(parser->expat, parser->run.decoding ? on_text : NULL);
}

static enum mzml_element parent_of_next(const struct mzml_parser *parser)
{
    return parser->depth > 0 ? parser->open[parser->depth - 1] : MZML_OTHER;
}

/* Some names occur in other places with another meaning: only the schema's place counts. */
static enum mzml_element in_place(const struct mzml_parser *parser, enum mzml_element element)
{
    enum mzml_element parent = parent_of_next(parser);
    if ((element == MZML_SPECTRUM && parent != MZML_SPECTRUM_LIST) ||
        (element == MZML_CHROMATOGRAM && parent != MZML_CHROMATOGRAM_LIST) ||
        (element == MZML_BINARY && parent != MZML_ARRAY)) {
        return MZML_OTHER;
    }
    return element;
}

static int begin_element(struct mzml_parser *parser, const char *name, const char *const *attrs)
{
    struct err *err = &parser->failure;
    enum mzml_element element = mzml_element_find(name);
    if (parser->depth == 0 && element != MZML_ROOT) {
        return ERR(err, ERR_INVALID, 0, "is not mzML: its root element is <%.60s>", name);
    }
    if (parser->depth == MAX_DEPTH) {
        return ERR(err, ERR_INVALID, 0, "has elements nested more than %d deep", MAX_DEPTH);
    }
    enum mzml_element parent = parent_of_next(parser);
    element = in_place(parser, element);
    parser->open[parser->depth++] = element;
    if (element == MZML_CV_PARAM || element == MZML_USER_PARAM || element == MZML_GROUP_REF) {
        return mzml_run_param(&parser->run, parent, element, attrs, err);
    }
    if (element != MZML_OTHER) {
        int status = mzml_run_begin(&parser->run, element, attrs, err);
        choose_text_handler(parser);
        return status;
    }
    return 0;
}

static void XMLCALL on_begin(void *user, const char *name, const char **attrs)
{
    struct mzml_parser *parser = user;
    if (parser->failure.kind == ERR_NONE &&
        begin_element(parser, name, (const char *const *)attrs) != 0) {
        stop(parser);
    }
}

static void XMLCALL on_end(void *user, const char *name)
{
    struct mzml_parser *parser = user;
    (void)name; /* expat has checked that it matches */
    if (parser->failure.kind != ERR_NONE) {
        return;
    }
    assert(parser->depth > 0);
    enum mzml_element element = parser->open[--parser->depth];
    if (mzml_run_end(&parser->run, element, &parser->failure) != 0) {
        stop(parser);
    }
    if (element == MZML_BINARY) {
        choose_text_handler(parser);
    }
}

static void XMLCALL on_doctype(void *user, const char *name, const char *system_id,
                               const char *public_id, int has_internal_subset)
{
    struct mzml_parser *parser = user;
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    ERR(&parser->failure, ERR_INVALID, 0,
        "has a document type declaration, which mzML does not use and which can hide attacks");
    stop(parser);
}

struct mzml_parser *mzml_parser_new(struct figures *figures, struct err *err)
{
    AUTO(mzml_parser_free) struct mzml_parser *parser = calloc(1, sizeof *parser);
    if (parser == NULL || (parser->expat = XML_ParserCreate(NULL)) == NULL) {
        ERR(err, ERR_FATAL, ENOMEM, "out of memory for an XML parser");
        return NULL;
    }
    if (mzml_run_init(&parser->run, figures, err) != 0) {
        return NULL;
    }
    XML_SetUserData(parser->expat, parser);
    XML_SetElementHandler(parser->expat, on_begin, on_end);
    XML_SetStartDoctypeDeclHandler(parser->expat, on_doctype);
    XML_SetUnknownEncodingHandler(parser->expat, encoding_find, NULL);
    return TAKE(parser);
}

void mzml_parser_free(struct mzml_parser *parser)
{
    if (parser != NULL) {
        if (parser->expat != NULL) {
            XML_ParserFree(parser->expat);
        }
        mzml_run_fini(&parser->run);
        free(parser);
    }
}

/* The handler's error if there is one, else expat's; with the place where it happened. */
static int report(struct mzml_parser *parser, const char *expat_problem, int64_t byte,
                  struct err *err)
{
    const struct err *failure = &parser->failure;
    if (failure->kind != ERR_NONE) {
        err_set(err, failure->kind, failure->code, failure->where, "%s", failure->msg);
    } else {
        enum XML_Error code = XML_GetErrorCode(parser->expat);
        enum err_kind kind = code == XML_ERROR_NO_MEMORY ? ERR_FATAL : ERR_INVALID;
        ERR(err, kind, (int)code, "%s (%s)", expat_problem, XML_ErrorString(code));
    }
    const struct mzml_run *run = &parser->run;
    if (run->item != MZML_OTHER) {
        err_context(err, "%s '%s'", run->item == MZML_SPECTRUM ? "spectrum" : "chromatogram",
                    run->item_id);
    }
    return err_context(err, "line %lu, byte %lld", XML_GetCurrentLineNumber(parser->expat),
                       (long long)byte);
}

int mzml_parser_feed(struct mzml_parser *parser, const char *text, size_t size, struct err *err)
{
    assert(size <= INT_MAX);
    parser->fed_bytes += (int64_t)size;
    if (XML_Parse(parser->expat, text, (int)size, XML_FALSE) != XML_STATUS_OK) {
        return report(parser, "is not well-formed XML", XML_GetCurrentByteIndex(parser->expat),
                      err);
    }
    /* Where the token that expat is still collecting begins; -1 when it has seen none. */
    int64_t token = XML_GetCurrentByteIndex(parser->expat);
    if (token >= 0 && parser->fed_bytes - token > MAX_TOKEN_BYTES) {
        ERR(&parser->failure, ERR_INVALID, EFBIG, "has a tag or comment of more than %lld MiB",
            (long long)(MAX_TOKEN_BYTES >> 20));
        return report(parser, "", token, err);
    }
    return 0;
}

/* What expat says when all that came was well-formed, and something must follow. */
static bool is_cut(enum XML_Error code)
{
    return code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
           code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

int mzml_parser_end(struct mzml_parser *parser, struct result *result, struct err *err)
{
    if (XML_Parse(parser->expat, "", 0, XML_TRUE) != XML_STATUS_OK) {
        bool cut = is_cut(XML_GetErrorCode(parser->expat));
        return report(parser, cut ? "is cut short" : "is not well-formed XML", parser->fed_bytes,
                      err);
    }
    mzml_run_summarise(&parser->run, result);
    return 0;
}
