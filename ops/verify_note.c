#include "ops/verify_note.h"

#include <string.h>

#include "common/raw/original.h"
#include "common/raw/raw_file.h"
#include "common/raw/retire.h"
#include "common/task/alert.h"
#include "common/task/task.h"

#define TRIES 5 /* other processes write to the raw file, too */

static bool same_field(const bson_t *a, const bson_t *b, const char *field)
{
    bson_t x, y;
    bool in_a = doc_sub(a, field, &x), in_b = doc_sub(b, field, &y);
    return in_a == in_b && (!in_a || bson_equal(&x, &y));
}

static struct db_change change_of_backup(const void *found, const bson_t *raw)
{
    const struct verify_found_backup *f = found;
    return raw_file_backup_verified(raw, &(struct raw_damage){f->files, f->n, f->by});
}

static bool differs(const struct verify_found_original *f)
{
    return strcmp(f->state, "differs") == 0;
}

/* "same" is news only if it was thought to differ. */
static struct db_change change_of_original(const void *found, const bson_t *raw)
{
    const struct verify_found_original *f = found;
    return raw_file_original_verified(raw, &(struct raw_original){f->state, f->by, f->why},
                                      differs(f) || !original_is_safe(raw));
}

/* What to write while the raw file is still as it was read. */
struct noting {
    const bson_t *read;
    struct db_change (*change)(const void *found, const bson_t *raw);
    const void *found;
};

/* *raw becomes the present document; *stale: its files or backup status have changed since. */
static int reload(struct db *db, bson_t **raw, const struct noting *n, bool *stale, struct err *err)
{
    bson_t *now = NULL;
    if (db_find_id(db, DB_RAW_FILES, doc_str(n->read, "_id", ""), &now, err) != 0) {
        return -1;
    }
    *stale = now == NULL || !retire_backup_is_complete(now) ||
             !same_field(now, n->read, "file_list") || !same_field(now, n->read, "files") ||
             !same_field(now, n->read, "file_info") ||
             strcmp(doc_str(now, "instrument_file_status", ""),
                    doc_str(n->read, "instrument_file_status", "")) != 0;
    bson_destroy(*raw);
    *raw = now;
    return 0;
}

static int write_down(struct db *db, const struct noting *n, bool *stale, struct err *err)
{
    AUTO(bson_destroy) bson_t *raw = bson_copy(n->read);
    for (int i = 0; i < TRIES; i++) {
        bool won;
        if (raw_file_make(db, n->change(n->found, raw), &won, err) != 0) {
            return -1;
        }
        if (won) {
            return 0;
        }
        if (reload(db, &raw, n, stale, err) != 0 || *stale) {
            return *stale ? 0 : -1;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0,
               "%s keeps changing, nothing was recorded: run trawl verify again",
               doc_str(n->read, "_id", "?"));
}

/* The mark blocks removal, so it is set before the alert opens and removed after the alert is
 * closed. */
int verify_note_backup(struct db *db, const struct verify_found_backup *f, bool *stale,
                       struct err *err)
{
    const struct alert alert = {
        .kind = VERIFY_ALERT, .raw_file = doc_str(f->raw, "_id", ""), .text = f->text, .by = f->by};
    *stale = false;
    if (f->n == 0 && alert_close(db, &alert, err) != 0) {
        return -1;
    }
    const struct noting n = {.read = f->raw, .change = change_of_backup, .found = f};
    if (write_down(db, &n, stale, err) != 0) {
        return -1;
    }
    return f->n > 0 && !*stale ? alert_open(db, &alert, err) : 0;
}

/* No alert for an original that is still where it was acquired, because Trawl copies it again. */
int verify_note_original(struct db *db, const struct verify_found_original *f, bool *stale,
                         struct err *err)
{
    const struct noting n = {.read = f->raw, .change = change_of_original, .found = f};
    const struct alert alert = {.kind = ORIGINAL_ALERT,
                                .raw_file = doc_str(f->raw, "_id", ""),
                                .text = f->text,
                                .by = f->by};
    bool moved = strcmp(doc_str(f->raw, "instrument_file_status", ""), "initial") != 0;
    *stale = false;
    if (!differs(f) && alert_close(db, &alert, err) != 0) {
        return -1;
    }
    if (write_down(db, &n, stale, err) != 0) {
        return -1;
    }
    return differs(f) && moved && !*stale ? alert_open(db, &alert, err) : 0;
}

int verify_backup_is_settled(struct db *db, const bson_t *raw, bool *still, struct err *err)
{
    AUTO(free) char *id = task_id(doc_str(raw, "_id", ""), "copy", NULL);
    AUTO(bson_destroy) bson_t *task = NULL;
    *still = false;
    if (id == NULL) {
        return err_no_memory(err);
    }
    if (!retire_backup_is_complete(raw)) {
        return 0;
    }
    if (db_find_id(db, DB_TASKS, id, &task, err) != 0) {
        return -1;
    }
    *still = task == NULL || strcmp(doc_str(task, "state", ""), "done") == 0;
    return 0;
}
