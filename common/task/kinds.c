#include "common/task/kinds.h"

#include <string.h>

/* clang-format off */
#define KINDS(X) /* name, pool, group, cap, retires, kinds above */ \
    X("copy",   "file_copy",     KIND_BY_INSTRUMENT, KIND_CAP_COPIES, false, NULL) \
    X("quant",  "cluster_slots", KIND_BY_PROJECT,    KIND_CAP_NONE,   false, "copy") \
    X("index",  "index",         KIND_BY_PROJECT,    KIND_CAP_NONE,   false, "copy", "quant") \
    X("move",   "file_move",     KIND_BY_INSTRUMENT, KIND_CAP_ONE,    true,  "copy") \
    X("remove", "file_remove",   KIND_BY_INSTRUMENT, KIND_CAP_ONE,    true,  "copy", "move")
#define UPLOAD(X) /* a pool that operators size already */ \
    X("upload", "s3_upload",     KIND_BY_PROJECT,    KIND_CAP_NONE,   false, NULL)
/* clang-format on */

#define ROW(name_, pool_, group_, cap_, retires_, ...)                                             \
    {.name = (name_),                                                                              \
     .pool = (pool_),                                                                              \
     .group = (group_),                                                                            \
     .cap = (cap_),                                                                                \
     .retires = (retires_),                                                                        \
     .above = {__VA_ARGS__}},
#define NAME(name_, ...)        name_,
#define POOL(name_, pool_, ...) pool_,

static const struct task_kind rows[] = {KINDS(ROW) UPLOAD(ROW)};
const char *const task_kind_names[] = {KINDS(NAME) NULL};
const char *const pool_names[] = {KINDS(POOL) UPLOAD(POOL) NULL};

const struct task_kind *task_kind(const char *name)
{
    static const struct task_kind unknown = {.name = "", .pool = "index", .group = KIND_BY_PROJECT};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return &unknown;
}

const char *task_kind_of_pool(const char *pool)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].pool, pool) == 0) {
            return rows[i].name;
        }
    }
    return "?";
}
