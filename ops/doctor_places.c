/*
 * doctor_places.c - the folders and programs that a kind needs on this host.
 *
 * The list is made first and looked at in two rounds, as trawl mount check does: the first starts
 * the look at each, so that the second waits for hung shares only once. The backup, the output and
 * the instruments have identities; without MongoDB nobody knows them, and the other folders have
 * none: then only the folder itself is looked at.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/human.h"
#include "common/base/path.h"
#include "common/mount/location.h"
#include "common/mount/mount_probe.h"
#include "common/mount/mount_traits.h"
#include "ops/doctor_internal.h"
#include "ops/instruments.h"

#define CHECKS_MAX 512
#define PROGRAM    "trawl-msqc"

struct place {
    char location[MOUNT_LOCATION_MAX], path[MOUNT_PATH_MAX];
    bool write;
    bool proven; /* it has an identity */
};

struct places {
    const struct doctor_want *want;
    struct doctor *d;
    struct mounts *proven; /* NULL: MongoDB cannot be asked */
    struct mounts *plain;
    struct place at[CHECKS_MAX];
    size_t n;
};

/* --- the list --- */

static void add(struct places *p, const char *location, const char *path, bool write, bool proven)
{
    if (path[0] == '\0') {
        char check[96], remedy[160];
        snprintf(check, sizeof check, "location %.60s", location);
        snprintf(remedy, sizeof remedy, "set worker in [location.%.60s]", location);
        doctor_add(p->d, DOCTOR_FAIL, check, remedy, "it has no path on this host");
        return;
    }
    if (p->n == CHECKS_MAX) {
        p->d->incomplete = true;
        return;
    }
    struct place *new = &p->at[p->n++];
    *new = (struct place){.write = write, .proven = proven};
    snprintf(new->location, sizeof new->location, "%s", location);
    snprintf(new->path, sizeof new->path, "%s", path);
}

/* Only what is moved or removed is written to. */
static int add_instrument(void *ctx, const char *id, const struct instrument *i,
                          const struct err *why)
{
    struct places *p = ctx;
    char location[MOUNT_LOCATION_MAX], check[96];
    if (i == NULL) {
        snprintf(check, sizeof check, "instrument %.80s", id);
        doctor_add(p->d, DOCTOR_FAIL, check, "correct its file (trawl config check --instruments)",
                   "%s", why->msg);
        return 0;
    }
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", id);
    bool moves = doctor_runs(p->want, "move") && i->file_move_delay_m >= 0;
    bool removes = doctor_runs(p->want, "remove") && i->min_free_space_gb > 0;
    add(p, location, i->path, moves || removes, true);
    return 0;
}

static void list_places(struct places *p)
{
    const struct config *c = p->want->cfg;
    struct err err = {0};
    bool copies = doctor_runs(p->want, "copy"), quants = doctor_runs(p->want, "quant");
    bool retires = doctor_runs(p->want, "move") || doctor_runs(p->want, "remove");
    bool local = quants && strcmp(c->quant.engine, "local") == 0;
    bool files = quants && strcmp(c->quant.engine, "file") == 0;
    if (copies || retires || local) {
        add(p, "backup", c->location.backup.worker, copies, true);
    }
    if (quants) {
        add(p, "output", c->location.output.worker, local || files, true);
    }
    if (quants && c->location.settings.worker[0] != '\0') { /* msqc needs no files of settings */
        add(p, "settings", c->location.settings.worker, false, false);
    }
    if (local) {
        add(p, "slurm", c->location.slurm.worker, true, false);
    }
    if ((copies || retires) && instruments_each(c, add_instrument, p, &err) != 0) {
        doctor_add(p->d, DOCTOR_FAIL, "instruments", "correct [scheduler] instruments_dir", "%s",
                   err.msg);
    }
}

/* --- the looks --- */

static int expect_nothing(void *ctx, const struct mount_need *need, struct mount_expect *out,
                          struct err *err)
{
    (void)ctx;
    (void)err;
    *out = (struct mount_expect){0};
    snprintf(out->location, sizeof out->location, "%s", need->location);
    snprintf(out->path, sizeof out->path, "%s", need->path);
    return 0;
}

static struct mounts *mounts_of(const struct places *p, const struct place *at)
{
    return at->proven && p->proven != NULL ? p->proven : p->plain;
}

struct looking {
    struct places *p;
    const struct place *at;
    char check[96];
};

static void add_warnings(const struct looking *l)
{
    struct mount_place place;
    struct mount_warnings w;
    struct err ignored = {0};
    if (mount_find(l->at->path, &place, &ignored) != 0) {
        return;
    }
    bool watched = strncmp(l->at->location, LOCATION_INSTRUMENT, strlen(LOCATION_INSTRUMENT)) == 0;
    mount_warn(&place, watched, &w);
    for (size_t i = 0; i < w.n; i++) {
        doctor_add(l->p->d, DOCTOR_WARN, l->check,
                   "mount it with the options that trawl mount "
                   "commands prints",
                   "%s: %s", l->at->path, w.text[i]);
    }
}

/* Why we may not list or enter a folder that answers; 0: we may. */
static int entry_errno(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return errno;
    }
    closedir(folder);
    return access(path, X_OK) == 0 ? 0 : errno;
}

/* The proof reads the identity file only: the right to list the folder is looked at here. Without
 * the right to enter it the proof calls it stale. */
static void add_view(void *ctx, const struct mounts_view *v)
{
    const struct looking *l = ctx;
    struct doctor *d = l->p->d;
    const struct mount_need need = {.location = v->location, .path = v->path};
    char remedy[160], room[TEXT_SHORT];
    bool answers = v->status == MOUNT_OK || v->status == MOUNT_STALE;
    int denied = answers ? entry_errno(v->path) : 0;
    if (denied == EACCES || denied == EPERM) {
        doctor_add(d, DOCTOR_FAIL, l->check, "let this user read and enter the folder",
                   "%s cannot be read: %s", v->path, strerror(denied));
        return;
    }
    if (v->status != MOUNT_OK || denied != 0) {
        enum mount_status s = v->status != MOUNT_OK ? v->status : MOUNT_STALE;
        mount_remedy(s, &need, remedy);
        doctor_add(d, DOCTOR_FAIL, l->check, remedy, "%s: %s: %s", v->path, mount_status_name(s),
                   v->status != MOUNT_OK ? v->detail : strerror(denied));
        return;
    }
    bool unproven = l->at->proven && l->p->proven == NULL;
    doctor_add(d, unproven ? DOCTOR_WARN : DOCTOR_OK, l->check,
               unproven ? "correct what is said of MongoDB, and ask again" : "",
               "%s can be %s, %s free%s", v->path, l->at->write ? "read and written" : "read",
               text_size(v->free_bytes, room),
               unproven ? "; which share it must be is known only to MongoDB"
               : v->initialised || !l->at->proven ? ""
                                                  : "; it has no identity (trawl mount init)");
    add_warnings(l);
}

static void look_at_all(struct places *p)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < p->n; i++) {
            struct looking l = {p, &p->at[i], ""};
            struct err err = {0};
            /* the result of the first round is recent enough */
            const struct mount_need need = {p->at[i].location, p->at[i].path, p->at[i].write,
                                            .max_age_ms = 60000};
            snprintf(l.check, sizeof l.check, "location %s", p->at[i].location);
            if (round == 0) {
                mounts_ask(mounts_of(p, &p->at[i]), &need);
            } else if (mounts_look(mounts_of(p, &p->at[i]), &need, add_view, &l, &err) != 0) {
                doctor_add(p->d, DOCTOR_FAIL, l.check, "ask again", "%s", err.msg);
            }
        }
    }
}

/* --- programs --- */

static void look_at_program(const struct config *cfg, struct doctor *d)
{
    struct err err = {0};
    AUTO(free) char *path = path_join(cfg->location.software.worker, PROGRAM, &err);
    if (path == NULL || access(path, X_OK) != 0) {
        doctor_add(d, DOCTOR_FAIL, "program " PROGRAM,
                   "install it there, executable for this user, or correct [location.software] "
                   "worker",
                   "%s: %s", path != NULL ? path : "[location.software] worker",
                   path != NULL ? strerror(errno) : err.msg);
        return;
    }
    doctor_add(d, DOCTOR_OK, "program " PROGRAM, "", "%s is executable", path);
}

void doctor_look_at_places(const struct doctor_want *want, bool identities, struct doctor *d)
{
    const struct config *cfg = want->cfg;
    const struct mounts_options plain = {.expect = expect_nothing,
                                         .prove = mount_prove,
                                         .deadline_ms = cfg->mount.deadline_ms,
                                         .min_free_bytes = cfg->mount.min_free_mib << 20};
    struct err err = {0};
    AUTO(free) struct places *p = calloc(1, sizeof *p);
    AUTO(mounts_free) struct mounts *plain_mounts = mounts_open(&plain, &err);
    AUTO(mounts_free) struct mounts *proven = identities ? mounts_new(cfg, want->db, &err) : NULL;
    if (p == NULL || plain_mounts == NULL || (identities && proven == NULL)) {
        d->incomplete = true;
        return;
    }
    p->want = want;
    p->d = d;
    p->plain = plain_mounts;
    p->proven = proven;
    list_places(p);
    look_at_all(p);
    if (doctor_runs(want, "quant") && strcmp(cfg->quant.engine, "local") == 0) {
        look_at_program(cfg, d);
    }
}
