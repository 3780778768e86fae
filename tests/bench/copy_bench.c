/*
 * copy_bench.c - trawl-copy-bench: the copy engine alone, without Kafka and MongoDB.
 *
 *     trawl-copy-bench [options] SOURCE TARGET_FOLDER
 *
 * SOURCE is a file or a folder; TARGET_FOLDER exists. Prints one JSON object; exit 0 when copied,
 * 1 when not (the reason on stderr), 2 for wrong arguments.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "workers/copy/engine/engine.h"

static const char usage[] = "usage: trawl-copy-bench [options] SOURCE TARGET_FOLDER\n"
                            "  --no-sync          leave flushing to the kernel\n"
                            "  --readback WHERE   disk (default), cache or none\n"
                            "  --buffered         never O_DIRECT\n"
                            "  --digest NAME      none (default), md5 or sha256\n"
                            "  --streams N        in one large file (4)\n"
                            "  --file-threads N   small files at the same time (8)\n"
                            "  --chunk-mib N      unit of resumption (16)\n"
                            "  --fence N          of this attempt (1)\n"
                            "  --limit BYTES      a second (0 = none)\n"
                            "  --rename-aside     move other content of that name out of the way\n";

enum option_id {
    OPT_SYNC = 1,
    OPT_READBACK,
    OPT_BUFFERED,
    OPT_DIGEST,
    OPT_STREAMS,
    OPT_FILES,
    OPT_CHUNK,
    OPT_FENCE,
    OPT_LIMIT,
    OPT_ASIDE
};

static const struct option options[] = {
    {"no-sync", no_argument, NULL, OPT_SYNC},
    {"readback", required_argument, NULL, OPT_READBACK},
    {"buffered", no_argument, NULL, OPT_BUFFERED},
    {"digest", required_argument, NULL, OPT_DIGEST},
    {"streams", required_argument, NULL, OPT_STREAMS},
    {"file-threads", required_argument, NULL, OPT_FILES},
    {"chunk-mib", required_argument, NULL, OPT_CHUNK},
    {"fence", required_argument, NULL, OPT_FENCE},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"rename-aside", no_argument, NULL, OPT_ASIDE},
    {0},
};

static int parse_readback(const char *text, enum copy_readback *out)
{
    static const char *const names[] = {
        [COPY_READBACK_DISK] = "disk",
        [COPY_READBACK_CACHE] = "cache",
        [COPY_READBACK_NONE] = "none",
    };
    for (unsigned i = 0; i < COPY_READBACK_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum copy_readback)i;
            return 0;
        }
    }
    return -1;
}

static int take_option(int id, const char *text, struct copy_plan *p)
{
    long long n = text == NULL ? 0 : strtoll(text, NULL, 10);
    switch (id) {
    case OPT_SYNC:
        p->no_sync = true;
        return 0;
    case OPT_READBACK:
        return parse_readback(text, &p->readback);
    case OPT_BUFFERED:
        p->buffered = true;
        return 0;
    case OPT_DIGEST:
        return hash_digest_parse(text, &p->digest);
    case OPT_STREAMS:
        p->streams = (unsigned)n;
        return 0;
    case OPT_FILES:
        p->file_threads = (unsigned)n;
        return 0;
    case OPT_CHUNK:
        p->chunk_bytes = n << 20;
        return 0;
    case OPT_FENCE:
        p->fence = n;
        return 0;
    case OPT_LIMIT:
        p->limit_bytes_per_s = n;
        return 0;
    case OPT_ASIDE:
        p->rename_aside = true;
        return 0;
    default:
        return -1;
    }
}

/* copy_run, with the time at the end of each phase. */
static int run_phases(struct copy *c, int64_t ms[static 5], struct err *err)
{
    static int (*const phases[])(struct copy *, struct err *) = {copy_reserve, copy_transfer,
                                                                 copy_verify, copy_publish};
    for (size_t i = 0; c != NULL && i < 4; i++) {
        if (phases[i](c, err) != 0) {
            return -1;
        }
        ms[i + 1] = mono_ms();
    }
    return c == NULL ? -1 : 0;
}

static int copy_and_print(const struct copy_plan *p)
{
    struct err err = {0};
    struct copy_report r;
    int64_t ms[5] = {mono_ms()};
    AUTO(copy_free) struct copy *c = copy_new(p, &err);
    if (run_phases(c, ms, &err) != 0 || copy_report(c, &r, &err) != 0) {
        fprintf(stderr, "trawl-copy-bench: %s: %s\n", err_kind_name(err.kind), err.msg);
        return 1;
    }
    struct rusage usage_self;
    getrusage(RUSAGE_SELF, &usage_self);
    printf("{\"files\":%zu,\"size\":%lld,\"bytes_read\":%lld,\"bytes_written\":%lld,"
           "\"bytes_readback\":%lld,\"resumed_bytes\":%lld,\"repaired_bytes\":%lld,\"ms\":%lld,"
           "\"mib_per_s\":%.1f,\"mapped_names\":%zu,\"already_there\":%s,\"from_disk\":%s,"
           "\"reserve_ms\":%lld,\"transfer_ms\":%lld,\"verify_ms\":%lld,\"publish_ms\":%lld,"
           "\"rss_mib\":%.1f}\n",
           r.n_files, (long long)r.size, (long long)r.bytes_read, (long long)r.bytes_written,
           (long long)r.bytes_readback, (long long)r.resumed_bytes, (long long)r.repaired_bytes,
           (long long)r.ms, (double)r.size / 1048.576 / (double)(r.ms > 0 ? r.ms : 1),
           r.mapped_names, r.already_there ? "true" : "false", r.from_disk ? "true" : "false",
           (long long)(ms[1] - ms[0]), (long long)(ms[2] - ms[1]), (long long)(ms[3] - ms[2]),
           (long long)(ms[4] - ms[3]), (double)usage_self.ru_maxrss / 1024);
    copy_report_fini(&r);
    return 0;
}

static int run(const char *source, const char *target, struct copy_plan *p)
{
    AUTO(free) char *from = realpath(source, NULL);
    AUTO(free) char *root = realpath(target, NULL);
    if (from == NULL || root == NULL || strcmp(from, "/") == 0) {
        fprintf(stderr, "trawl-copy-bench: %s or %s is not there\n", source, target);
        return 1;
    }
    char *slash = strrchr(from, '/');
    AUTO(free) char *name = strdup(slash + 1);
    slash[slash == from ? 1 : 0] = '\0';
    struct copy_member member = {.from = name, .to = name};
    p->source_root = from;
    p->target_root = root;
    p->name = name;
    p->members = &member;
    p->n_members = 1;
    return copy_and_print(p);
}

int main(int argc, char **argv)
{
    struct copy_plan p = {
        .target_dir = "",
        .fence = 1,
        .streams = 4,
        .file_threads = 8,
        .chunk_bytes = 16 << 20,
    };
    for (int id; (id = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (take_option(id, optarg, &p) != 0) {
            fputs(usage, stderr);
            return 2;
        }
    }
    if (argc - optind != 2) {
        fputs(usage, stderr);
        return 2;
    }
    return run(argv[optind], argv[optind + 1], &p);
}
