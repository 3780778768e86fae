/*
 * frame.c - a script on its way to a head node, and its answer on the way back. Three lines of
 * shell, as macros, do the work on the other side: CLEAN starts a bash in an environment of our
 * own, BY_INPUT reads the script from standard input, BY_PIECES collects it from arguments in a
 * file of /tmp. frame_line and frame_piece fill in nonce, length and piece. The script runs only
 * when all its bytes have come.
 *
 * The second half reads answers: next_line finds the lines that carry the nonce, read_lines counts
 * those between "begin|n" and "end|n". A wrong count makes the answer BROKEN, so half an answer is
 * never used.
 */
#include "workers/job/frame.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/hash.h"
#include "common/base/strbuf.h"

/* A variable that is set goes on as it is, any other one is not there. */
#define KEEP(name) " ${" name "+\"" name "=$" name "\"}"
/* What a cluster's user may say of the site: where its tools and configuration are, and what every
 * submission there needs. All else of SLURM_, SBATCH_, SQUEUE_, SACCT_ changes what is asked or how
 * it is answered. */
#define FRAME_VARIABLES                                                                            \
    KEEP("HOME")                                                                                   \
    KEEP("USER")                                                                                   \
    KEEP("LOGNAME")                                                                                \
    KEEP("LD_LIBRARY_PATH")                                                                        \
    KEEP("SLURM_CONF")                                                                             \
    KEEP("SBATCH_ACCOUNT")                                                                         \
    KEEP("SBATCH_PARTITION")                                                                       \
    KEEP("SBATCH_QOS")                                                                             \
    KEEP("SBATCH_RESERVATION")                                                                     \
    KEEP("SBATCH_CONSTRAINT")                                                                      \
    KEEP("SBATCH_TIMELIMIT")                                                                       \
    KEEP("SLURM_WCKEY")

/* --norc: a bash that came over the network reads .bashrc for -c, too. -p: neither BASH_ENV nor a
 * function nor an option of the environment counts. A stream that was closed would be the next file
 * that somebody opens. A folder that a start file went to may be gone, and the system's own tools
 * may be missing in its PATH. $1 is what runs; the rest are its arguments, of which the first is
 * the nonce. */
#define CLEAN                                                                                      \
    "cd /; [ -e /dev/fd/0 ] || exec </dev/null; [ -e /dev/fd/2 ] || exec 2>/dev/null; "            \
    "exec /usr/bin/env -i LC_ALL=C PATH=\"${PATH:+$PATH:}/usr/bin:/bin\"" FRAME_VARIABLES          \
    " /bin/bash --norc -p -c \"$@\""

/* The script is run with the nonce as its $1, and nothing to read. Its last byte may be a line
 * break, which a substitution would take off. */
#define RUN_WHOLE                                                                                  \
    "if [ ${#script} -eq $(($2 + 1)) ]; then eval \"${script%.}\" </dev/null; "                    \
    "else echo; echo \"trawl|$1|end|short\"; fi"

/* nonce, length */
#define BY_INPUT "echo; echo \"trawl|$1|ready\"; script=$(head -c \"$2\"; echo .); " RUN_WHOLE

/* nonce, length, "first" or "next", "last" or "more", base64 */
#define BY_PIECES                                                                                  \
    "f=/tmp/trawl-$1; (umask 077; set -C; if [ \"$3\" = first ]; then : >\"$f\"; fi && "           \
    "base64 -d <<<\"$5\" >>\"$f\"); "                                                              \
    "if [ \"$4\" = more ]; then echo; echo \"trawl|$1|end|part\"; exit; fi; "                      \
    "script=$(cat \"$f\"; echo .); rm -f \"$f\"; " RUN_WHOLE

int frame_nonce(char nonce[static FRAME_NONCE], struct err *err)
{
    unsigned char bytes[(FRAME_NONCE - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return ERR(err, ERR_HOLD, 0, "the kernel gives no random bytes: %m");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

void frame_ready(const char *nonce, char token[static FRAME_TOKEN])
{
    snprintf(token, FRAME_TOKEN, "\ntrawl|%s|ready", nonce);
}

void frame_end(const char *nonce, char token[static FRAME_TOKEN])
{
    snprintf(token, FRAME_TOKEN, "\ntrawl|%s|end|", nonce);
}

char *frame_line(const char *nonce, size_t len)
{
    char *line = NULL;
    int n = asprintf(&line, "/bin/bash --norc -p -c '%s' trawl '%s' trawl %s %zu", CLEAN, BY_INPUT,
                     nonce, len);
    return n >= 0 ? line : NULL;
}

char *frame_piece(const char *nonce, const char *script, size_t len, size_t from)
{
    unsigned char text[FRAME_PIECE / 3 * 4 + 1];
    size_t n = len - from < FRAME_PIECE ? len - from : FRAME_PIECE;
    char *line = NULL;
    _Static_assert(FRAME_PIECE % 3 == 0, "pieces are put together as they are");
    EVP_EncodeBlock(text, (const unsigned char *)script + from, (int)n);
    int made = asprintf(&line, "/bin/bash --norc -p -c '%s' trawl '%s' trawl %s %zu %s %s %s",
                        CLEAN, BY_PIECES, nonce, len, from == 0 ? "first" : "next",
                        from + n == len ? "last" : "more", (char *)text);
    return made >= 0 ? line : NULL;
}

/* --- the answer --- */

struct line {
    const char *at; /* behind "trawl|<nonce>|"; not terminated */
    size_t len;
};

/* The next line of ours that is whole; false at the end. */
static bool next_line(const char *nonce, const char **at, const char *end, struct line *out)
{
    char prefix[FRAME_TOKEN];
    int length = snprintf(prefix, sizeof prefix, "trawl|%s|", nonce);
    while (*at < end) {
        const char *start = *at;
        const char *stop = memchr(start, '\n', (size_t)(end - start));
        if (stop == NULL) {
            return false;
        }
        *at = stop + 1;
        stop -= stop > start && stop[-1] == '\r' ? 1 : 0;
        if (stop - start >= length && memcmp(start, prefix, (size_t)length) == 0) {
            *out = (struct line){start + length, (size_t)(stop - start - length)};
            return true;
        }
    }
    return false;
}

static bool is(const struct line *line, const char *text)
{
    return line->len == strlen(text) && memcmp(line->at, text, line->len) == 0;
}

/* Whether the line is "<word>|<number>". */
static bool is_count(const struct line *line, const char *word, size_t number)
{
    char text[64];
    snprintf(text, sizeof text, "%s|%zu", word, number);
    return is(line, text);
}

static bool begins(const struct line *line, const char *word)
{
    return line->len > strlen(word) && memcmp(line->at, word, strlen(word)) == 0;
}

static void put(FILE *out, const struct line *line)
{
    fputs("trawl|", out);
    for (size_t i = 0; i < line->len; i++) {
        fputc(line->at[i] != '\0' ? line->at[i] : '?', out);
    }
    fputc('\n', out);
}

/* The lines between "begin|n" and "end|n", of which there must be n. */
static enum frame read_lines(const char *nonce, const char *at, const char *end, FILE *out)
{
    struct line line, first = {0};
    size_t n = 0;
    while (next_line(nonce, &at, end, &line)) {
        if (is(&line, "ready")) {
            continue;
        }
        if (is(&line, "end|short") || is(&line, "end|part")) {
            return is(&line, "end|short") ? FRAME_SHORT : FRAME_PART;
        }
        if (begins(&line, "begin|")) {
            first = line;
            n = 0;
        } else if (begins(&line, "end|")) {
            return first.at != NULL && is_count(&first, "begin", n) && is_count(&line, "end", n)
                       ? FRAME_WHOLE
                       : FRAME_BROKEN;
        } else {
            n++;
            put(out, &line);
        }
    }
    return FRAME_BROKEN;
}

enum frame frame_open(const char *nonce, const char *answer, size_t len, char **text)
{
    AUTO(strbuf_fini) struct strbuf t = {0};
    struct err ignored = {0};
    *text = NULL;
    if (answer == NULL || strbuf_open(&t, &ignored) != 0) {
        return FRAME_BROKEN;
    }
    enum frame frame = read_lines(nonce, answer, answer + len, t.out);
    if (strbuf_close(&t, &ignored) != 0) {
        return FRAME_BROKEN;
    }
    *text = frame == FRAME_WHOLE ? TAKE(t.data) : NULL;
    return frame;
}

void frame_show(const char *answer, size_t len, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; answer != NULL && i < len; i++) {
        unsigned char c = (unsigned char)answer[i];
        char one[8];
        if (c == '\n' || c == '\r') {
            snprintf(one, sizeof one, "%s", c == '\n' ? "\\n" : "\\r");
        } else if (c >= 0x20 && c < 0x7f) {
            snprintf(one, sizeof one, "%c", c);
        } else {
            snprintf(one, sizeof one, "\\x%02x", c);
        }
        if (used + strlen(one) + 4 > room) {
            snprintf(out + used, room - used, "...");
            return;
        }
        used += (size_t)snprintf(out + used, room - used, "%s", one);
    }
}
