/*
 * location.c - collections locations (what must be) and mounts (what was seen).
 *
 * Initialising writes the identity file first and the document last: a process that dies in between
 * leaves a share with an identity that nobody demands yet, and the next run takes it over.
 */
#include "common/mount/location.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"

void location_host(char *buf, size_t room)
{
    if (gethostname(buf, room - 1) != 0) {
        snprintf(buf, room, "unknown");
    }
    buf[room - 1] = '\0';
}

const char *location_path(const struct config *cfg, const char *location)
{
    const char *path = NULL;
    if (strcmp(location, "backup") == 0) {
        path = cfg->location.backup.worker;
    } else if (strcmp(location, "output") == 0) {
        path = cfg->location.output.worker;
    } else {
        return NULL;
    }
    return path != NULL ? path : "";
}

/* "hosts.<host>": a dot would begin another level. */
static void host_field(const char *host, const char *field, char *buf, size_t room)
{
    int n = snprintf(buf, room, "hosts.");
    for (const char *c = host; *c != '\0' && (size_t)n + 1 < room; c++, n++) {
        buf[n] = *c == '.' || *c == '$' ? '_' : *c;
    }
    snprintf(buf + n, room - (size_t)n, "%s", field);
}

static void put_text(char *out, size_t room, const bson_t *doc, const char *path)
{
    snprintf(out, room, "%s", doc_str(doc, path, ""));
}

int location_expect(struct db *db, const char *host, const struct mount_need *need,
                    struct mount_expect *out, struct err *err)
{
    char key[192];
    AUTO(bson_destroy) bson_t *doc = NULL;
    *out = (struct mount_expect){0};
    snprintf(out->location, sizeof out->location, "%s", need->location);
    snprintf(out->path, sizeof out->path, "%s", need->path);
    if (db_find_id(db, DB_LOCATIONS, need->location, &doc, err) != 0 || doc == NULL) {
        return doc == NULL && err->kind != ERR_NONE ? -1 : 0;
    }
    out->initialised = true;
    put_text(out->uuid, sizeof out->uuid, doc, "uuid");
    host_field(host, ".path", key, sizeof key);
    if (strcmp(doc_str(doc, key, ""), need->path) == 0) {
        out->placed = true;
        host_field(host, ".point", key, sizeof key);
        put_text(out->place.point, sizeof out->place.point, doc, key);
        host_field(host, ".source", key, sizeof key);
        put_text(out->place.source, sizeof out->place.source, doc, key);
        host_field(host, ".fstype", key, sizeof key);
        put_text(out->place.fstype, sizeof out->place.fstype, doc, key);
    }
    return 0;
}

/* --- init --- */

struct known {
    bool doc, file;              /* which of the two are there */
    char uuid[MOUNT_UUID_MAX];   /* the document's */
    struct mount_identity share; /* the file's */
};

static int learn(struct db *db, const struct location_init *in, struct known *k, struct err *err)
{
    struct stat st;
    struct err broken = {0};
    AUTO(bson_destroy) bson_t *doc = NULL;
    *k = (struct known){0};
    if (stat(in->path, &st) != 0) {
        return ERR(err, ERR_INVALID, errno, "%s: %m", in->path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return ERR(err, ERR_INVALID, ENOTDIR, "%s is no folder", in->path);
    }
    if (db_find_id(db, DB_LOCATIONS, in->location, &doc, err) != 0) {
        return -1;
    }
    k->doc = doc != NULL;
    if (k->doc) {
        put_text(k->uuid, sizeof k->uuid, doc, "uuid");
    }
    if (mount_identity_read(in->path, &k->share, &k->file, &broken) != 0 &&
        (broken.kind != ERR_INVALID || !in->replace)) {
        return ERR(err, ERR_INVALID, broken.code, "%s: %s", in->path, broken.msg);
    }
    return 0;
}

/* Whether the share may be adopted without --replace. */
static int agree(const struct location_init *in, const struct known *k, struct err *err)
{
    if (in->replace) {
        return 0;
    }
    if (k->file && strcmp(k->share.location, in->location) != 0) {
        return ERR(err, ERR_INVALID, 0, "%s is the share of %s (by %.60s), not of %s", in->path,
                   k->share.location, k->share.by, in->location);
    }
    if (k->doc && !k->file) {
        return ERR(err, ERR_INVALID, 0,
                   "%s is initialised already (%.8s…), and %s has no identity: is the share "
                   "mounted?",
                   in->location, k->uuid, in->path);
    }
    if (k->doc && strcmp(k->uuid, k->share.uuid) != 0) {
        return ERR(err, ERR_INVALID, 0, "%s has the identity %.8s…, %s is initialised as %.8s…",
                   in->path, k->share.uuid, in->location, k->uuid);
    }
    return 0;
}

static int identify(const struct location_init *in, const struct known *k,
                    struct location_made *out, struct err *err)
{
    if (k->file && strcmp(k->share.location, in->location) == 0) {
        snprintf(out->uuid, sizeof out->uuid, "%s", k->share.uuid);
        return 0;
    }
    struct mount_identity id = {0};
    snprintf(id.location, sizeof id.location, "%s", in->location);
    snprintf(id.by, sizeof id.by, "%s", in->by);
    mount_uuid(id.uuid);
    if (mount_identity_write(in->path, &id, err) != 0) {
        return err_context(err, "the identity of %s", in->location);
    }
    snprintf(out->uuid, sizeof out->uuid, "%s", id.uuid);
    out->written = true;
    return 0;
}

static void append_place(const struct location_init *in, const struct location_made *made,
                         bson_t *out)
{
    BCON_APPEND(out, "path", BCON_UTF8(in->path), "point", BCON_UTF8(made->place.point), "source",
                BCON_UTF8(made->place.source), "fstype", BCON_UTF8(made->place.fstype), "at",
                BCON_DATE_TIME(wall_ms()), "by", BCON_UTF8(in->by));
}

/* The document now says uuid; guarded by what it said when we looked. A new uuid is another share:
 * how other hosts had the old one mounted is forgotten. */
static int demand(struct db *db, const struct location_init *in, const struct known *k,
                  const struct location_made *made, bool *won, struct err *err)
{
    char key[192];
    bson_t set = BSON_INITIALIZER, place = BSON_INITIALIZER, hosts = BSON_INITIALIZER;
    bool same = k->doc && strcmp(k->uuid, made->uuid) == 0;
    host_field(in->host, "", key, sizeof key);
    append_place(in, made, &place);
    if (same) {
        BSON_APPEND_DOCUMENT(&set, key, &place);
    } else {
        BSON_APPEND_DOCUMENT(&hosts, key + strlen("hosts."), &place);
        BCON_APPEND(&set, "uuid", BCON_UTF8(made->uuid), "at", BCON_DATE_TIME(wall_ms()), "by",
                    BCON_UTF8(in->by), "reason", BCON_UTF8(in->reason), "hosts",
                    BCON_DOCUMENT(&hosts));
    }
    int rc;
    if (k->doc) {
        AUTO(bson_destroy)
        bson_t *filter = BCON_NEW("_id", BCON_UTF8(in->location), "uuid", BCON_UTF8(k->uuid));
        AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(&set));
        rc = db_update(db, DB_LOCATIONS, filter, update, won, err);
    } else {
        BSON_APPEND_UTF8(&set, "_id", in->location);
        rc = db_insert(db, DB_LOCATIONS, &set, won, err);
    }
    bson_destroy(&hosts);
    bson_destroy(&place);
    bson_destroy(&set);
    return rc;
}

int location_init(struct db *db, const struct location_init *in, struct location_made *out,
                  struct err *err)
{
    struct known k;
    bool won = false;
    *out = (struct location_made){0};
    if (learn(db, in, &k, err) != 0 || agree(in, &k, err) != 0 ||
        mount_find(in->path, &out->place, err) != 0 || identify(in, &k, out, err) != 0 ||
        demand(db, in, &k, out, &won, err) != 0) {
        return -1;
    }
    return won ? 0
               : ERR(err, ERR_TRANSIENT, 0, "%s is being initialised by somebody else: try again",
                     in->location);
}

/* --- what was seen --- */

int location_report(struct db *db, const char *host, const struct mounts_view *v, struct err *err)
{
    char id[MOUNT_LOCATION_MAX + 128];
    bool won;
    snprintf(id, sizeof id, "%.100s/%s", host, v->location);
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "location", BCON_UTF8(v->location), "host", BCON_UTF8(host), "path",
                 BCON_UTF8(v->path), "status", BCON_UTF8(mount_status_name(v->status)), "detail",
                 BCON_UTF8(v->detail), "initialised", BCON_BOOL(v->initialised), "since",
                 BCON_DATE_TIME(v->since_ms), "at", BCON_DATE_TIME(wall_ms()), "free_bytes",
                 BCON_INT64(v->free_bytes), "total_bytes", BCON_INT64(v->total_bytes), "}");
    return db_upsert(db, DB_MOUNTS, filter, update, &won, err);
}
