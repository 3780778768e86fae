/*
 * utf8.h - how many bytes the character at s takes; shared by the log and by names with odd bytes.
 * Pure; any thread.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H
#include <stdbool.h>
#include <stddef.h>

/* 1 to 4 for a well-formed character (shortest form, no surrogate, at most U+10FFFF); 0 for a byte
 * that starts none. Reads no further than the NUL that ends s. */
static inline size_t utf8_len(const char *s)
{
    const unsigned char *b = (const unsigned char *)s;
    size_t more;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    if (b[0] < 0x80) {
        return 1;
    }
    if (b[0] >= 0xc2 && b[0] <= 0xdf) {
        more = 1;
    } else if (b[0] >= 0xe0 && b[0] <= 0xef) {
        more = 2;
        low = b[0] == 0xe0 ? 0xa0 : 0x80;
        high = b[0] == 0xed ? 0x9f : 0xbf;
    } else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
        more = 3;
        low = b[0] == 0xf0 ? 0x90 : 0x80;
        high = b[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (b[1] < low || b[1] > high) {
        return 0;
    }
    for (size_t i = 2; i <= more; i++) {
        if (b[i] < 0x80 || b[i] > 0xbf) {
            return 0;
        }
    }
    return more + 1;
}

/* A character that moves a terminal's cursor or worse: C0, DEL, and C1 in its UTF-8 form. */
static inline bool utf8_is_control(const char *s, size_t len)
{
    const unsigned char *b = (const unsigned char *)s;
    return (len == 1 && (b[0] < 0x20 || b[0] == 0x7f)) || (len == 2 && b[0] == 0xc2 && b[1] < 0xa0);
}

/* What was cut in the middle of a character, or never was text, becomes '?'. MongoDB takes only
 * UTF-8. */
static inline void utf8_mend(char *s)
{
    while (*s != '\0') {
        size_t n = utf8_len(s);
        *s = n == 0 ? '?' : *s;
        s += n == 0 ? 1 : n;
    }
}
#endif
