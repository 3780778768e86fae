/*
 * own.h - who owns what: locals that free themselves, and handing over.
 */
#ifndef COMMON_BASE_OWN_H
#define COMMON_BASE_OWN_H
#include <stdlib.h>

/* A local that is freed by fn when it leaves scope: AUTO(bson_destroy) bson_t *doc = bson_new(); */
#define AUTO(fn) __attribute__((cleanup(auto_##fn)))
/* Once per type and free function, before AUTO(fn) can be used. */
#define AUTO_DEFINE(type, fn)                                                                      \
    __attribute__((unused)) static inline void auto_##fn(type **p)                                 \
    {                                                                                              \
        if (*p != NULL) {                                                                          \
            fn(*p);                                                                                \
        }                                                                                          \
    }                                                                                              \
    _Static_assert(1, "")

/* A result that the caller must free; the comment names the function that does. */
#define OWNED __attribute__((warn_unused_result))

/* Hand over: yields p and leaves NULL behind. */
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })

static inline void auto_free(void *p)
{
    free(*(void **)p);
}
#endif
