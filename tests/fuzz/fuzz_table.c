/* fuzz_table.c - any bytes as a table of results: tabs, commas, and what the header says. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workers/quant/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct table *t, size_t size)
{
    int column = table_column(t, "a");
    for (size_t row = 0; column >= 0 && row < table_rows(t); row++) {
        double number = 0;
        struct err err = {0};
        int rc = table_number(t, row, column, &number, &err);
        if (strlen(table_cell(t, row, column)) > 2 * size || (rc == 0 && isinf(number))) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = {'\t', ',', TABLE_DETECT};
    for (size_t i = 0; i < sizeof separators; i++) {
        struct err err = {0};
        struct table *t = table_parse((const char *)data, size, separators[i], &err);
        if ((t == NULL) != (err.kind != ERR_NONE)) {
            abort();
        }
        if (t != NULL) {
            read_all(t, size);
        }
        table_free(t);
    }
    return 0;
}
