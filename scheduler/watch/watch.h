/*
 * watch.h - one instrument's folder: the names in it and the raw files it knows. Private to
 * scheduler/. One thread owns a watch; only the flags are shared.
 */
#ifndef SCHEDULER_WATCH_WATCH_H
#define SCHEDULER_WATCH_WATCH_H
#include <stdatomic.h>

#include "common/db/batch.h"
#include "common/quant/settings_resolve.h"
#include "common/raw/members.h"
#include "common/raw/original.h"
#include "common/raw/raw_file.h"
#include "scheduler/scheduler.h"
#include "scheduler/watch/acquisition.h"

/* A raw file of this instrument that has a document. */
struct entry {
    char *name;                      /* as on the share, any bytes */
    const char *id;                  /* in name's block, as prefix is */
    const char *prefix;              /* of a collision, or "" */
    struct acquisition a;            /* after its end: as it was acquired, and found again since */
    int64_t born_ns, mtime_ns, size; /* identity, and order of acquisition */
    uint64_t ino;
    int64_t made_ms;             /* wall clock: when its document was made */
    int64_t looked_ms, saved_ms; /* monotonic; 0: not yet by this process */
    int64_t ended_ms;            /* monotonic; 0: not by this process */
    int64_t doubt_ms;   /* monotonic: when to read it again, since its times have moved; 0: never */
    int64_t blind_ms;   /* monotonic: since when a part of it cannot be read; 0: all can */
    int64_t settled_ms; /* monotonic: when reading it again last showed the same content */
    int32_t doubt_wait_s;
    uint32_t members;   /* names of the set when it ended; 0: not ended yet */
    bool open;          /* the acquisition is being followed */
    bool doubtful;      /* its document says "unsettled" */
    bool adopted;       /* open, and no watch has seen its file yet: what has its name is it */
    bool apart;         /* another program's, or of unknown size: what has its name is left alone */
    bool younger;       /* apart, but what has its name was made after written_ms */
    int64_t written_ms; /* wall clock: when the document of one that is apart was last changed */
    uint64_t poll;      /* the watch's, when a listing last had it; 0: none since it was loaded */
};

struct bucket {
    uint32_t hash, number; /* of an entry, from 1; 0: free */
};

/* The names of a folder in the order of the folder, each with its NUL. */
struct listing {
    char *names;
    size_t len, room, n;
    char **sorted; /* the same, in the order of members_compare, when n_sorted == n */
    size_t n_sorted;
};

struct reread; /* watch_reread.c: an original is read again */

struct watch {
    struct scheduler *s;
    struct instrument *cfg;
    char *file; /* config/instruments.d/<id>.ini, and how it looked when it was read */
    int64_t file_mtime_ns, file_size;
    atomic_bool stop, recall;
    _Atomic int64_t progress_ms; /* monotonic: the poll's last step; 0: no poll runs */
    atomic_bool hung;            /* the brain has recorded that the poll hangs */
    int64_t hung_reported_ms;    /* the brain's: when it last did */
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
    bool all_known;             /* each name of `before` has an entry or belongs to no raw file */
    uint64_t poll;              /* counts the listings that differed from the one before */
    struct settings_book book;  /* for its projects; read when a poll finds a new raw file */
    bool nocase, case_known;    /* how the share compares names; asked while it is well */
    int64_t looks_left;         /* for watch_recheck.c's turns; below 0: a large folder took more */
    size_t recheck_next;        /* whose turn it is */
    struct db_batch notes;      /* watch_recheck.c: what it found in this poll */
    struct reread *reread;      /* the original that is being read again; NULL: none */
    int64_t rest_until_ms;      /* monotonic: no other is read before then */
    int64_t youngest_ns;
    char trouble[320];  /* why the last poll failed; "": it did not */
    char strays[240];   /* names that belong to no raw file, for people; "": none */
    const char *status; /* of the folder: "ok", a mount_status_name, or "error" */
    int64_t since_ms;   /* wall clock: when it got this status */
    int64_t reported_ms;
};

/* What one look at a raw file on its share shows. */
struct look {
    bool there, main_there;
    bool birth_known; /* else born_ns is the time of change */
    uint64_t ino;
    int64_t born_ns;
    int64_t mtime_ns, size; /* of the main file; of the whole folder when it has none */
    int64_t scan_size;      /* Sciex: of <stem>.wiff.scan; -1: not there */
    struct signature sig;   /* of all that belongs to it */
    uint32_t files;         /* that belong to it */
    uint32_t members;       /* names in the instrument's folder */
    uint32_t looks;         /* questions that this asked the share */
    char newest[200];       /* the file changed last, relative to the instrument's folder; cut */
    char trouble[200];      /* what could not be read, and why; "": all could */
};

/* look.c: look at every file that belongs to raw file name. A missing or unreadable file is no
 * error; -1: out of memory. */
int watch_look(struct watch *w, const char *name, struct look *l, struct err *err)
    __attribute__((warn_unused_result));
/* Only its identity, and for a file its size and time; false: it is missing, or a link. */
bool watch_look_top(struct watch *w, const char *name, struct look *l);
/* Whether it has the same content. Inode and birth may change when a share is mounted again, or
 * when its client makes them up; then size and time of change of the main file must agree. */
bool watch_same_content(const struct entry *e, const struct look *l);
/* Append it as the document's "watch.sig". */
void watch_append_signature(bson_t *set, const struct signature *sig);

/* watch_recheck.c: raw files whose acquisition had ended. Looks at those that ended lately, the
 * longer ago the more rarely, and at some of the others in turns; one that has changed goes back to
 * monitoring. */
int watch_recheck(struct watch *w, struct err *err) __attribute__((warn_unused_result));

/* watch_reread.c: read one original again, on a thread of its own, and compare it with the record
 * of its backup. name and sig: of the raw file at the last look. NULL with *err set. */
struct reread *reread_new(const char *folder, const char *name, const struct signature *sig,
                          struct db *db, const bson_t *raw, struct err *err) OWNED;
/* The result, borrowed; NULL while it runs. */
struct reread_end {
    const char *name;
    struct signature sig;
    enum original_state state; /* BUSY also when reading was stopped or failed */
    int64_t ms;                /* how long it took */
    const char *why;
};
const struct reread_end *reread_poll(const struct reread *r);
/* Stop it if it runs, and free it. Waits for a share that does not answer. */
void reread_free(struct reread *r);

/* watch.c: end the acquisition of an open one in the database: another raw file has its name. */
int watch_end_replaced(struct watch *w, struct entry *e, struct err *err)
    __attribute__((warn_unused_result));

/* watch_table.c: the table. watch_put takes e's strings, also on failure; of two entries with one
 * name the newer document stays, and the acquisition of the other one ends. Pointers into the table
 * are good until the next watch_put. */
void entry_fini(struct entry *e);
/* Copies the three; on failure e keeps what it had. */
int entry_name(struct entry *e, const char *name, const char *prefix, const char *id,
               struct err *err) __attribute__((warn_unused_result));
struct entry *watch_find(const struct watch *w, const char *name);
int watch_put(struct watch *w, struct entry *e, struct err *err)
    __attribute__((warn_unused_result));
/* Forget all, and read those that are open or in doubt. */
int watch_load(struct watch *w, struct err *err) __attribute__((warn_unused_result));
/* Read those whose names w->now lists for the first time since then. */
int watch_load_listed(struct watch *w, struct err *err) __attribute__((warn_unused_result));

/* watch_listing.c: read the folder's names into w->now; *same: they are those of w->before. */
int listing_read(struct watch *w, bool *same, struct err *err) __attribute__((warn_unused_result));
/* Keep what was read, to compare the next listing with. */
void listing_keep(struct watch *w);
/* Sort what was kept so that the names of a set are neighbours. Asks the share how it compares
 * names, if that is not known, and collects the names that belong to no raw file. */
int listing_sort(struct watch *w, struct err *err) __attribute__((warn_unused_result));
/* The names of what was kept that belong to raw file main. */
int watch_members(struct watch *w, const char *main, struct members *out, struct err *err)
    __attribute__((warn_unused_result));
void listing_clear(struct watch *w);

/* Drop what was read from the database (another scheduler may lead meanwhile). */
void watch_forget(struct watch *w);
/* watch_share.c: 0 when the folder is the instrument's share; else ERR_HOLD. */
int watch_prove(struct watch *w, struct err *err) __attribute__((warn_unused_result));
/* Record in "watches" how the poll ended; while the share is away, the clocks of its entries stop.
 */
void watch_record_status(struct watch *w, const struct err *why, bool unproven);
/* Brain thread: record in "watches" that a poll hangs. */
void watch_report_hung(struct watch *w);
/* One poll: prove the share, list it, look at raw files that are new or open, write down what was
 * decided. */
void watch_poll(struct watch *w);
#endif
