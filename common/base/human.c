/*
 * human.c - numbers, times and names as people read them. It has three groups: numbers and times
 * into short texts in the caller's buffer; text_since, the only one that reads what a person typed;
 * and names. A name may hold any byte, so text_put and text_fit walk it character by character, and
 * print '?' for what is not UTF-8 or would move a terminal's cursor.
 */
#include "common/base/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/utf8.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * (int64_t)HOUR_MS)
#define ELLIPSIS  "…"

const char *text_size(int64_t bytes, char buf[static TEXT_SHORT])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 0) {
        return "-";
    }
    if (bytes < 1024) {
        snprintf(buf, TEXT_SHORT, "%" PRId64 " B", bytes);
        return buf;
    }
    double n = (double)bytes / 1024;
    size_t u = 0;
    while (n >= 1023.95 && u + 1 < sizeof units / sizeof *units) {
        n /= 1024;
        u++;
    }
    snprintf(buf, TEXT_SHORT, "%.1f %s", n, units[u]);
    return buf;
}

const char *text_duration(int64_t ms, char buf[static TEXT_SHORT])
{
    if (ms < MINUTE_MS) {
        snprintf(buf, TEXT_SHORT, "%" PRId64 " s", ms < 0 ? 0 : ms / SECOND_MS);
    } else if (ms < HOUR_MS) {
        int64_t s = ms % MINUTE_MS / SECOND_MS;
        snprintf(buf, TEXT_SHORT, s > 0 ? "%" PRId64 " min %" PRId64 " s" : "%" PRId64 " min",
                 ms / MINUTE_MS, s);
    } else if (ms < DAY_MS) {
        int64_t min = ms % HOUR_MS / MINUTE_MS;
        snprintf(buf, TEXT_SHORT, min > 0 ? "%" PRId64 " h %" PRId64 " min" : "%" PRId64 " h",
                 ms / HOUR_MS, min);
    } else {
        int64_t h = ms % DAY_MS / HOUR_MS;
        snprintf(buf, TEXT_SHORT, h > 0 ? "%" PRId64 " d %" PRId64 " h" : "%" PRId64 " d",
                 ms / DAY_MS, h);
    }
    return buf;
}

const char *text_age(int64_t then_ms, int64_t now_ms, char buf[static TEXT_SHORT])
{
    int64_t ms = now_ms > then_ms ? now_ms - then_ms : 0;
    if (then_ms == 0) {
        return "-";
    }
    if (ms < MINUTE_MS) {
        snprintf(buf, TEXT_SHORT, "%" PRId64 "s", ms / SECOND_MS);
    } else if (ms < HOUR_MS) {
        snprintf(buf, TEXT_SHORT, "%" PRId64 "m", ms / MINUTE_MS);
    } else if (ms < 2 * DAY_MS) {
        snprintf(buf, TEXT_SHORT, "%" PRId64 "h", ms / HOUR_MS);
    } else {
        snprintf(buf, TEXT_SHORT, "%" PRId64 "d", ms / DAY_MS);
    }
    return buf;
}

const char *text_percent(int64_t done, int64_t total, char buf[static TEXT_SHORT])
{
    if (total <= 0 || done < 0) {
        return "";
    }
    int percent = done >= total ? 100 : (int)((double)done * 100 / (double)total);
    snprintf(buf, TEXT_SHORT, "%d %%", percent);
    return buf;
}

const char *text_time(int64_t ms, char buf[static TEXT_SHORT])
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    if (ms == 0 || gmtime_r(&s, &tm) == NULL ||
        strftime(buf, TEXT_SHORT, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        return "-";
    }
    return buf;
}

static int64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"s", SECOND_MS}, {"m", MINUTE_MS}, {"min", MINUTE_MS},
                 {"h", HOUR_MS},   {"d", DAY_MS},    {"w", 7 * DAY_MS}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

int text_since(const char *text, int64_t now_ms, int64_t *out, struct err *err)
{
    static const char *const dates[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, dates[i], &tm);
        if (end != NULL && (*end == '\0' || strcmp(end, "Z") == 0)) {
            *out = (int64_t)timegm(&tm) * 1000;
            return 0;
        }
    }
    char *end = NULL;
    long n = strtol(text, &end, 10);
    int64_t unit = end != text ? unit_ms(end) : 0;
    if (unit == 0 || n < 0 || n > 100000) {
        return ERR(err, ERR_INVALID, 0,
                   "'%s' is no time: give 30m, 2h, 3d, 1w, 2026-11-21 or 2026-11-21T02:40", text);
    }
    *out = now_ms - n * unit;
    return 0;
}

static size_t char_len(const char *s)
{
    size_t len = utf8_len(s);
    return len > 0 ? len : 1;
}

size_t text_width(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s += char_len(s)) {
        n++;
    }
    return n;
}

/* Append n characters of s; what a terminal must not see becomes '?'. Returns where s goes on. */
static const char *put(char **out, const char *s, size_t n)
{
    for (; n > 0 && *s != '\0'; n--) {
        size_t len = char_len(s);
        if (utf8_len(s) == 0 || utf8_is_control(s, len)) {
            *(*out)++ = '?';
        } else {
            memcpy(*out, s, len);
            *out += len;
        }
        s += len;
    }
    return s;
}

char *text_fit(const char *s, size_t width)
{
    size_t have = text_width(s);
    char *buf = malloc(strlen(s) + sizeof ELLIPSIS);
    if (buf == NULL) {
        return NULL;
    }
    char *at = buf;
    if (width == 0 || have <= width) {
        put(&at, s, have);
    } else {
        size_t tail = (width - 1) / 2;
        const char *rest = put(&at, s, width - 1 - tail);
        memcpy(at, ELLIPSIS, sizeof ELLIPSIS - 1);
        at += sizeof ELLIPSIS - 1;
        for (size_t skip = have - (width - 1); skip > 0; skip--) {
            rest += char_len(rest);
        }
        put(&at, rest, tail);
    }
    *at = '\0';
    return buf;
}

void text_put(FILE *out, const char *s)
{
    for (size_t len; *s != '\0'; s += len) {
        len = char_len(s);
        if (utf8_len(s) == 0 || utf8_is_control(s, len)) {
            fputc('?', out);
        } else {
            fwrite(s, 1, len, out);
        }
    }
}
