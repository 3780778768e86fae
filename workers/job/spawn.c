/*
 * spawn.c - fork twice, so that init reaps the job and not this process. Between fork and exec only
 * calls that are safe in a process with threads are made: everything is prepared before.
 */
#include "workers/job/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/own.h"

#define ALIVE_FD 9
#define ENV_MAX  64

struct report {
    int64_t pid;
    int code; /* errno; 0: it is about to start */
};

/* The number in decimal; returns its beginning in buf. */
static char *decimal(char buf[static 24], int64_t n)
{
    char *at = buf + 23;
    *at = '\0';
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return at;
}

static bool write_id(const char *path, const char *digits)
{
    char line[32];
    size_t len = strlen(digits);
    memcpy(line, digits, len);
    line[len] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write(fd, line, len + 1) == (ssize_t)len + 1 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool redirect(const struct spawn *s)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int said = open(s->said, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int alive = open(s->alive, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return null >= 0 && said >= 0 && alive >= 0 && flock(alive, LOCK_EX) == 0 &&
           dup2(null, STDIN_FILENO) >= 0 && dup2(said, STDOUT_FILENO) >= 0 &&
           dup2(said, STDERR_FILENO) >= 0 && dup2(alive, ALIVE_FD) >= 0 && chdir(s->folder) == 0;
}

static bool limit(const struct spawn *s)
{
    struct rlimit none = {0, 0};
    rlim_t bytes = (rlim_t)s->mem_mib << 20;
    struct rlimit data = {bytes, bytes};
    return setrlimit(RLIMIT_CORE, &none) == 0 &&
           (s->mem_mib <= 0 || setrlimit(RLIMIT_DATA, &data) == 0);
}

/* What threads of ours block or ignore is not for others. */
static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
}

/* The new process; comes back only when it cannot start. */
static void become(const struct spawn *s, const char *envp[ENV_MAX], char *id_variable, int pipe_fd)
{
    char buf[24];
    struct report r = {.pid = getpid()};
    static const char key[] = "SLURM_JOB_ID=";
    const char *digits = decimal(buf, r.pid);
    memcpy(id_variable, key, sizeof key - 1);
    memcpy(id_variable + sizeof key - 1, digits, strlen(digits) + 1);
    setsid();
    reset_signals();
    if (redirect(s) && limit(s) && write_id(s->id, digits)) {
        /* exec takes what it does not change as if it might: the casts only drop const. */
        execve(s->argv[0], (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)envp);
    }
    r.code = errno != 0 ? errno : EIO;
    unlink(s->id);
    ssize_t ignored = write(pipe_fd, &r, sizeof r);
    (void)ignored;
}

static void first_child(const struct spawn *s, const char *envp[ENV_MAX], char *id_variable,
                        int pipe_fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        become(s, envp, id_variable, pipe_fd);
        _exit(127);
    }
    struct report r = {.pid = pid, .code = pid < 0 ? errno : 0};
    ssize_t ignored = write(pipe_fd, &r, sizeof r);
    (void)ignored;
    _exit(0);
}

/* The last word counts: the new process's own, when it could not start. */
static int read_reports(int fd, struct report *last)
{
    struct report r;
    ssize_t n;
    bool any = false;
    *last = (struct report){.code = EIO};
    while ((n = read(fd, &r, sizeof r)) == (ssize_t)sizeof r || (n < 0 && errno == EINTR)) {
        if (n > 0 && (!any || r.code != 0)) {
            *last = r;
            any = true;
        }
    }
    return last->code;
}

int spawn(const struct spawn *s, int64_t *pid, struct err *err)
{
    const char *envp[ENV_MAX];
    char id_variable[48];
    int fds[2];
    size_t n = 0;
    for (; s->envp[n] != NULL && n + 2 < ENV_MAX; n++) {
        envp[n] = s->envp[n];
    }
    envp[n++] = id_variable;
    envp[n] = NULL;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return ERR(err, ERR_HOLD, errno, "no pipe for a new process: %m");
    }
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        first_child(s, envp, id_variable, fds[1]);
    }
    int code = child < 0 ? errno : 0;
    close(fds[1]);
    struct report last = {.code = code};
    if (child > 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
        code = read_reports(fds[0], &last);
    }
    close(fds[0]);
    errno = code;
    *pid = last.pid;
    return code == 0 ? 0 : ERR(err, ERR_HOLD, code, "%s cannot be started: %m", s->argv[0]);
}
