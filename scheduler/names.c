#include "scheduler/names.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <xxhash.h>

#include "common/path.h"
#include "common/retire.h"

static const char *const extensions[] = {
    [INSTRUMENT_THERMO] = ".raw",
    [INSTRUMENT_BRUKER] = ".d",
    [INSTRUMENT_SCIEX] = ".wiff",
    [INSTRUMENT_GENERIC] = "",
};

/* What moving has left behind, or made. */
static bool is_retired(const char *name)
{
    return strcmp(name, RETIRE_FOLDER) == 0 || path_ends_with(name, RETIRE_DUPLICATE, false);
}

bool names_is_raw_file(const struct instrument *i, const char *name)
{
    if (name[0] == '.' || is_retired(name)) { /* bare extensions, and the names that Trawl makes */
        return false;
    }
    if (i->type == INSTRUMENT_GENERIC) {
        return fnmatch(i->glob, name, FNM_PERIOD) == 0;
    }
    return path_ends_with(name, extensions[i->type], true);
}

size_t names_stem(const struct instrument *i, const char *name)
{
    size_t len = strlen(name);
    if (i->type == INSTRUMENT_GENERIC) {
        const char *dot = strrchr(name, '.');
        return dot != NULL && dot != name ? (size_t)(dot - name) : len;
    }
    return len - strlen(extensions[i->type]);
}

bool names_is_companion(const struct instrument *i, const char *main, const char *name)
{
    if (i->type != INSTRUMENT_SCIEX) {
        return strcmp(main, name) == 0;
    }
    size_t stem = names_stem(i, main);
    return strncmp(main, name, stem) == 0 && name[stem] == '.' && name[stem + 1] != '\0' &&
           !is_retired(name);
}

char *names_main_file(const struct instrument *i, const char *name)
{
    const char *inside = i->type == INSTRUMENT_BRUKER ? "analysis.tdf_bin" : i->main_file;
    char *path = NULL;
    if (inside == NULL || inside[0] == '\0') {
        return strdup(name);
    }
    return asprintf(&path, "%s/%s", name, inside) < 0 ? NULL : path;
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
        return (struct names_skip){"done_not_quanted", "Processing disabled for this instrument."};
    }
    if (strcasestr(id, "_dda_") != NULL) {
        return (struct names_skip){"done_not_quanted", "Filename contains 'dda'."};
    }
    if (has_special_characters(id)) {
        return (struct names_skip){"done_not_quanted", "Filename contains special characters."};
    }
    if (size == 0) {
        return (struct names_skip){"acquisition_failed", "File size is zero."};
    }
    if (path_ends_with(original_name, "_CORRUPTED.raw", false)) {
        return (struct names_skip){"acquisition_failed", "File name indicates failed acquisition."};
    }
    return (struct names_skip){NULL, ""};
}
