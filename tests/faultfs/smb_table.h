/* smb_table.h - the server's memory, for smb.c and smb_io.c; all under its lock. */
#ifndef TESTS_FAULTFS_SMB_TABLE_H
#define TESTS_FAULTFS_SMB_TABLE_H
#include <pthread.h>
#include <sys/types.h>

#include "tests/faultfs/smb.h"

#define SLOTS     4096
#define MILLI_NS  1000000LL
#define SECOND_NS (1000 * MILLI_NS)
#define LATE_NS   (2 * SECOND_NS)  /* Samba's delayed write time */
#define SKEW_NS   (-48 * MILLI_NS) /* the server's clock against the client's */
#define GRAIN_NS  100              /* what SMB can say of a time */

enum state {
    FREE,
    OPEN,
    GHOST,  /* its process was killed; the server does not know yet */
    CLOSED, /* by the process, after writes: its host shows its own clock's time of change */
};

struct slot {
    enum state state;
    pid_t host;
    dev_t dev;
    ino_t ino;
    bool renamed; /* since it was opened or, of a ghost, killed */
    bool pending; /* to be removed at the last close */
    int lock;     /* LOCK_SH, LOCK_EX or 0 */
    int64_t until_ns, lock_until_ns;
    int64_t first_write_ns, last_write_ns;
    int64_t before_ns; /* the time of change before the first write */
    int64_t set_ns;    /* time of change that somebody set while it was open */
    char path[1024];
};

struct table {
    size_t used; /* slots from here on were never in use */
    struct slot at[SLOTS];
};

struct smb {
    struct smb_options o;
    pthread_mutex_t mutex;
    int fd;
    struct table *table; /* mutex and flock of fd */
};

void smb_take_table(struct smb *s); /* what is over is forgotten, too */
void smb_give_table(struct smb *s);
/* The next slot of the file after `at`, or NULL: for (p = NULL; (p = next(t, st, p)) != NULL;). */
struct slot *smb_next(struct table *t, const struct stat *st, struct slot *at);
bool smb_is_held(const struct slot *p);
int64_t smb_now_ns(void);
int64_t smb_mtime_ns(const struct stat *st);
#endif
