/*
 * watch.h - one instrument's folder: what is in it, and what became of each raw file. Private to
 * scheduler/. One thread owns a watch; only the flags are shared.
 */
#ifndef SCHEDULER_WATCH_H
#define SCHEDULER_WATCH_H
#include <stdatomic.h>

#include "common/resolve.h"
#include "scheduler/acquisition.h"
#include "scheduler/scheduler.h"

/* A raw file of this instrument that has a document. */
struct entry {
    char *name;         /* as on the share, any bytes */
    const char *id;     /* in name's block, as prefix is */
    const char *prefix; /* of a collision, or "" */
    struct acquisition a;
    int64_t born_ns, mtime_ns, size; /* identity, and order of acquisition */
    uint64_t ino;
    int64_t seen_ms;             /* wall clock: when its document was made */
    int64_t looked_ms, saved_ms; /* monotonic; 0: not yet by this process */
    int64_t ended_ms;            /* monotonic; 0: not by this process */
    bool open;                   /* the acquisition is being followed */
    uint32_t members;            /* files of the set when it ended; 0: not ended yet */
    uint64_t poll; /* of the watch, when a listing had it last; 0: not since it was loaded */
};

struct bucket {
    uint32_t hash, number; /* of an entry, from 1; 0: free */
};

/* The names of a folder in the order of the folder, each with its NUL. */
struct listing {
    char *names;
    size_t len, room, n;
};

struct watch {
    struct scheduler *s;
    struct instrument *cfg;
    char *file; /* config/instruments.d/<id>.ini, and how it looked when it was read */
    int64_t file_mtime_ns, file_size;
    atomic_bool stop, recall;
    _Atomic int64_t moved_ms; /* monotonic: the poll's last step; 0: none goes on */
    atomic_bool hung;         /* the brain has noted that the poll does not go on */
    int64_t hung_told_ms;     /* the brain's: when */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t nudge; /* lock: stop, recall or the scheduler's leading has changed */

    /* the thread's own */
    struct entry *entries;
    size_t n;
    struct bucket *buckets; /* open addressing by the name's hash */
    size_t n_buckets;       /* a power of two */
    bool loaded;
    struct listing now, before; /* the folder's names in this poll and in the last one */
    bool all_known;             /* each name of `before` has an entry or is none of ours */
    uint64_t poll;              /* counts the listings that were not like the one before */
    struct settings_book book;  /* for its projects; read when a poll finds a new file */
    size_t recheck_next;        /* whose turn it is */
    int64_t youngest_ns;
    char trouble[320];  /* why the last poll failed; "" when it did not */
    const char *status; /* of the folder: "ok", a mount_status_name, or "error" */
    int64_t since_ms;   /* wall clock: when it got this status */
    int64_t told_ms;
};

/* What a look at a raw file on the share shows. */
struct look {
    bool there, main_there;
    bool birth_known; /* else born_ns is when the file was changed */
    uint64_t ino;
    int64_t born_ns, mtime_ns, ctime_ms, size; /* mtime and size of the main file */
};

struct look watch_look(const struct watch *w, const char *name);

/* recheck.c: a raw file that grows again after its acquisition had ended goes back to monitoring.
 * Looks at what ended lately, and at a few of the others in turns. */
int recheck(struct watch *w, struct err *err) __attribute__((warn_unused_result));

/* entries.c: the table. watch_put takes e's strings, also on failure; of two entries with one name
 * the one that was seen later stays. Pointers into the table are good until the next watch_put. */
void entry_fini(struct entry *e);
/* Copies the three; on failure e keeps what it had. */
int entry_name(struct entry *e, const char *name, const char *prefix, const char *id,
               struct err *err) __attribute__((warn_unused_result));
struct entry *watch_find(const struct watch *w, const char *name);
int watch_put(struct watch *w, struct entry *e, struct err *err)
    __attribute__((warn_unused_result));
int watch_load(struct watch *w, struct err *err) __attribute__((warn_unused_result));

/* listing.c: read the folder's names into w->now; *same: they are those of w->before. */
int listing_read(struct watch *w, bool *same, struct err *err) __attribute__((warn_unused_result));
/* What was read becomes what is compared with. */
void listing_keep(struct watch *w);
void listing_forget(struct watch *w);

/* Forget what was read from the database (another scheduler may lead meanwhile). */
void watch_forget(struct watch *w);
/* share.c: 0 when the folder is the instrument's share; else ERR_HOLD. */
int watch_prove(struct watch *w, struct err *err) __attribute__((warn_unused_result));
/* How the poll ended: keep it for people, and let no clock run while the share was not there. */
void watch_judge(struct watch *w, const struct err *why, bool unproven);
/* Write down what the brain sees of a poll that does not go on, or that it does again. */
void watch_tell_hung(struct watch *w);
/* One poll: prove the share, list, look at what is new or open, write down what was decided. */
void watch_poll(struct watch *w);
#endif
