/* cmd_config.c - trawl config show|check|template. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/db/doc_json.h"
#include "ops/instruments.h"

static enum cli_exit cmd_config_show(struct cli *c, const struct args *a, struct err *err)
{
    (void)err;
    config_show(c->ops.cfg, args_get(a, "origin") != NULL, c->json, c->out);
    return CLI_OK;
}

static const struct cli_option config_show_options[] = {
    {"origin", NULL, "also show the file and line, or the variable, that each value comes from"},
    {0},
};

const struct command command_config_show = {.name = "config show",
                                            .args = "",
                                            .brief = "the configuration in force, secrets masked",
                                            .options = config_show_options,
                                            .need = NEED_CONFIG,
                                            .run = cmd_config_show};

static enum cli_exit cmd_config_template(struct cli *c, const struct args *a, struct err *err)
{
    (void)err;
    if (args_get(a, "instrument") != NULL) {
        instrument_template(c->out);
    } else {
        config_template(c->out);
    }
    return CLI_OK;
}

static const struct cli_option config_template_options[] = {
    {"instrument", NULL, "an instrument's file instead of trawl.ini"},
    {0},
};

const struct command command_config_template = {
    .name = "config template",
    .args = "",
    .brief = "a trawl.ini with every key, meaning and default",
    .options = config_template_options,
    .need = NEED_NOTHING,
    .run = cmd_config_template};

struct check {
    struct cli *c;
    json_t *list;
    size_t bad;
};

static void report_check(struct check *k, const char *name, const char *trouble)
{
    bool good = trouble[0] == '\0';
    k->bad += good ? 0 : 1;
    if (k->c->json) {
        json_array_append_new(k->list, json_pack("{s:o, s:b, s:o}", "name", json_text(name), "ok",
                                                 (int)good, "error", json_text(trouble)));
        return;
    }
    enum style s = good ? STYLE_GOOD : STYLE_BAD;
    if (!good || !k->c->quiet) {
        fprintf(k->c->out, "%s%s%s  %s%s%s\n", style_on(s, k->c->color), good ? "ok " : "bad",
                style_off(s, k->c->color), name, good ? "" : ": ", trouble);
    }
}

static void check_compat(struct check *k, const struct config *c)
{
    char trouble[200] = "";
    if (strcmp(c->copy.digest, "md5") != 0) {
        snprintf(trouble, sizeof trouble,
                 "copy.digest is %s: AlphaKraken finds no file_info of new backups and calls them "
                 "not fixed yet; set it to md5, or do not set it",
                 c->copy.digest);
    }
    report_check(k, "compat.alphakraken", trouble);
}

static int check_instrument(void *ctx, const char *id, const struct instrument *i,
                            const struct err *why)
{
    struct check *k = ctx;
    struct stat st;
    char trouble[400] = "";
    if (i == NULL) {
        snprintf(trouble, sizeof trouble, "%s", why->msg);
    } else if (stat(i->path, &st) != 0) {
        snprintf(trouble, sizeof trouble, "its folder %s: %m; is the share mounted?", i->path);
    } else if (!S_ISDIR(st.st_mode)) {
        snprintf(trouble, sizeof trouble, "%s is no folder", i->path);
    }
    char name[64];
    snprintf(name, sizeof name, "instrument %s", id);
    report_check(k, name, trouble);
    return 0;
}

static enum cli_exit cmd_config_check(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(json_decref) json_t *list = json_array();
    struct check k = {.c = c, .list = list};
    struct err bad = {0};
    c->ops.cfg = config_load(c->config_dir, &bad);
    if (list == NULL || (c->ops.cfg == NULL && !c->json)) {
        return cli_fail(err, CLI_USAGE, "%s", bad.msg);
    }
    report_check(&k, "configuration", bad.msg);
    if (c->ops.cfg != NULL && c->ops.cfg->compat.alphakraken) {
        check_compat(&k, c->ops.cfg);
    }
    if (c->ops.cfg != NULL && args_get(a, "instruments") != NULL &&
        instruments_each(c->ops.cfg, check_instrument, &k, err) != 0) {
        return CLI_USAGE;
    }
    if (c->json && json_print(TAKE(list), c->out, err) != 0) {
        return cli_exit_of(err);
    }
    return c->ops.cfg == NULL ? CLI_USAGE : k.bad > 0 ? CLI_NO : CLI_OK;
}

static const struct cli_option config_check_options[] = {
    {"instruments", NULL, "also check every file in instruments.d, and that its folder is there"},
    {0},
};

const struct command command_config_check = {.name = "config check",
                                             .args = "",
                                             .brief = "whether the configuration can be used",
                                             .options = config_check_options,
                                             .need = NEED_NOTHING,
                                             .run = cmd_config_check};
