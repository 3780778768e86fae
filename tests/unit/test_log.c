/*
 * Every line is caught from a pipe that stands in for stderr, and read back by jansson.
 */
#include "common/base/log.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static int saved_stderr, pipe_read;
static char last[2 * PIPE_BUF];
static size_t last_len;

static void catch_begin(void)
{
    int fds[2];
    fflush(stderr);
    assert_int_equal(pipe(fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    close(fds[1]);
    pipe_read = fds[0];
}

/* What one read gives of all that was written, stderr being itself again. */
static void catch_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t n = read(pipe_read, last, sizeof last - 1);
    close(pipe_read);
    assert_true(n >= 0);
    last_len = (size_t)n;
    last[last_len] = '\0';
}

#define CAUGHT(statement)                                                                          \
    do {                                                                                           \
        catch_begin();                                                                             \
        statement;                                                                                 \
        catch_end();                                                                               \
    } while (0)

static json_t *parsed(void)
{
    assert_true(last_len > 0 && last[last_len - 1] == '\n');
    assert_ptr_equal(strchr(last, '\n'), last + last_len - 1);
    json_error_t e;
    json_t *o = json_loads(last, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (o == NULL) {
        fail_msg("%s: %s", e.text, last);
    }
    return o;
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    assert_non_null(s);
    return s;
}

static void a_line_is_one_json_object_with_the_four_fields_first(void **state)
{
    (void)state;
    log_init("tester", LOG_INFO);
    CAUGHT(log_info("hello"));
    json_t *o = parsed();
    assert_int_equal(strlen(text(o, "ts")), 24);
    assert_string_equal(text(o, "level"), "info");
    assert_string_equal(text(o, "component"), "tester");
    assert_string_equal(text(o, "event"), "hello");
    assert_int_equal(json_object_size(o), 4);
    assert_int_equal(strncmp(last, "{\"ts\":\"", 7), 0);
    json_decref(o);
}

static void values_keep_their_types(void **state)
{
    (void)state;
    bool yes = true;
    uint64_t big = INT64_MAX; /* the most that jansson reads */
    const char *nothing = NULL;
    CAUGHT(log_warn("types", KV("s", "a\"b\\c\n"), KV("i", -5), KV("u", big), KV("f", 0.25),
                    KV("nan", (double)NAN), KV("b", yes), KV("n", nothing)));
    json_t *o = parsed();
    assert_string_equal(text(o, "s"), "a\"b\\c\n");
    assert_int_equal(json_integer_value(json_object_get(o, "i")), -5);
    assert_non_null(strstr(last, "\"u\":9223372036854775807"));
    assert_true(json_real_value(json_object_get(o, "f")) == 0.25);
    assert_true(json_is_null(json_object_get(o, "nan")));
    assert_true(json_is_true(json_object_get(o, "b")));
    assert_true(json_is_null(json_object_get(o, "n")));
    json_decref(o);
}

static void bytes_that_are_not_utf8_are_escaped(void **state)
{
    (void)state;
    CAUGHT(log_info("bytes", KV("name", "a\xff\x1b[2J\xc2\x9b \xc3\xbc")));
    assert_non_null(strstr(last, "\"a\\u00ff\\u001b[2J\\u009b \xc3\xbc\""));
    json_decref(parsed());
}

static void a_long_value_is_cut_and_says_so(void **state)
{
    (void)state;
    static char longer[100000];
    for (size_t i = 0; i < sizeof longer - 1; i++) {
        longer[i] = i % 3 == 0 ? '"' : '\x01'; /* every character grows */
    }
    CAUGHT(log_info("long", KV("a", (const char *)longer), KV("after", 1)));
    json_t *o = parsed();
    assert_true(last_len <= PIPE_BUF);
    const char *a = text(o, "a");
    assert_int_equal(a[strlen(a) - 1], '+');
    assert_int_equal(json_integer_value(json_object_get(o, "after")), 1);
    json_decref(o);
}

static void fields_that_do_not_fit_are_left_out_and_the_line_says_so(void **state)
{
    (void)state;
    for (size_t len = 1300; len < 1500; len++) { /* each way in which a line can just fit or not */
        char v[1600];
        memset(v, 'x', len);
        v[len] = '\0';
        const char *value = v;
        CAUGHT(log_info("many", KV("a", value), KV("b", value), KV("c", value), KV("d", value)));
        json_t *o = parsed();
        assert_true(last_len <= PIPE_BUF);
        assert_true(json_object_get(o, "d") != NULL || json_is_true(json_object_get(o, "cut")));
        json_decref(o);
    }
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    log_init("tester", LOG_WARN);
    CAUGHT(log_info("quiet"); log_debug("quiet"));
    assert_int_equal(last_len, 0);
    CAUGHT(log_error("loud"));
    assert_true(last_len > 0);
    log_init("tester", LOG_INFO);
}

static void an_error_becomes_one_line_with_kind_and_place(void **state)
{
    (void)state;
    struct err e = {0};
    ERR(&e, ERR_TRANSIENT, 111, "no answer");
    CAUGHT(log_err("mongo_down", &e));
    json_t *o = parsed();
    assert_string_equal(text(o, "level"), "warn");
    assert_string_equal(text(o, "event"), "mongo_down");
    assert_string_equal(text(o, "kind"), "transient");
    assert_string_equal(text(o, "where"), __func__);
    assert_string_equal(text(o, "msg"), "no answer");
    assert_int_equal(json_integer_value(json_object_get(o, "code")), 111);
    json_decref(o);
}

static void a_gate_opens_once_a_minute_and_counts_the_rest(void **state)
{
    (void)state;
    struct log_gate g = {0};
    uint64_t missed = 9;
    assert_true(log_gate_open(&g, &missed));
    assert_int_equal(missed, 0);
    assert_false(log_gate_open(&g, &missed));
    assert_false(log_gate_open(&g, &missed));
    g.next_ms -= 60000; /* as if the minute had passed */
    assert_true(log_gate_open(&g, &missed));
    assert_int_equal(missed, 2);
    assert_false(log_gate_open(&g, &missed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object_with_the_four_fields_first),
        cmocka_unit_test(values_keep_their_types),
        cmocka_unit_test(bytes_that_are_not_utf8_are_escaped),
        cmocka_unit_test(a_long_value_is_cut_and_says_so),
        cmocka_unit_test(fields_that_do_not_fit_are_left_out_and_the_line_says_so),
        cmocka_unit_test(lines_below_the_level_are_dropped),
        cmocka_unit_test(an_error_becomes_one_line_with_kind_and_place),
        cmocka_unit_test(a_gate_opens_once_a_minute_and_counts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
