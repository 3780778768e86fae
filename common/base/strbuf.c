/* strbuf.c - text that grows while it is printed. */
#include "common/base/strbuf.h"

#include <stdbool.h>
#include <stdlib.h>

int strbuf_open(struct strbuf *t, struct err *err)
{
    *t = (struct strbuf){0};
    t->out = open_memstream(&t->data, &t->len);
    return t->out != NULL ? 0 : err_no_memory(err);
}

int strbuf_close(struct strbuf *t, struct err *err)
{
    bool bad = ferror(t->out) != 0;
    if (fclose(TAKE(t->out)) != 0 || bad || t->data == NULL) {
        return err_no_memory(err);
    }
    return 0;
}

void strbuf_fini(struct strbuf *t)
{
    if (t->out != NULL) {
        fclose(t->out);
    }
    free(t->data);
    *t = (struct strbuf){0};
}
