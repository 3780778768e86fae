/* cmd_top.c - trawl top: a live screen, or its lines once where there is no terminal. */
#include <string.h>

#include "cli/args.h"
#include "cli/cmd_top_draw.h"
#include "cli/screen.h"
#include "common/db/doc_json.h"

#define REFRESH_MS 1000

static enum cli_exit print_once(struct cli *c, struct top *t, struct err *err)
{
    top_read(&c->ops, t);
    if (t->away.kind != ERR_NONE) {
        *err = t->away;
        return cli_exit_of(err);
    }
    int rc = c->json ? json_print(top_json(&c->ops, t), c->out, err) : top_draw(c, t, err);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

/* Draw into memory first, so that the screen changes at once and does not flicker. */
static int redraw(struct cli *c, const struct top *t, struct err *err)
{
    AUTO(free) char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return err_no_memory(err);
    }
    struct cli into = *c;
    into.out = out;
    into.width = screen_size().columns;
    int rc = top_draw(&into, t, err);
    if (fclose(out) != 0 || text == NULL) {
        return err_no_memory(err);
    }
    if (rc == 0) {
        screen_show(text);
    }
    return rc;
}

static enum cli_exit run_screen(struct cli *c, struct top *t, struct err *err)
{
    AUTO(screen_free) struct screen *screen = screen_new(err);
    enum screen_event e = SCREEN_TIME;
    while (screen != NULL && e != SCREEN_END) {
        char key = '\0';
        if (e != SCREEN_RESIZED) {
            top_read(&c->ops, t);
        }
        if (redraw(c, t, err) != 0) {
            break;
        }
        e = screen_wait(screen, REFRESH_MS, &key);
        e = e == SCREEN_KEY && (key == 'q' || key == 'Q') ? SCREEN_END : e;
    }
    return err->kind == ERR_NONE ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit cmd_top(struct cli *c, const struct args *a, struct err *err)
{
    struct top t = {0};
    bool plain = c->json || c->width == 0 || args_get(a, "once") != NULL;
    enum cli_exit e = plain ? print_once(c, &t, err) : run_screen(c, &t, err);
    top_clear(&t);
    return e;
}

static const struct cli_option top_options[] = {
    {"once", NULL, "print it once, as lines (always so without a terminal and with --json)"},
    {0},
};

const struct command command_top = {
    .name = "top",
    .args = "",
    .brief = "a live screen: pools, workers, rates, what waits, what failed",
    .help = "Redrawn every second; press q to quit.",
    .options = top_options,
    .need = NEED_DB,
    .run = cmd_top};
