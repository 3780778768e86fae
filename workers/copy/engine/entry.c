/* entry.c - where an entry's bytes are, and what it is called. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/path.h"
#include "workers/copy/engine/internal.h"

struct place entry_source(const struct copy *c, const struct entry *e)
{
    const struct member *m = &c->members[e->member];
    return m->is_dir ? (struct place){m->source_fd, e->rel}
                     : (struct place){c->source_fd, m->names->from};
}

struct place entry_part(const struct copy *c, const struct entry *e)
{
    const struct member *m = &c->members[e->member];
    return m->is_dir ? (struct place){m->part_fd, e->rel} : (struct place){c->target_fd, m->part};
}

char *entry_target(const struct copy *c, const struct entry *e, struct err *err)
{
    char *path;
    const char *to = c->members[e->member].names->to;
    if (asprintf(&path, "%s%s%s", to, *e->rel == '\0' ? "" : "/", e->rel) < 0) {
        err_no_memory(err);
        return NULL;
    }
    return path;
}

char *entry_shown(const struct copy *c, const struct entry *e, char buf[static COPY_SHOWN_ROOM])
{
    const char *from = c->members[e->member].names->from;
    AUTO(free) char *name = path_escape(from);
    AUTO(free) char *rel = path_escape(e->rel);
    int n = snprintf(buf, COPY_SHOWN_ROOM, "%s%s%s", name != NULL ? name : "?",
                     *e->rel == '\0' ? "" : "/", rel != NULL ? rel : "?");
    if (n >= COPY_SHOWN_ROOM) {
        buf[COPY_SHOWN_ROOM - 2] = '+';
    }
    return buf;
}

int64_t entry_chunks(const struct copy *c, const struct entry *e)
{
    int64_t n = (e->id.size + c->plan->chunk_bytes - 1) / c->plan->chunk_bytes;
    return n > 0 ? n : 1;
}
