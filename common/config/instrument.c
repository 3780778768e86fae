/*
 * One instrument's file: read by the same table machinery as trawl.ini, then completed with what
 * depends on its type and on [scheduler].
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/path.h"
#include "common/config/config.h"
#include "common/config/config_keys.h"

#define SUFFIX ".ini"

const char *instrument_type_name(enum instrument_type t)
{
    static const char *const names[] = {[INSTRUMENT_THERMO] = "thermo",
                                        [INSTRUMENT_BRUKER] = "bruker",
                                        [INSTRUMENT_SCIEX] = "sciex",
                                        [INSTRUMENT_GENERIC] = "generic"};
    static_assert(sizeof names / sizeof *names == INSTRUMENT_TYPE_COUNT, "a name for every type");
    static_assert(sizeof(enum instrument_type) == sizeof(unsigned), "config_set stores unsigned");
    return names[t];
}

void instrument_free(struct instrument *i)
{
    if (i != NULL) {
        config_free_values(i, &instrument_keys);
        free(i->id);
        free(i);
    }
}

static int take_id(struct instrument *i, const char *file, struct err *err)
{
    const char *base = path_base(file);
    size_t len = strlen(base);
    size_t id_len = len > strlen(SUFFIX) ? len - strlen(SUFFIX) : 0;
    if (!path_ends_with(base, SUFFIX, false) || id_len < 1 || id_len > 32 ||
        strspn(base, "abcdefghijklmnopqrstuvwxyz0123456789_-") != id_len) {
        return ERR(err, ERR_INVALID, 0,
                   "%s: an instrument's file is called <id>.ini, the id 1 to 32 of a-z 0-9 _ -",
                   file);
    }
    i->id = strndup(base, id_len);
    return i->id == NULL ? err_no_memory(err) : 0;
}

static bool is_set(const struct config_origin *origin, const char *name)
{
    const struct config_key *k = config_find(&instrument_keys, "instrument", name);
    assert(k != NULL);
    return origin[k - instrument_keys.at].layer != CONFIG_FROM_DEFAULT;
}

static int check_names(const struct instrument *i, struct err *err)
{
    if (i->type == INSTRUMENT_GENERIC && *i->glob == '\0') {
        return ERR(err, ERR_INVALID, 0,
                   "instrument.glob is missing: a generic instrument needs it");
    }
    if (i->type != INSTRUMENT_GENERIC && (*i->glob != '\0' || *i->main_file != '\0')) {
        return ERR(err, ERR_INVALID, 0, "instrument.%s is only for type = generic",
                   *i->glob != '\0' ? "glob" : "main_file");
    }
    if (strchr(i->glob, '/') != NULL) {
        return ERR(err, ERR_INVALID, 0, "instrument.glob: names in one folder, without '/'");
    }
    if (*i->main_file != '\0' && !path_is_safe(i->main_file)) {
        return ERR(err, ERR_INVALID, 0, "instrument.main_file: must stay below the raw file");
    }
    return 0;
}

static int complete(struct instrument *i, const struct config_origin *origin,
                    const struct config *c, struct err *err)
{
    static const char *const needed[] = {"type", "path"};
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++) {
        if (!is_set(origin, needed[n])) {
            return ERR(err, ERR_INVALID, 0, "instrument.%s is missing", needed[n]);
        }
    }
    if (!is_set(origin, "poll_s")) {
        i->poll_s = c->scheduler.poll_s;
    }
    if (!is_set(origin, "quiet_s")) {
        i->quiet_s = i->type == INSTRUMENT_GENERIC ? 60 : 0;
    }
    return check_names(i, err);
}

static int read_values(struct instrument *i, const struct config *c, const char *file,
                       struct err *err)
{
    struct config_origin origin[CONFIG_KEYS_MAX] = {0};
    const struct config_target t = {
        .base = i, .keys = &instrument_keys, .origin = origin, .layer = CONFIG_FROM_FILE};
    struct config_file f;
    if (config_file_read(&f, file, false, err) != 0) {
        return -1;
    }
    int rc = config_file_apply(&f, &t, err);
    config_file_fini(&f);
    if (rc == 0 && complete(i, origin, c, err) != 0) {
        rc = err_context(err, "%s", file);
    }
    return rc;
}

struct instrument *instrument_load(const struct config *c, const char *file, struct err *err)
{
    AUTO(instrument_free) struct instrument *i = calloc(1, sizeof *i);
    if (i == NULL) {
        err_no_memory(err);
        return NULL;
    }
    if (take_id(i, file, err) != 0 || config_set_defaults(i, &instrument_keys, err) != 0 ||
        read_values(i, c, file, err) != 0) {
        return NULL;
    }
    return TAKE(i);
}
