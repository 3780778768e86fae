/*
 * fuzz_mzml.c - any bytes as an mzML file. The first byte says in which pieces they arrive, because
 * the decoders keep state between pieces.
 */
#include <stddef.h>
#include <stdint.h>

#include "msqc/mzml_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(struct mzml_parser *parser, const uint8_t *data, size_t size, struct err *err)
{
    const size_t piece = data[0] == '<' ? size : (size_t)data[0] + 1;
    size_t at = data[0] == '<' ? 0 : 1;
    while (at < size) {
        size_t n = size - at < piece ? size - at : piece;
        if (mzml_parser_feed(parser, (const char *)data + at, n, err) != 0) {
            return -1;
        }
        at += n;
    }
    struct result result;
    result_init(&result);
    return mzml_parser_end(parser, &result, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct err err = {0};
    struct figures figures;
    figures_init(&figures, NULL);
    struct mzml_parser *parser = mzml_parser_new(&figures, &err);
    if (parser != NULL && parse(parser, data, size, &err) == 0) {
        struct result result;
        result_init(&result);
        figures_summarise(&figures, &result);
    }
    mzml_parser_free(parser);
    figures_fini(&figures);
    return 0;
}
