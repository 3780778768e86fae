/* suggest.c - "did you mean": the edit distance with swaps of neighbouring letters. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/suggest.h"

#define LONGEST 40 /* names beyond are not typed by hand */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > LONGEST || m > LONGEST) {
        return LONGEST;
    }
    size_t d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= n; i++) {
        d[i][0] = i;
    }
    for (size_t j = 0; j <= m; j++) {
        d[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            size_t other = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + other);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[n][m];
}

const char *suggest(const char *typed, const char *const *names)
{
    const char *best = NULL;
    size_t least = strlen(typed) / 3 + 2; /* nearer than this is a slip of the finger */
    for (; *names != NULL; names++) {
        size_t len = strlen(typed);
        bool begins = len >= 2 && strncmp(*names, typed, len) == 0;
        size_t distance = begins ? 1 : suggest_distance(typed, *names);
        if (distance < least) {
            least = distance;
            best = *names;
        }
    }
    return best;
}

const char *suggest_text(const char *typed, const char *const *names, const char *dashes,
                         char buf[static SUGGEST_MAX])
{
    const char *near = suggest(typed, names);
    if (near == NULL) {
        return ";";
    }
    snprintf(buf, SUGGEST_MAX, ": did you mean '%s%s'?", dashes, near);
    return buf;
}
