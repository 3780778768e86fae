/* result.c - struct move_job -> the result's fields (README.md). */
#include <assert.h>

#include "common/base/path.h"
#include "workers/move/job.h"

const char *move_action_name(enum move_action a)
{
    static const char *const names[] = {
        [MOVE_MISSING] = "missing",
        [MOVE_ALREADY] = "already",
        [MOVE_RENAME] = "moved",
        [MOVE_DUPLICATE] = "duplicate",
    };
    static_assert(sizeof names / sizeof *names == MOVE_ACTION_COUNT, "a name for every action");
    return names[a];
}

void move_result(const void *arg, bson_t *out)
{
    const struct move_job *job = arg;
    bson_t list;
    bool in_backup = false;
    if (job->skipped != NULL) {
        BSON_APPEND_UTF8(out, "skipped", job->skipped);
        return;
    }
    BSON_APPEND_ARRAY_BEGIN(out, "members", &list);
    for (size_t i = 0; i < job->n_members; i++) {
        const struct move_member *m = &job->members[i];
        AUTO(free) char *from = path_escape(m->from);
        AUTO(free) char *to = path_escape(m->to);
        char buf[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, buf, sizeof buf);
        BCON_APPEND(&list, key, "{", "from", BCON_UTF8(from != NULL ? from : "?"), "to",
                    BCON_UTF8(to != NULL ? to : "?"), "action",
                    BCON_UTF8(move_action_name(m->action)), "}");
        in_backup |= m->action != MOVE_MISSING;
    }
    bson_append_array_end(out, &list);
    BSON_APPEND_BOOL(out, "moved", in_backup);
    BSON_APPEND_INT64(out, "bytes_read", job->bytes_read);
}
