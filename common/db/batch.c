#include "common/db/batch.h"

int db_batch_add(struct db_batch *b, struct db_change change, struct err *err)
{
    if (b->n == b->room) {
        size_t room = b->room * 2 + 8;
        struct db_change *more = reallocarray(b->items, room, sizeof *more);
        if (more == NULL) {
            db_change_fini(&change);
            return err_no_memory(err);
        }
        b->items = more;
        b->room = room;
    }
    b->items[b->n++] = change;
    return 0;
}

int db_batch_write(struct db_batch *b, struct db *db, const char *coll, struct err *err)
{
    return b->n > 0 ? db_update_all(db, coll, b->items, b->n, err) : 0;
}

void db_batch_clear(struct db_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        db_change_fini(&b->items[i]);
    }
    free(b->items);
    *b = (struct db_batch){0};
}

int db_make(struct db *db, const char *coll, struct db_change change, bool *won, struct err *err)
{
    int rc = db_update(db, coll, change.filter, change.update, won, err);
    db_change_fini(&change);
    return rc;
}
