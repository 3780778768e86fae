/*
 * log.h - one JSON object a line on stderr, written with one write(2).
 *
 *     log_info("task_done", KV("task_id", id), KV("ms", ms));
 *
 * The event's name is constant, values are fields. Bytes that are not UTF-8 are escaped as \u00XX.
 * Never log secrets or payloads. Any thread.
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT };

struct log_kv {
    const char *key;
    enum { LOG_STR, LOG_I64, LOG_U64, LOG_F64, LOG_BOOL } type;
    union {
        const char *str;
        int64_t i64;
        uint64_t u64;
        double f64;
        bool b;
    };
};

static inline struct log_kv kv_str(const char *k, const char *v)
{
    return (struct log_kv){.key = k, .type = LOG_STR, .str = v};
}
static inline struct log_kv kv_bool(const char *k, bool v)
{
    return (struct log_kv){.key = k, .type = LOG_BOOL, .b = v};
}
static inline struct log_kv kv_i64(const char *k, int64_t v)
{
    return (struct log_kv){.key = k, .type = LOG_I64, .i64 = v};
}
static inline struct log_kv kv_u64(const char *k, uint64_t v)
{
    return (struct log_kv){.key = k, .type = LOG_U64, .u64 = v};
}
static inline struct log_kv kv_f64(const char *k, double v)
{
    return (struct log_kv){.key = k, .type = LOG_F64, .f64 = v};
}

#define KV(k, v)                                                                                   \
    _Generic((v),                                                                                  \
        char *: kv_str,                                                                            \
        const char *: kv_str,                                                                      \
        bool: kv_bool,                                                                             \
        short: kv_i64,                                                                             \
        int: kv_i64,                                                                               \
        long: kv_i64,                                                                              \
        long long: kv_i64,                                                                         \
        unsigned char: kv_u64,                                                                     \
        unsigned short: kv_u64,                                                                    \
        unsigned: kv_u64,                                                                          \
        unsigned long: kv_u64,                                                                     \
        unsigned long long: kv_u64,                                                                \
        float: kv_f64,                                                                             \
        double: kv_f64)((k), (v))

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_kv kv_[] = {{0}, ##__VA_ARGS__};                                      \
            log_emit((level), (event), kv_ + 1, sizeof kv_ / sizeof *kv_ - 1);                     \
        }                                                                                          \
    } while (0)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)

/* Name the process ("scheduler", "worker") and drop what is below level. Once, before threads. */
void log_init(const char *component, enum log_level level) __attribute__((nonnull));

/* Put an err's kind, place and message into one line at the level that its kind deserves. */
void log_err(const char *event, const struct err *e) __attribute__((nonnull));

/*
 * Lets a repeated failure through at most once a minute. One static struct log_gate a place:
 * the first call says true, then false until 60 s have passed; *missed counts the swallowed ones.
 */
struct log_gate {
    _Atomic int64_t next_ms;
    _Atomic uint64_t missed;
};
bool log_gate_open(struct log_gate *g, uint64_t *missed) __attribute__((nonnull));
/* log_err, at most once a minute from this place. */
#define log_err_rarely(event, e)                                                                   \
    do {                                                                                           \
        static struct log_gate gate_;                                                              \
        uint64_t missed_ = 0;                                                                      \
        if (log_gate_open(&gate_, &missed_)) {                                                     \
            log_err((event), (e));                                                                 \
        }                                                                                          \
    } while (0)

bool log_enabled(enum log_level level);
void log_emit(enum log_level level, const char *event, const struct log_kv *kv, size_t n);
#endif
