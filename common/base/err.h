/*
 * err.h - one error, on the caller's stack, without allocation. The first failure wins.
 */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H
#include <errno.h>
#include <stdbool.h>

/* The kind decides the fate; the runner maps it in one place. */
enum err_kind {
    ERR_NONE,
    ERR_INVALID,   /* permanent: fail now, with a clear reason */
    ERR_MISSING,   /* the same: there is no such thing, or more than one */
    ERR_REFUSED,   /* the same: its state does not allow it */
    ERR_TRANSIENT, /* try again, with back-off */
    ERR_HOLD,      /* a location is not usable: wait for it, the attempt does not count */
    ERR_LOST,      /* node or worker died: try again, the attempt does not count */
    ERR_YIELD,     /* the worker stops: hand the task back at once, the attempt does not count */
    ERR_CANCELLED, /* somebody asked to stop */
    ERR_FENCED,    /* this attempt is no longer the newest: change nothing */
    ERR_FATAL,     /* the process cannot go on */
    ERR_KIND_COUNT
};

/* Codes of ours, beside the errnos: what is decided by more than the kind. Stored as error.code of
 * a task (docs/data-model.md). */
#define ERR_CODE_SOURCE_CHANGED (-1001) /* the source is not what was listed, or was backed up */
#define ERR_CODE_SOURCE_BUSY    (-1002) /* its share does not give it now: passes by itself */
#define ERR_CODE_ORIGINAL_DIFFERS                                                                  \
    (-1003)                               /* what is in the instrument's Backup is not what is in  \
                                             the pool: a person decides */
#define ERR_CODE_DATABASE         (-1004) /* MongoDB does not answer, or refuses; the kind says which */
#define ERR_CODE_DATABASE_REFUSED (-1005) /* MongoDB answers that it does not do this */
#define ERR_CODE_LOCATION         (-1100) /* less an enum mount_status: what is wrong with a location */

struct err {
    enum err_kind kind;
    int code;          /* errno, a library's code, one of the above, or 0 */
    const char *where; /* the function that failed */
    char msg[320];     /* a message that did not fit ends in '+' */
};

/* Set *e unless it is already set. Always -1. */
int err_set(struct err *e, enum err_kind kind, int code, const char *where, const char *fmt, ...)
    __attribute__((nonnull(1, 4, 5), format(printf, 5, 6), cold));

/* Put "context: " before the message. Always -1. */
int err_context(struct err *e, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 2, 3), cold));

/* The kind's name as it is stored and shown: "transient", "permanent", ... Never NULL. */
const char *err_kind_name(enum err_kind kind) __attribute__((returns_nonnull));
/* Whether MongoDB is what failed: then no share, file or job is to blame. */
bool err_is_of_database(const struct err *e) __attribute__((nonnull));
/* "source_changed", "source_busy", "original_differs", "database", "database_refused",
 * "location"; "" for what is no
 * code of ours. */
const char *err_code_name(int code) __attribute__((returns_nonnull));

#define ERR(e, kind, code, ...) err_set((e), (kind), (code), __func__, __VA_ARGS__)
#define err_no_memory(e)        err_set((e), ERR_TRANSIENT, ENOMEM, __func__, "out of memory")
#endif
