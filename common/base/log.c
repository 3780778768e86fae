/*
 * A line is built in one buffer of PIPE_BUF bytes on the stack, so that the single write(2) is
 * atomic on a pipe too. TAIL bytes are kept free for what closes the line. A value that does not
 * fit ends in '+'; a field that does not fit at all is left out and the line says "cut":true.
 */
#include "common/base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/utf8.h"

#define LINE_MAX_BYTES  PIPE_BUF
#define VALUE_MAX_BYTES 1500
#define GATE_MS         60000
static const char cut_tail[] = ",\"cut\":true}\n";
#define TAIL (sizeof cut_tail + 2) /* and '+' and '"' */

/* The process's name and level: set once by log_init, before there are threads. */
static char component_name[32] = "trawl";
static _Atomic int least_level = LOG_INFO;

struct line {
    char buf[LINE_MAX_BYTES];
    size_t n;
    bool cut;
};

static size_t line_room(const struct line *l)
{
    return l->n + TAIL >= sizeof l->buf ? 0 : sizeof l->buf - TAIL - l->n;
}

static bool line_put(struct line *l, const char *bytes, size_t len)
{
    if (len > line_room(l)) {
        return false;
    }
    memcpy(l->buf + l->n, bytes, len);
    l->n += len;
    return true;
}

/* Escape the character at s into out (at least 7 bytes); returns how many bytes of s it took. */
static size_t escape_one(const char *s, char *out, size_t *out_len)
{
    size_t len = utf8_len(s);
    if (*s == '"' || *s == '\\') {
        out[0] = '\\';
        out[1] = *s;
        *out_len = 2;
        return 1;
    }
    if (len == 0 || utf8_is_control(s, len)) {
        unsigned code = len == 2 ? (unsigned char)s[1] : (unsigned char)*s; /* C2 XX is U+00XX */
        *out_len = (size_t)snprintf(out, 7, "\\u%04x", code);
        return len == 0 ? 1 : len;
    }
    memcpy(out, s, len);
    *out_len = len;
    return len;
}

static void line_string(struct line *l, const char *s)
{
    size_t start = l->n;
    line_put(l, "\"", 1);
    while (*s != '\0') {
        char one[8];
        size_t len;
        size_t taken = escape_one(s, one, &len);
        if (l->n - start + len > VALUE_MAX_BYTES || !line_put(l, one, len)) {
            l->buf[l->n++] = '+'; /* TAIL has the room for it and for the quote */
            break;
        }
        s += taken;
    }
    l->buf[l->n++] = '"';
}

static void line_value(struct line *l, const struct log_kv *kv)
{
    char text[40];
    int n = 0;
    switch (kv->type) {
    case LOG_STR:
        if (kv->str != NULL) {
            line_string(l, kv->str);
            return;
        }
        n = snprintf(text, sizeof text, "null");
        break;
    case LOG_I64:
        n = snprintf(text, sizeof text, "%lld", (long long)kv->i64);
        break;
    case LOG_U64:
        n = snprintf(text, sizeof text, "%llu", (unsigned long long)kv->u64);
        break;
    case LOG_F64: /* JSON has no word for infinity or for not a number */
        n = isfinite(kv->f64) ? snprintf(text, sizeof text, "%.15g", kv->f64)
                              : snprintf(text, sizeof text, "null");
        break;
    case LOG_BOOL:
        n = snprintf(text, sizeof text, "%s", kv->b ? "true" : "false");
        break;
    }
    assert(n > 0 && (size_t)n < sizeof text);
    line_put(l, text, (size_t)n);
}

static void line_field(struct line *l, const struct log_kv *kv)
{
    const size_t least = 48; /* the punctuation, and any number */
    if (l->cut || kv->key == NULL || line_room(l) < least + 6 * strlen(kv->key)) {
        l->cut = l->cut || kv->key != NULL;
        return;
    }
    line_put(l, l->n == 0 ? "{" : ",", 1);
    line_string(l, kv->key);
    line_put(l, ":", 1);
    line_value(l, kv);
}

static void line_write(struct line *l)
{
    const char *tail = l->cut ? cut_tail : "}\n";
    memcpy(l->buf + l->n, tail, strlen(tail));
    l->n += strlen(tail);
    while (write(STDERR_FILENO, l->buf, l->n) < 0 && errno == EINTR) {
    } /* a log that fails has no place to report it */
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    static_assert(sizeof names / sizeof *names == LOG_LEVEL_COUNT, "a name for every level");
    return names[level];
}

void log_emit(enum log_level level, const char *event, const struct log_kv *kv, size_t n)
{
    int saved = errno; /* the caller may still want to look at it */
    struct line l;
    l.n = 0;
    l.cut = false;
    char ts[32];
    const struct log_kv head[] = {kv_str("ts", wall_iso(wall_ms(), ts, sizeof ts)),
                                  kv_str("level", level_name(level)),
                                  kv_str("component", component_name), kv_str("event", event)};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        line_field(&l, &head[i]);
    }
    for (size_t i = 0; i < n; i++) {
        line_field(&l, &kv[i]);
    }
    line_write(&l);
    errno = saved;
}

void log_init(const char *component, enum log_level level)
{
    snprintf(component_name, sizeof component_name, "%s", component);
    atomic_store(&least_level, (int)level);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static enum log_level level_of(enum err_kind kind)
{
    switch (kind) {
    case ERR_INVALID:
    case ERR_MISSING:
    case ERR_REFUSED:
    case ERR_FATAL:
        return LOG_ERROR;
    case ERR_TRANSIENT:
    case ERR_HOLD:
    case ERR_LOST:
        return LOG_WARN;
    case ERR_NONE:
    case ERR_CANCELLED:
    case ERR_FENCED:
    case ERR_YIELD:
    case ERR_KIND_COUNT:
        break;
    }
    return LOG_INFO;
}

void log_err(const char *event, const struct err *e)
{
    LOG_AT(level_of(e->kind), event, KV("kind", err_kind_name(e->kind)), KV("where", e->where),
           KV("code", e->code), KV("msg", (const char *)e->msg));
}

bool log_gate_open(struct log_gate *g, uint64_t *missed)
{
    int64_t now = mono_ms();
    int64_t next = atomic_load(&g->next_ms);
    if (now < next || !atomic_compare_exchange_strong(&g->next_ms, &next, now + GATE_MS)) {
        *missed = atomic_fetch_add(&g->missed, 1) + 1;
        return false;
    }
    *missed = atomic_exchange(&g->missed, 0);
    return true;
}
