#include "common/base/path.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/utf8.h"

bool path_is_safe(const char *relative)
{
    const char *part = relative;
    for (;;) {
        size_t len = strcspn(part, "/");
        bool dots = (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.');
        if (len == 0 || dots) {
            return false;
        }
        if (part[len] == '\0') {
            return true;
        }
        part += len + 1;
    }
}

char *path_join(const char *root, const char *relative, struct err *err)
{
    if (*root == '\0') {
        ERR(err, ERR_INVALID, 0, "no folder is set for '%s'", relative);
        return NULL;
    }
    if (!path_is_safe(relative)) {
        ERR(err, ERR_INVALID, 0, "'%s' does not stay below its folder %s", relative, root);
        return NULL;
    }
    char *path;
    const char *slash = root[strlen(root) - 1] == '/' ? "" : "/";
    if (asprintf(&path, "%s%s%s", root, slash, relative) < 0) {
        err_no_memory(err);
        return NULL;
    }
    return path;
}

char *path_month(int64_t ms, char buf[static 8])
{
    time_t s =
        (time_t)(ms >= 0 ? ms / 1000 : -((999 - ms) / 1000)); /* round down, also before 1970 */
    struct tm tm;
    gmtime_r(&s, &tm);
    unsigned year = (unsigned)(tm.tm_year + 1900) % 10000, month = (unsigned)(tm.tm_mon + 1) % 100;
    snprintf(buf, 8, "%04u_%02u", year, month);
    return buf;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

bool path_ends_with(const char *a, const char *b, bool nocase)
{
    size_t la = strlen(a), lb = strlen(b);
    if (lb > la) {
        return false;
    }
    const char *tail = a + (la - lb);
    return (nocase ? strcasecmp(tail, b) : strcmp(tail, b)) == 0;
}

char *path_escape(const char *bytes)
{
    static const char hex[] = "0123456789ABCDEF";
    char *text = malloc(3 * strlen(bytes) + 1);
    if (text == NULL) {
        return NULL;
    }
    char *to = text;
    while (*bytes != '\0') {
        size_t len = utf8_len(bytes);
        bool plain = len != 0 && *bytes != '%' && !utf8_is_control(bytes, len);
        for (size_t i = 0; i < (len == 0 ? 1 : len); i++, bytes++) {
            unsigned char b = (unsigned char)*bytes;
            if (plain) {
                *to++ = (char)b;
            } else {
                *to++ = '%';
                *to++ = hex[b >> 4];
                *to++ = hex[b & 15];
            }
        }
    }
    *to = '\0';
    return text;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *path_unescape(const char *text)
{
    char *bytes = malloc(strlen(text) + 1);
    if (bytes == NULL) {
        return NULL;
    }
    char *to = bytes;
    while (*text != '\0') {
        int high = *text == '%' ? nibble(text[1]) : -1;
        int low = high >= 0 ? nibble(text[2]) : -1;
        if (low >= 0 && (high | low) != 0) { /* %00 stays text: it would end the name */
            *to++ = (char)(high << 4 | low);
            text += 3;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
    return bytes;
}
