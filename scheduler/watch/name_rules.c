#include "scheduler/watch/name_rules.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <xxhash.h>

#include "common/base/path.h"

/* Of a Bruker folder; what is not listed is the data of some other format (baf, fid, mcf, ...). */
static enum names_inside inside_bruker(const char *relative)
{
    static const char *const notes[] = {".xml",    ".ini",        ".txt",        ".log",
                                        ".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal"};
    static const char *const indexes[] = {"analysis.tdf", "analysis.tsf"};
    for (size_t k = 0; k < sizeof indexes / sizeof *indexes; k++) {
        size_t len = strlen(indexes[k]);
        if (strncasecmp(relative, indexes[k], len) != 0) {
            continue;
        }
        if (strcasecmp(relative + len, "_bin") == 0) {
            return NAMES_MAIN;
        }
        if (relative[len] == '\0' || relative[len] == '-') { /* and SQLite's side files */
            return NAMES_INDEX;
        }
    }
    for (size_t k = 0; k < sizeof notes / sizeof *notes; k++) {
        if (path_ends_with(relative, notes[k], true)) {
            return NAMES_NOTE;
        }
    }
    return strchr(relative, '/') == NULL ? NAMES_DATA : NAMES_NOTE;
}

enum names_inside names_inside(const struct instrument *i, const char *relative)
{
    if (i->type == INSTRUMENT_BRUKER) {
        return inside_bruker(relative);
    }
    if (i->type == INSTRUMENT_GENERIC && !names_is_folder(i)) {
        return NAMES_DATA;
    }
    bool main = i->type == INSTRUMENT_GENERIC && strcasecmp(relative, i->main_file) == 0;
    return main ? NAMES_MAIN : NAMES_NOTE;
}

bool names_is_folder(const struct instrument *i)
{
    return i->type == INSTRUMENT_BRUKER || (i->main_file != NULL && i->main_file[0] != '\0');
}

void names_collision_prefix(int64_t us, char out[static NAMES_PREFIX_LEN + 1])
{
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    char whole[32];
    size_t n = strftime(whole, sizeof whole, "%Y%m%d-%H%M%S", &tm);
    snprintf(whole + n, sizeof whole - n, "-%06d-", (int)(us % 1000000));
    memcpy(out, whole, NAMES_PREFIX_LEN + 1);
}

char *names_target(const char *prefix, const char *name, size_t stem)
{
    char *whole = NULL;
    if (asprintf(&whole, "%s%s", prefix, name) < 0) {
        return NULL;
    }
    size_t mark = 1 + 16, rest = strlen(name + stem), least = strlen(prefix) + 1;
    if (strlen(whole) <= NAME_MAX || least + mark + rest > NAME_MAX) {
        return whole;
    }
    size_t cut = NAME_MAX - mark - rest;
    while (cut > least && (whole[cut] & 0xc0) == 0x80) { /* no half character */
        cut--;
    }
    snprintf(whole + cut, mark + 1, "~%016llx", (unsigned long long)XXH3_64bits(name, stem));
    memcpy(whole + cut + mark, name + stem, rest + 1);
    return whole;
}

static bool is_token(const char *name, const char *token)
{
    size_t len = strlen(token);
    for (const char *at = name;;) {
        size_t here = strcspn(at, "_");
        if (here == len && strncasecmp(at, token, len) == 0) {
            return true;
        }
        if (at[here] == '\0') {
            return false;
        }
        at += here + 1;
    }
}

const char *names_project(const char *name, const char *const *projects)
{
    const char *found = NULL;
    for (size_t i = 0; projects[i] != NULL; i++) {
        if (strcmp(projects[i], PROJECT_FALLBACK) == 0 || !is_token(name, projects[i])) {
            continue;
        }
        if (found != NULL) {
            return PROJECT_FALLBACK;
        }
        found = projects[i];
    }
    return found != NULL ? found : PROJECT_FALLBACK;
}

static bool has_special_characters(const char *id)
{
    for (const char *c = id; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-_+.", *c) != NULL;
        if (!plain) {
            return true;
        }
    }
    return false;
}

struct names_skip names_skip(const struct instrument *i, const char *id, const char *original_name,
                             int64_t size)
{
    if (i != NULL && i->skip_processing) {
        return (struct names_skip){RAW_DONE_NOT_QUANTED,
                                   "Processing disabled for this instrument."};
    }
    if (strcasestr(id, "_dda_") != NULL) {
        return (struct names_skip){RAW_DONE_NOT_QUANTED, "Filename contains 'dda'."};
    }
    if (has_special_characters(id)) {
        return (struct names_skip){RAW_DONE_NOT_QUANTED, "Filename contains special characters."};
    }
    if (size == 0) {
        return (struct names_skip){RAW_ACQUISITION_FAILED, "File size is zero."};
    }
    if (path_ends_with(original_name, "_CORRUPTED.raw", false)) {
        return (struct names_skip){RAW_ACQUISITION_FAILED,
                                   "File name indicates failed acquisition."};
    }
    return (struct names_skip){RAW_UNKNOWN, ""};
}
