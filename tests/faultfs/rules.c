#include "tests/faultfs/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 64
#define TICK_MS   10
#define CUT       4096 /* where a short read or write ends */

enum what { HANG, ERROR, SHORT, FLIP, SLOW, DELAY, EMPTY, FREE, DATE, WHAT_COUNT };

static const char *const what_names[] = {
    [HANG] = "hang",   [ERROR] = "error", [SHORT] = "short", [FLIP] = "flip", [SLOW] = "slow",
    [DELAY] = "delay", [EMPTY] = "empty", [FREE] = "free",   [DATE] = "date",
};

struct rule {
    enum what what;
    int code;
    unsigned ops;
    char glob[300];
    int64_t after, times, offset, rate, ms, bytes, date; /* times: -1 for ever */
    int64_t next_ns;                                     /* slow: when the next byte may pass */
};

struct rules {
    pthread_mutex_t lock;
    char *control, *hits;
    struct stat seen;          /* lock: of the control file that was read */
    struct rule at[RULES_MAX]; /* lock */
    size_t n;                  /* lock */
};

static const struct {
    const char *name;
    unsigned ops;
} op_names[] = {
    {"stat", OP_STAT},
    {"open", OP_OPEN},
    {"read", OP_READ},
    {"write", OP_WRITE},
    {"fsync", OP_FSYNC},
    {"list", OP_LIST},
    {"create", OP_CREATE},
    {"rename", OP_RENAME},
    {"remove", OP_REMOVE},
    {"meta", OP_META},
    {"alloc", OP_ALLOC},
    {"statfs", OP_STATFS},
    {"lock", OP_LOCK},
    {"modify", OP_WRITE | OP_CREATE | OP_RENAME | OP_REMOVE | OP_META | OP_ALLOC},
    {"any", ~0U},
};

static const struct {
    const char *name;
    int code;
} codes[] = {
    {"EIO", EIO},         {"ESTALE", ESTALE},     {"ENOSPC", ENOSPC},         {"EDQUOT", EDQUOT},
    {"EROFS", EROFS},     {"ENOTCONN", ENOTCONN}, {"EHOSTDOWN", EHOSTDOWN},   {"EACCES", EACCES},
    {"ENOENT", ENOENT},   {"EBUSY", EBUSY},       {"EOPNOTSUPP", EOPNOTSUPP}, {"EINVAL", EINVAL},
    {"ETXTBSY", ETXTBSY},
};

/* --- reading the control file --- */

static unsigned parse_ops(char *text)
{
    unsigned ops = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        for (size_t i = 0; i < sizeof op_names / sizeof *op_names; i++) {
            ops |= strcmp(word, op_names[i].name) == 0 ? op_names[i].ops : 0;
        }
    }
    return ops;
}

int rules_code(const char *name)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(name, codes[i].name) == 0) {
            return codes[i].code;
        }
    }
    return 0;
}

static bool parse_what(const char *word, struct rule *r)
{
    size_t len = strcspn(word, "=");
    for (unsigned i = 0; i < WHAT_COUNT; i++) {
        if (strlen(what_names[i]) == len && strncmp(word, what_names[i], len) == 0) {
            r->what = (enum what)i;
            break;
        }
        if (i + 1 == WHAT_COUNT) {
            return false;
        }
    }
    r->code = r->what == ERROR && word[len] == '=' ? rules_code(word + len + 1) : 0;
    return r->what != ERROR || r->code != 0;
}

static void parse_key(char *word, struct rule *r)
{
    const struct {
        const char *name;
        int64_t *value;
    } keys[] = {{"after", &r->after}, {"times", &r->times}, {"offset", &r->offset},
                {"rate", &r->rate},   {"ms", &r->ms},       {"bytes", &r->bytes},
                {"at", &r->date}};
    char *equals = strchr(word, '=');
    for (size_t i = 0; equals != NULL && i < sizeof keys / sizeof *keys; i++) {
        if (strlen(keys[i].name) == (size_t)(equals - word) &&
            strncmp(word, keys[i].name, (size_t)(equals - word)) == 0) {
            *keys[i].value = strtoll(equals + 1, NULL, 10);
        }
    }
}

static bool parse_line(char *line, struct rule *r)
{
    char *rest = NULL;
    char *what = strtok_r(line, " \n", &rest);
    char *ops = what == NULL ? NULL : strtok_r(NULL, " \n", &rest);
    char *glob = ops == NULL ? NULL : strtok_r(NULL, " \n", &rest);
    *r = (struct rule){.times = -1};
    if (glob == NULL || !parse_what(what, r) || (r->ops = parse_ops(ops)) == 0) {
        return false;
    }
    snprintf(r->glob, sizeof r->glob, "%s", glob);
    for (char *key; (key = strtok_r(NULL, " \n", &rest)) != NULL;) {
        parse_key(key, r);
    }
    return true;
}

static void tell(struct rules *r, const char *what, unsigned op, const char *path)
{
    char line[600];
    const char *name = "?";
    for (size_t i = 0; i < sizeof op_names / sizeof *op_names; i++) {
        if (op_names[i].ops == op) {
            name = op_names[i].name;
        }
    }
    int n = snprintf(line, sizeof line, "%s %s %s\n", what, name, path);
    int fd = open(r->hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        ssize_t done = write(fd, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
        (void)done;
        close(fd);
    }
}

static void read_control(struct rules *r)
{
    struct stat st;
    if (stat(r->control, &st) != 0) {
        r->n = 0;
        r->seen = (struct stat){0};
        return;
    }
    bool same = st.st_ino == r->seen.st_ino && st.st_size == r->seen.st_size &&
                st.st_mtim.tv_sec == r->seen.st_mtim.tv_sec &&
                st.st_mtim.tv_nsec == r->seen.st_mtim.tv_nsec;
    FILE *in = same ? NULL : fopen(r->control, "re");
    if (in == NULL) {
        return;
    }
    char line[1000];
    r->seen = st;
    r->n = 0;
    while (r->n < RULES_MAX && fgets(line, sizeof line, in) != NULL) {
        char copy[1000];
        memcpy(copy, line, sizeof copy);
        if (parse_line(line, &r->at[r->n])) {
            r->n++;
        } else {
            copy[strcspn(copy, "\n")] = '\0';
            tell(r, "not understood:", 0, copy);
        }
    }
    fclose(in);
}

/* --- acting --- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void sleep_ns(int64_t ns)
{
    const struct timespec t = {ns / 1000000000, ns % 1000000000};
    nanosleep(&t, NULL);
}

static bool matches(const struct rule *rule, unsigned op, const char *path)
{
    return (rule->ops & op) != 0 && rule->times != 0 && fnmatch(rule->glob, path, 0) == 0;
}

/* Under the lock: whether the rule acts now. What begins before `after` passes as a whole: the
 * kernel takes a short write for an error. */
static bool is_due(struct rule *rule, const size_t *len)
{
    if (rule->after > 0) {
        rule->after -= len != NULL ? (int64_t)*len : 1;
        return false;
    }
    return true;
}

static void count_down(struct rule *rule)
{
    rule->times -= rule->times > 0;
}

/* Under the lock: how long to wait before these bytes may pass. */
static int64_t pace(struct rule *rule, size_t len)
{
    int64_t now = now_ns();
    int64_t start = rule->next_ns > now ? rule->next_ns : now;
    rule->next_ns = start + (int64_t)len * 1000000000 / (rule->rate > 0 ? rule->rate : 1);
    return rule->next_ns - now;
}

struct verdict {
    int code;
    int64_t wait_ns;
    bool hang;
};

static struct verdict judge(struct rules *r, unsigned op, const char *path, size_t *len)
{
    struct verdict v = {0};
    for (size_t i = 0; i < r->n && v.code == 0 && !v.hang; i++) {
        struct rule *rule = &r->at[i];
        bool root = *path == '\0';
        if (!matches(rule, op, path) || rule->what == FLIP || rule->what == FREE ||
            rule->what == DATE || (rule->what == EMPTY && root)) {
            continue;
        }
        if (rule->what == SLOW) {
            v.wait_ns += len != NULL ? pace(rule, *len) : 0;
            continue;
        }
        if (!is_due(rule, len)) {
            continue;
        }
        count_down(rule);
        tell(r, what_names[rule->what], op, path);
        v.hang = rule->what == HANG;
        v.code = rule->what == ERROR ? -rule->code : rule->what == EMPTY ? -ENOENT : 0;
        v.wait_ns += rule->what == DELAY ? rule->ms * 1000000 : 0;
        if (rule->what == SHORT && len != NULL && *len > 1) {
            *len = *len > 2 * CUT ? *len / 2 / CUT * CUT : *len / 2;
        }
    }
    return v;
}

/* Until no rule says so any more. */
static void hang(struct rules *r, unsigned op, const char *path)
{
    for (bool held = true; held;) {
        sleep_ns(TICK_MS * 1000000);
        held = false;
        pthread_mutex_lock(&r->lock);
        read_control(r);
        for (size_t i = 0; i < r->n; i++) {
            struct rule *rule = &r->at[i];
            held |=
                rule->what == HANG && (rule->ops & op) != 0 && fnmatch(rule->glob, path, 0) == 0;
        }
        pthread_mutex_unlock(&r->lock);
    }
}

int rules_before(struct rules *r, enum op op, const char *path, size_t *len)
{
    pthread_mutex_lock(&r->lock);
    read_control(r);
    struct verdict v = judge(r, op, path, len);
    pthread_mutex_unlock(&r->lock);
    if (v.wait_ns > 0) {
        sleep_ns(v.wait_ns);
    }
    if (v.hang) {
        hang(r, op, path);
    }
    return v.code;
}

bool rules_flip(struct rules *r, enum op op, const char *path, int64_t at, size_t len,
                int64_t *where)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !found; i++) {
        struct rule *rule = &r->at[i];
        found = rule->what == FLIP && matches(rule, op, path) && rule->offset >= at &&
                rule->offset < at + (int64_t)len;
        if (found) {
            *where = rule->offset;
            count_down(rule);
            tell(r, "flip", op, path);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

bool rules_shorten(struct rules *r, const char *path)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !found; i++) {
        found = r->at[i].what == SHORT && fnmatch(r->at[i].glob, path, 0) == 0;
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

bool rules_date(struct rules *r, const char *path, int64_t *seconds)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !found; i++) {
        found = r->at[i].what == DATE && fnmatch(r->at[i].glob, path, 0) == 0;
        *seconds = found ? r->at[i].date : 0;
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

bool rules_free_bytes(struct rules *r, int64_t *bytes)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !found; i++) {
        found = r->at[i].what == FREE;
        *bytes = found ? r->at[i].bytes : 0;
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

struct rules *rules_new(const char *control)
{
    struct rules *r = calloc(1, sizeof *r);
    if (r == NULL || (r->control = strdup(control)) == NULL ||
        asprintf(&r->hits, "%s.hits", control) < 0) {
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    return r;
}
