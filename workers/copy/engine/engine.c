/*
 * engine.c - the plan, the phases, the report. See engine.h for the order; each room holds one
 * pass.
 *
 * The guarantee: a final name never exists unverified. Bytes are built under a part's name, proven
 * by reading them back, the source is looked at again, and only then is the part renamed.
 */
#include "workers/copy/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/raw/manifest.h"
#include "workers/copy/engine/internal.h"

/* --- the plan --- */

static int check_member(const struct copy_plan *p, size_t i, struct err *err)
{
    const struct copy_member *m = &p->members[i];
    const char *names[] = {m->from, m->to};
    for (size_t k = 0; k < 2; k++) {
        if (names[k] == NULL || !path_is_safe(names[k]) || strchr(names[k], '/') != NULL ||
            strlen(names[k]) >= COPY_NAME_ROOM) {
            return ERR(err, ERR_INVALID, 0, "member %zu: '%.100s' is no name of a file", i,
                       names[k] == NULL ? "" : names[k]);
        }
    }
    for (size_t k = 0; k < i; k++) {
        if (strcmp(p->members[k].to, m->to) == 0) {
            return ERR(err, ERR_INVALID, 0, "two members are to be named '%.200s'", m->to);
        }
    }
    return 0;
}

static int check_superseded(const struct copy_plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_supersedes; i++) {
        const char *path = p->supersedes[i].path;
        const struct copy_superseded *last = i > 0 ? &p->supersedes[i - 1] : NULL;
        bool follows = last == NULL || last->copy < p->supersedes[i].copy ||
                       (last->copy == p->supersedes[i].copy && strcmp(last->path, path) < 0);
        if (!path_is_safe(path) || !follows) {
            return ERR(err, ERR_INVALID, 0, "superseded: '%.200s' is no path, or not in order",
                       path);
        }
    }
    return 0;
}

static int check_plan(const struct copy_plan *p, struct err *err)
{
    if (p->source_root == NULL || p->source_root[0] != '/') {
        return ERR(err, ERR_INVALID, 0, "the source's folder is not an absolute path");
    }
    if (p->target_root == NULL || p->target_root[0] != '/') {
        return ERR(err, ERR_INVALID, 0, "the target location is not an absolute path");
    }
    if (p->target_dir == NULL || (*p->target_dir != '\0' && !path_is_safe(p->target_dir))) {
        return ERR(err, ERR_INVALID, 0, "the target folder '%.200s' does not stay below its root",
                   p->target_dir == NULL ? "" : p->target_dir);
    }
    if (p->name == NULL || *p->name == '\0' || strchr(p->name, '/') != NULL) {
        return ERR(err, ERR_INVALID, 0, "the raw file's id cannot name a file");
    }
    bool threads = p->streams > 0 && p->streams <= COPY_THREADS_MAX && p->file_threads > 0 &&
                   p->file_threads <= COPY_THREADS_MAX;
    if (!threads || p->chunk_bytes <= 0 || p->chunk_bytes % (int64_t)COPY_BLOCK != 0) {
        return ERR(err, ERR_INVALID, 0, "streams, threads or chunk size are out of range");
    }
    if (p->n_members == 0) {
        return ERR(err, ERR_INVALID, 0, "nothing to copy: no members");
    }
    for (size_t i = 0; i < p->n_members; i++) {
        if (check_member(p, i, err) != 0) {
            return -1;
        }
    }
    return check_superseded(p, err);
}

struct copy *copy_new(const struct copy_plan *plan, struct err *err)
{
    if (check_plan(plan, err) != 0) {
        return NULL;
    }
    AUTO(copy_free) struct copy *c = calloc(1, sizeof *c);
    if (c == NULL || (c->members = calloc(plan->n_members, sizeof *c->members)) == NULL) {
        err_no_memory(err);
        return NULL;
    }
    c->plan = plan;
    c->source_fd = c->target_root_fd = c->target_fd = -1;
    c->started_ms = mono_ms();
    atomic_store(&c->from_disk, plan->readback == COPY_READBACK_DISK);
    for (size_t i = 0; i < plan->n_members; i++) {
        struct member *m = &c->members[i];
        m->names = &plan->members[i];
        m->source_fd = m->part_fd = -1;
        part_key(m->names->to, m->key);
    }
    c->target_path = *plan->target_dir == '\0'
                         ? strdup(plan->target_root)
                         : path_join(plan->target_root, plan->target_dir, err);
    if (c->target_path == NULL) {
        err_no_memory(err);
        return NULL;
    }
    return TAKE(c);
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static void member_fini(struct copy *c, struct member *m)
{
    close_fd(m->source_fd);
    close_fd(m->part_fd);
    if (c->discard && m->has_part) {
        struct err ignored = {0}; /* what stays is cleared by the next copy of this raw file */
        (void)remove_tree(c->target_fd, m->part);
        if (leftover_clear(c, m->key, &ignored) != 0) {
            ignored = (struct err){0};
        }
    }
    journal_free(m->journal);
    scan_fini(&m->old);
}

void copy_free(struct copy *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; c->members != NULL && c->plan != NULL && i < c->plan->n_members; i++) {
        member_fini(c, &c->members[i]);
    }
    scan_fini(&c->files);
    close_fd(c->source_fd);
    close_fd(c->target_fd);
    close_fd(c->target_root_fd);
    free(c->members);
    free(c->target_path);
    free(c);
}

/* --- the phases --- */

static int failed(struct copy *c, const struct err *err)
{
    c->discard = c->discard || err->kind == ERR_INVALID || err->kind == ERR_CANCELLED;
    return -1;
}

static int open_root(const char *path, const char *what, int *fd, struct err *err)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        return ERR(err, ERR_HOLD, errno, "%s %s is not there: %m", what, path);
    }
    return 0;
}

static int list_sources(struct copy *c, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        struct member *m = &c->members[i];
        m->first = c->files.n;
        if (source_scan(c, i, &c->files, err) != 0) {
            return -1;
        }
        m->count = c->files.n - m->first;
        const struct entry *top = &c->files.entries[m->first];
        m->is_dir = top->is_dir;
        if (m->is_dir) {
            m->source_fd = openat(c->source_fd, m->names->from,
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (m->source_fd < 0) {
                return source_err(c, top, "open", err);
            }
        }
    }
    for (size_t i = 0; i < c->files.n; i++) {
        c->total += c->files.entries[i].is_dir ? 0 : c->files.entries[i].id.size;
    }
    return 0;
}

static int open_target(struct copy *c, struct err *err)
{
    struct mount_place place;
    if (fs_mkdirs(c->target_path, err) != 0) {
        err->kind = fs_is_held(err->code) ? ERR_HOLD : err->kind;
        return -1;
    }
    c->target_fd = open(c->target_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->target_fd < 0) {
        return target_err(c, NULL, "open", err);
    }
    if (mount_find(c->target_path, &place, err) != 0) {
        return -1;
    }
    c->traits = mount_traits(&place);
    return 0;
}

static int reserve(struct copy *c, struct err *err)
{
    const struct copy_plan *p = c->plan;
    if (open_root(p->source_root, "the source's folder", &c->source_fd, err) != 0) {
        return fs_share_failed(err);
    }
    if (open_root(p->target_root, "the target location", &c->target_root_fd, err) != 0 ||
        list_sources(c, err) != 0 || open_target(c, err) != 0 || spelling_check(c, err) != 0 ||
        existing_check(c, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < p->n_members; i++) {
        struct member *m = &c->members[i];
        if (!m->there && (leftover_adopt(c, m, err) != 0 || journal_load(c, m, err) != 0)) {
            return -1;
        }
    }
    return reserve_room(c, err);
}

int copy_reserve(struct copy *c, struct err *err)
{
    return reserve(c, err) == 0 ? 0 : failed(c, err);
}

static int transfer(struct copy *c, struct err *err)
{
    if (small_transfer(c, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < c->files.n; i++) {
        struct entry *e = &c->files.entries[i];
        bool large = !e->is_dir && !c->members[e->member].there && !small_is(c, e);
        if (large && pipe_transfer(c, e, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int copy_transfer(struct copy *c, struct err *err)
{
    return transfer(c, err) == 0 ? 0 : failed(c, err);
}

int copy_verify(struct copy *c, struct err *err)
{
    bool ok = folders_finish(c, err) == 0 && spelling_of_parts(c, err) == 0 &&
              source_recheck(c, err) == 0;
    return ok ? 0 : failed(c, err);
}

int copy_publish(struct copy *c, struct err *err)
{
    bool ok = publish_all(c, err) == 0 && manifest_write(c, err) == 0;
    return ok ? 0 : failed(c, err);
}

/* --- the report --- */

void copy_report_fini(struct copy_report *r)
{
    for (size_t i = 0; i < r->n_files; i++) {
        free(r->files[i].path);
    }
    free(r->files);
    free(r->manifest);
    *r = (struct copy_report){0};
}

static int report_files(const struct copy *c, struct copy_report *out, struct err *err)
{
    out->files = calloc(c->files.n + 1, sizeof *out->files);
    if (out->files == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < c->files.n; i++) {
        const struct entry *e = &c->files.entries[i];
        if (e->is_dir) {
            continue;
        }
        struct copy_file *f = &out->files[out->n_files];
        *f = (struct copy_file){
            .path = entry_target(c, e, err), .size = e->id.size, .hash = e->hash};
        if (f->path == NULL) {
            return -1;
        }
        out->n_files++;
    }
    return 0;
}

int copy_report(const struct copy *c, struct copy_report *out, struct err *err)
{
    char manifest[MANIFEST_NAME_ROOM];
    *out = (struct copy_report){
        .size = c->total,
        .bytes_read = atomic_load(&c->read),
        .bytes_written = atomic_load(&c->written),
        .bytes_readback = atomic_load(&c->readback),
        .resumed_bytes = atomic_load(&c->resumed),
        .repaired_bytes = atomic_load(&c->repaired),
        .ms = mono_ms() - c->started_ms,
        .mapped_names = c->mapped_names,
        .already_there = true,
        .from_disk = atomic_load(&c->from_disk),
    };
    for (size_t i = 0; i < c->plan->n_members; i++) {
        out->already_there = out->already_there && c->members[i].there;
        out->replaced = out->replaced || c->members[i].superseded;
    }
    if (report_files(c, out, err) != 0) {
        copy_report_fini(out);
        return -1;
    }
    manifest_name(c->plan->name, "xxh3", manifest);
    if (out->n_files > 0 && (out->manifest = strdup(manifest)) == NULL) {
        copy_report_fini(out);
        return err_no_memory(err);
    }
    return 0;
}

int copy_run(const struct copy_plan *plan, struct copy_report *out, struct err *err)
{
    AUTO(copy_free) struct copy *c = copy_new(plan, err);
    if (c == NULL || copy_reserve(c, err) != 0 || copy_transfer(c, err) != 0 ||
        copy_verify(c, err) != 0 || copy_publish(c, err) != 0) {
        return -1;
    }
    return copy_report(c, out, err);
}
