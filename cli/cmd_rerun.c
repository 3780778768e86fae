/*
 * cmd_rerun.c - trawl rerun: quantifies raw files again. The task of a raw file and its settings
 * runs again from its beginning, or is made when there was none; its last run's metrics stay.
 *
 * The task's id is added to the raw file before the task is made: a crash in between leaves an id
 * without a task, and the next rerun makes it.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/base/suggest.h"
#include "common/db/doc_json.h"
#include "common/quant/quant_input.h"
#include "common/quant/settings.h"
#include "common/raw/raw_file.h"
#include "common/raw/retire.h"
#include "common/task/task.h"
#include "ops/act.h"
#include "ops/find.h"
#include "ops/settings.h"

#define PRIORITY_RERUN 50

struct rerun {
    struct cli *c;
    const char *mode;
    bool dry;
    const bson_t *only; /* settings; NULL: those that apply */
    struct settings_book book;
    json_t *done; /* for --json */
};

/* Report one task; what is a stable word. */
static enum cli_exit add_answer(struct rerun *r, const char *task, const char *what,
                                struct err *err)
{
    if (r->c->json) {
        json_t *one = json_pack("{s:o, s:s}", "task", json_text(task), "rerun", what);
        return json_array_append_new(r->done, one) == 0 ? CLI_OK
                                                        : cli_fail(err, CLI_AWAY, "out of memory");
    }
    if (!r->c->quiet) {
        text_put(r->c->out, task);
        fprintf(r->c->out, ": %s\n", what);
    }
    return CLI_OK;
}

static int add_to_raw_file(struct rerun *r, const char *raw_file, const char *task, struct err *err)
{
    bool won;
    return raw_file_make(r->c->ops.db, raw_file_adding_task(raw_file, task), &won, err);
}

struct starting {
    struct rerun *r;
    const struct task_new *t;
    const char *id;
};

static int run_rerun(void *ctx, bool *won, bson_t *after, struct err *err)
{
    const struct starting *s = ctx;
    struct db *db = s->r->c->ops.db;
    BCON_APPEND(after, "state", BCON_UTF8("ready"), "run",
                BCON_INT64(doc_i64(s->t->input, "run", 1)));
    if (add_to_raw_file(s->r, s->t->raw_file, s->id, err) != 0 ||
        task_create(db, s->t, won, err) != 0) {
        return -1;
    }
    return *won ? 0 : task_reopen(db, s->t, TASK_REOPEN_ENDED, won, err);
}

static enum cli_exit rerun_task(struct rerun *r, const bson_t *raw, const bson_t *settings,
                                const char *vendor, struct err *err)
{
    char name[SETTINGS_ID_MAX];
    struct task_new t = {.raw_file = doc_str(raw, "_id", ""),
                         .kind = "quant",
                         .settings = settings_id(settings, name),
                         .instrument = doc_str(raw, "instrument_id", ""),
                         .project = doc_str(raw, "project_id", ""),
                         .priority = PRIORITY_RERUN,
                         .round = doc_i64(raw, "round", 0)};
    AUTO(free) char *id = task_id(t.raw_file, t.kind, t.settings);
    AUTO(bson_destroy) bson_t *before = NULL;
    if (id == NULL || db_find_id(r->c->ops.db, DB_TASKS, id, &before, err) != 0) {
        return id != NULL ? cli_exit_of(err) : cli_fail(err, CLI_AWAY, "out of memory");
    }
    enum task_state state = TASK_DONE;
    bool open = before != NULL && task_state_parse(doc_str(before, "state", ""), &state) == 0 &&
                !task_is_terminal(state);
    if (open) {
        return cli_fail(err, CLI_REFUSED, "%s is still %s; to stop it first: trawl task cancel %s",
                        id, task_state_name(state), id);
    }
    if (r->dry) {
        return add_answer(r, id, before != NULL ? "would run again" : "would run", err);
    }
    int64_t run = before != NULL ? doc_i64(before, "input.run", 1) + 1 : 1;
    AUTO(bson_destroy)
    bson_t *input = quant_input(&(struct quant_ask){raw, settings, vendor, r->mode, run});
    bool won = false;
    t.input = input;
    struct starting starting = {r, &t, id};
    AUTO(bson_destroy) bson_t *was = bson_new();
    if (before != NULL) {
        BCON_APPEND(was, "state", BCON_UTF8(task_state_name(state)), "run", BCON_INT64(run - 1));
    }
    const struct act act = {&r->c->ops, "rerun", id, was};
    if (input == NULL || act_run(&act, run_rerun, &starting, &won, err) != 0) {
        return input != NULL ? cli_exit_of(err) : cli_fail(err, CLI_AWAY, "out of memory");
    }
    if (!won) {
        return cli_fail(err, CLI_REFUSED,
                        "%s has changed meanwhile: check it (trawl show), then try again", id);
    }
    enum cli_exit e = add_answer(r, id, before != NULL ? "runs again" : "runs", err);
    ops_event(&r->c->ops, "task", id, t.raw_file);
    return e;
}

static enum cli_exit check_backup(const bson_t *raw, struct err *err)
{
    const char *id = doc_str(raw, "_id", "");
    /* Without its folder it is being acquired and copied again. */
    if (retire_backup_is_complete(raw) && doc_has(raw, "backup_base_path")) {
        return CLI_OK;
    }
    return doc_bool(raw, "settled", false) || !raw_file_is_ours(raw)
               ? cli_fail(err, CLI_REFUSED,
                          "%s has no complete backup, and nothing copies it: trawl why %s", id, id)
               : cli_fail(err, CLI_REFUSED,
                          "%s has no backup yet; it will be quantified after its copy", id);
}

static enum cli_exit rerun_file(struct rerun *r, const char *name, struct err *err)
{
    const bson_t *out[RESOLVE_MAX];
    struct resolve_for f;
    char vendor[16];
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (find_raw_file(&r->c->ops, name, &raw, err) != 0) {
        return cli_exit_of(err);
    }
    enum cli_exit backed_up = check_backup(raw, err);
    if (backed_up != CLI_OK) {
        return backed_up;
    }
    if (instrument_vendor(&r->c->ops, doc_str(raw, "instrument_id", ""), vendor, err) != 0) {
        return cli_exit_of(err);
    }
    size_t n = 1;
    if (r->only != NULL) {
        out[0] = r->only;
    } else {
        n = resolve_raw_file(&r->book, raw, vendor, &f, out);
    }
    if (n == 0) {
        return cli_fail(
            err, CLI_REFUSED,
            "no settings apply to %s: name some with --settings, or use trawl settings assign",
            doc_str(raw, "_id", ""));
    }
    enum cli_exit e = CLI_OK;
    for (size_t i = 0; i < n && e == CLI_OK; i++) {
        e = rerun_task(r, raw, out[i], vendor[0] != '\0' ? vendor : "generic", err);
    }
    return e;
}

/* A file that cannot be rerun does not stop the rest; the first failure is reported at the end. */
static enum cli_exit rerun_all(struct rerun *r, const struct args *a, struct err *err)
{
    enum cli_exit worst = CLI_OK;
    for (size_t i = 0; i < a->n; i++) {
        struct err why = {0};
        enum cli_exit e = rerun_file(r, a->words[i], &why);
        if (e != CLI_OK && worst == CLI_OK) {
            *err = why;
            worst = e;
        } else if (e != CLI_OK && !r->c->quiet) {
            fputs("trawl: ", stderr);
            text_put(stderr, why.msg);
            fputc('\n', stderr);
        }
    }
    if (r->c->json && json_print(TAKE(r->done), r->c->out, err) != 0) {
        return cli_exit_of(err);
    }
    return worst;
}

static enum cli_exit check_mode(const char *mode, struct err *err)
{
    static const char *const modes[] = {"raise", "overwrite", "associate", "add", NULL};
    char meant[SUGGEST_MAX];
    for (size_t i = 0; modes[i] != NULL; i++) {
        if (strcmp(mode, modes[i]) == 0) {
            return CLI_OK;
        }
    }
    return cli_fail(err, CLI_USAGE, "there is no mode '%s'%s see trawl rerun --help", mode,
                    suggest_text(mode, modes, "", meant));
}

static enum cli_exit cmd_rerun(struct cli *c, const struct args *a, struct err *err)
{
    const char *mode = args_get(a, "mode"), *name = args_get(a, "settings");
    AUTO(bson_destroy) bson_t *only = NULL;
    AUTO(json_decref) json_t *done = json_array();
    struct rerun r = {
        .c = c, .mode = mode != NULL ? mode : "add", .dry = args_get(a, "dry-run") != NULL};
    enum cli_exit e = check_mode(r.mode, err);
    if (e != CLI_OK) {
        return e;
    }
    if (name != NULL && settings_find(&c->ops, name, &only, err) != 0) {
        return cli_exit_of(err);
    }
    r.only = only;
    r.done = TAKE(done);
    e = settings_book_load(&r.book, c->ops.db, err) == 0 ? CLI_OK : cli_exit_of(err);
    settings_book_rule(&r.book, c->ops.cfg);
    e = e == CLI_OK ? rerun_all(&r, a, err) : e;
    settings_book_clear(&r.book);
    json_decref(r.done);
    return e;
}

static const struct cli_option rerun_options[] = {
    {"settings", "SETTINGS", "use these settings instead of those that apply to the file"},
    {"mode", "MODE",
     "if there is earlier output: raise, overwrite, associate or add (default add)"},
    {"dry-run", NULL, "show what would run"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_rerun = {
    .name = "rerun",
    .args = "<file>…",
    .brief = "quantify raw files again, at a lower priority than new ones",
    .help = "Earlier output: add writes beside it (.run2, …), overwrite takes its folder, "
            "associate takes\n"
            "over the job that wrote it, raise fails. Metrics of earlier runs are kept; the newest "
            "count.",
    .options = rerun_options,
    .min_words = 1,
    .max_words = 8,
    .need = NEED_DB,
    .run = cmd_rerun};
