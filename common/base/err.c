#include "common/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

__attribute__((format(printf, 3, 0))) static void vset(char *dst, size_t room, const char *fmt,
                                                       va_list ap)
{
    int n = vsnprintf(dst, room, fmt, ap);
    if (n >= 0 && (size_t)n >= room) {
        dst[room - 2] = '+';
    }
}

int err_set(struct err *e, enum err_kind kind, int code, const char *where, const char *fmt, ...)
{
    if (e->kind != ERR_NONE) {
        return -1;
    }
    e->kind = kind;
    e->code = code;
    e->where = where;
    va_list ap;
    va_start(ap, fmt);
    vset(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    utf8_mend(e->msg);
    return -1;
}

int err_context(struct err *e, const char *fmt, ...)
{
    char old[sizeof e->msg];
    memcpy(old, e->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    vset(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    size_t used = strlen(e->msg);
    if (snprintf(e->msg + used, sizeof e->msg - used, ": %s", old) >= (int)(sizeof e->msg - used)) {
        e->msg[sizeof e->msg - 2] = '+';
    }
    utf8_mend(e->msg);
    return -1;
}

const char *err_kind_name(enum err_kind kind)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",       [ERR_INVALID] = "permanent",   [ERR_MISSING] = "missing",
        [ERR_REFUSED] = "refused", [ERR_TRANSIENT] = "transient", [ERR_HOLD] = "hold",
        [ERR_LOST] = "lost",       [ERR_YIELD] = "yield",         [ERR_CANCELLED] = "cancelled",
        [ERR_FENCED] = "fenced",   [ERR_FATAL] = "fatal",
    };
    static_assert(sizeof names / sizeof *names == ERR_KIND_COUNT, "a name for every kind");
    return names[kind];
}

bool err_is_of_database(const struct err *e)
{
    return e->code == ERR_CODE_DATABASE || e->code == ERR_CODE_DATABASE_REFUSED;
}

const char *err_code_name(int code)
{
    return code == ERR_CODE_SOURCE_CHANGED     ? "source_changed"
           : code == ERR_CODE_SOURCE_BUSY      ? "source_busy"
           : code == ERR_CODE_ORIGINAL_DIFFERS ? "original_differs"
           : code == ERR_CODE_DATABASE         ? "database"
           : code == ERR_CODE_DATABASE_REFUSED ? "database_refused"
           : code <= ERR_CODE_LOCATION         ? "location"
                                               : "";
}
