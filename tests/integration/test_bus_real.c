/*
 * test_bus_real.c - the bus against a real broker, named by TRAWL_KAFKA_BROKERS.
 *
 * TRAWL_TEST_KAFKA_RESTART is a shell command that stops that broker and starts it again; a command
 * that also wipes the broker's data is just as good: the topics must come back by themselves.
 * TRAWL_TEST_KAFKA_PAUSE and TRAWL_TEST_KAFKA_CONTINUE stop and continue its process. Without them
 * those tests are skipped. Each run has topics of its own and deletes them at the end.
 */
#include "test.h"

#include "bus_config.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/bus/bus.h"

#define PARTITIONS 4
#define SKIP_CODE  77
#define SAMPLES    500

enum { MEMBER_A, MEMBER_B, MEMBER_C, EVENTS };

static const char *const copy_kind[] = {"copy", NULL};

/* The consumers of a test that failed are freed before the bus. */
struct world {
    struct config cfg;
    char env[64];
    struct bus *bus;
    struct bus_consumer *consumers[4];
};

struct inbox {
    pthread_mutex_t lock;
    struct bus_consumer *consumer; /* lock; NULL: keep the messages */
    struct bus_msg *kept[4096];    /* lock */
    size_t kept_count;             /* lock */
    int64_t lag_us[SAMPLES];       /* lock */
    _Atomic size_t lags;
    _Atomic size_t count;
};

static void take_in(void *ctx, struct bus_msg *msg)
{
    struct inbox *in = ctx;
    int64_t now = mono_ns();
    pthread_mutex_lock(&in->lock);
    long long sent = 0;
    if (sscanf(msg->data, "{\"sent\":%lld}", &sent) == 1 && in->lags < SAMPLES) {
        in->lag_us[in->lags++] = (now - sent) / 1000;
    }
    if (in->consumer != NULL) {
        bus_done(in->consumer, msg);
    } else {
        assert_true(in->kept_count < sizeof in->kept / sizeof *in->kept);
        in->kept[in->kept_count++] = msg;
    }
    in->count++;
    pthread_mutex_unlock(&in->lock);
}

/* Give back what is kept, and everything that comes later at once. */
static void give_back(struct inbox *in, struct bus_consumer *c)
{
    pthread_mutex_lock(&in->lock);
    in->consumer = c;
    while (in->kept_count > 0) {
        bus_done(c, in->kept[--in->kept_count]);
    }
    pthread_mutex_unlock(&in->lock);
}

#define WAIT_UNTIL(cond, ms)                                                                       \
    do {                                                                                           \
        int64_t deadline_ = mono_ms() + (ms);                                                      \
        while (!(cond) && mono_ms() < deadline_) {                                                 \
            mono_sleep_ms(5);                                                                      \
        }                                                                                          \
        assert_true(cond);                                                                         \
    } while (0)

static struct inbox *inbox_new(void)
{
    struct inbox *in = calloc(1, sizeof *in);
    assert_non_null(in);
    pthread_mutex_init(&in->lock, NULL);
    return in;
}

static void inbox_free(struct inbox *in)
{
    pthread_mutex_destroy(&in->lock);
    free(in);
}

static int send_now(struct bus *b, int32_t partition)
{
    struct err err = {0};
    char json[64];
    snprintf(json, sizeof json, "{\"sent\":%lld}", (long long)mono_ns());
    return bus_send_task(b, "copy", partition, "file", json, &err);
}

static size_t owned(struct bus_consumer *c)
{
    int32_t p[PARTITIONS + 1];
    return bus_owned(c, p, PARTITIONS + 1);
}

/* Send one message to every partition until the reader has some from after this call. */
static int64_t send_until_received(struct world *w, struct inbox *in, int64_t ms)
{
    int64_t start = mono_ms();
    size_t before = in->count;
    while (in->count <= before && mono_ms() - start < ms) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            (void)!send_now(w->bus, p);
        }
        mono_sleep_ms(50);
    }
    assert_true(in->count > before);
    return mono_ms() - start;
}

static void delete_topics(struct world *w)
{
    char why[256];
    char name[3][128];
    rd_kafka_DeleteTopic_t *del[3];
    const char *const what[] = {"tasks.copy", "events", "dead"};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", w->cfg.kafka.brokers, why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "%s.%s", w->env, what[i]);
        del[i] = rd_kafka_DeleteTopic_new(name[i]);
    }
    rd_kafka_DeleteTopics(rk, del, 3, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_DeleteTopic_destroy_array(del, 3);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* Starts a consumer that goes into the world's slot; stop() takes it out again. */
static struct bus_consumer *start(struct world *w, size_t slot, struct inbox *in)
{
    struct err err = {0};
    w->consumers[slot] = slot == EVENTS ? bus_consume_events(w->bus, take_in, in, &err)
                                        : bus_consume_tasks(w->bus, "copy", take_in, in, &err);
    if (w->consumers[slot] == NULL) {
        fail_msg("%s", err.msg);
    }
    return w->consumers[slot];
}

static void stop(struct world *w, size_t slot)
{
    int64_t begin = mono_ms();
    bus_consumer_free(TAKE(w->consumers[slot]));
    assert_true(mono_ms() - begin <= 5000);
}

static int set_up(void **state)
{
    static int number;
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    assert_non_null(w);
    snprintf(w->env, sizeof w->env, "bustest-%d-%d", (int)getpid(), number++);
    w->cfg.trawl.env = w->env;
    w->cfg.kafka.brokers = getenv("TRAWL_KAFKA_BROKERS");
    no_login(&w->cfg);
    w->cfg.kafka.partitions = PARTITIONS;
    w->cfg.kafka.session_ms = 6000;
    w->bus = bus_new(&w->cfg, "bustest", &err);
    assert_non_null(w->bus);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof w->consumers / sizeof *w->consumers; i++) {
        bus_consumer_free(w->consumers[i]);
    }
    bus_free(w->bus);
    delete_topics(w);
    free(w);
    return 0;
}

static void make_topics(struct world *w)
{
    struct err err = {0};
    if (bus_ensure_topics(w->bus, copy_kind, &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void topics_are_made_once_and_tasks_wait_for_no_batch(void **state)
{
    struct world *w = *state;
    struct inbox *in = inbox_new();
    make_topics(w);
    make_topics(w);
    struct bus_consumer *c = start(w, MEMBER_A, in);
    give_back(in, c);
    int64_t since = mono_ms();
    WAIT_UNTIL(owned(c) == PARTITIONS, 15000);
    printf("group joined after %lld ms\n", (long long)(mono_ms() - since));
    (void)send_until_received(w, in, 10000);
    mono_sleep_ms(500);
    pthread_mutex_lock(&in->lock);
    in->lags = 0;
    pthread_mutex_unlock(&in->lock);
    for (int i = 0; i < SAMPLES; i++) {
        assert_int_equal(send_now(w->bus, i % PARTITIONS), 0);
        mono_sleep_ms(1 + mono_random(20));
    }
    WAIT_UNTIL(in->lags == SAMPLES, 5000);
    stop(w, MEMBER_A);
    qsort(in->lag_us, SAMPLES, sizeof *in->lag_us, by_size);
    printf("send to on_msg, us: p50 %lld, p95 %lld, p99 %lld, max %lld\n",
           (long long)in->lag_us[SAMPLES / 2], (long long)in->lag_us[SAMPLES * 95 / 100],
           (long long)in->lag_us[SAMPLES * 99 / 100], (long long)in->lag_us[SAMPLES - 1]);
    assert_true(in->lag_us[SAMPLES / 2] < 100000); /* a fetch that waits takes 1 s */
    inbox_free(in);
}

static void two_members_share_the_partitions_and_late_returns_are_harmless(void **state)
{
    struct world *w = *state;
    struct inbox *in = inbox_new();
    struct inbox *other = inbox_new();
    make_topics(w);
    for (int i = 0; i < 5 * PARTITIONS; i++) {
        assert_int_equal(send_now(w->bus, i % PARTITIONS), 0);
    }
    struct bus_consumer *a = start(w, MEMBER_A, in);
    WAIT_UNTIL(in->count == 5 * PARTITIONS && owned(a) == PARTITIONS, 20000);
    int64_t since = mono_ms();
    struct bus_consumer *b = start(w, MEMBER_B, other);
    WAIT_UNTIL(owned(a) == PARTITIONS / 2 && owned(b) == PARTITIONS / 2, 20000);
    printf("shared after %lld ms\n", (long long)(mono_ms() - since));
    /* Nothing was given back, so b reads its half again; then a gives back all, late. */
    WAIT_UNTIL(other->count == 5 * PARTITIONS / 2, 10000);
    give_back(in, a);
    give_back(other, b);
    since = mono_ms();
    stop(w, MEMBER_B);
    printf("left after %lld ms\n", (long long)(mono_ms() - since));
    WAIT_UNTIL(owned(a) == PARTITIONS, 20000);
    printf("taken over after %lld ms\n", (long long)(mono_ms() - since));
    (void)send_until_received(w, in, 10000);
    size_t seen = in->count;
    stop(w, MEMBER_A);
    /* All was given back and committed: the next member starts after it. */
    struct inbox *next = inbox_new();
    struct bus_consumer *c = start(w, MEMBER_C, next);
    WAIT_UNTIL(owned(c) == PARTITIONS, 20000);
    mono_sleep_ms(500);
    assert_true(next->count < seen);
    assert_true(next->count <= PARTITIONS * 4);
    give_back(next, c);
    stop(w, MEMBER_C);
    inbox_free(in);
    inbox_free(other);
    inbox_free(next);
}

static void readers_start_before_the_topics_are_made(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct inbox *in = inbox_new();
    struct inbox *events = inbox_new();
    struct bus_consumer *c = start(w, MEMBER_A, in);
    struct bus_consumer *e = start(w, EVENTS, events);
    mono_sleep_ms(2000);
    make_topics(w);
    /* Events of a topic that was missing are read from its first message: one is enough. */
    assert_int_equal(bus_send_event(w->bus, "k", "{}", &err), 0);
    give_back(in, c);
    give_back(events, e);
    printf("first task after %lld ms\n", (long long)send_until_received(w, in, 15000));
    WAIT_UNTIL(events->count == 1, 10000);
    stop(w, MEMBER_A);
    stop(w, EVENTS);
    inbox_free(in);
    inbox_free(events);
}

static void deleted_topics_are_made_anew_and_read_on(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct inbox *in = inbox_new();
    struct inbox *events = inbox_new();
    make_topics(w);
    struct bus_consumer *c = start(w, MEMBER_A, in);
    struct bus_consumer *e = start(w, EVENTS, events);
    give_back(in, c);
    give_back(events, e);
    (void)send_until_received(w, in, 15000);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(send_now(w->bus, i % PARTITIONS), 0);
        assert_int_equal(bus_send_event(w->bus, "k", "{}", &err), 0);
    }
    mono_sleep_ms(1000);
    for (int round = 0; round < 2; round++) {
        delete_topics(w);
        if (round == 1) {
            make_topics(w); /* at once, before anybody has seen them gone */
        }
        size_t before = events->count;
        printf("tasks again after %lld ms\n", (long long)send_until_received(w, in, 40000));
        int64_t since = mono_ms();
        while (events->count <= before && mono_ms() - since < 40000) {
            (void)!bus_send_event(w->bus, "k", "{}", &err);
            mono_sleep_ms(50);
        }
        assert_true(events->count > before);
        printf("events again after %lld ms more\n", (long long)(mono_ms() - since));
        WAIT_UNTIL(owned(c) == PARTITIONS, 20000);
    }
    stop(w, MEMBER_A);
    stop(w, EVENTS);
    inbox_free(in);
    inbox_free(events);
}

static void restart_of_the_broker_is_survived(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    const char *restart = getenv("TRAWL_TEST_KAFKA_RESTART");
    if (restart == NULL) {
        printf(
            "SKIPPED: TRAWL_TEST_KAFKA_RESTART is not set, no restart of the broker is tested\n");
        skip();
    }
    struct inbox *in = inbox_new();
    struct inbox *events = inbox_new();
    make_topics(w);
    struct bus_consumer *c = start(w, MEMBER_A, in);
    struct bus_consumer *e = start(w, EVENTS, events);
    give_back(in, c);
    give_back(events, e);
    (void)send_until_received(w, in, 15000);
    mono_sleep_ms(1500);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(system(restart), 0);
        size_t before = events->count;
        printf("tasks again after %lld ms\n", (long long)send_until_received(w, in, 60000));
        int64_t since = mono_ms();
        while (events->count <= before && mono_ms() - since < 60000) {
            (void)!bus_send_event(w->bus, "k", "{}", &err);
            mono_sleep_ms(50);
        }
        assert_true(events->count > before);
        printf("events again after %lld ms more\n", (long long)(mono_ms() - since));
        WAIT_UNTIL(owned(c) == PARTITIONS, 60000);
        size_t now = in->count;
        assert_int_equal(send_now(w->bus, 0), 0);
        WAIT_UNTIL(in->count > now, 5000);
    }
    struct bus_stats s;
    bus_stats(w->bus, &s);
    assert_true(s.connected);
    stop(w, MEMBER_A);
    stop(w, EVENTS);
    inbox_free(in);
    inbox_free(events);
}

static void hung_broker_holds_nobody_up(void **state)
{
    struct world *w = *state;
    const char *hang = getenv("TRAWL_TEST_KAFKA_PAUSE");
    const char *go_on = getenv("TRAWL_TEST_KAFKA_CONTINUE");
    if (hang == NULL || go_on == NULL) {
        printf("SKIPPED: TRAWL_TEST_KAFKA_PAUSE and _CONTINUE are not set, no hung broker is "
               "tested\n");
        skip();
    }
    struct inbox *in = inbox_new();
    struct inbox *events = inbox_new();
    make_topics(w);
    struct bus_consumer *c = start(w, MEMBER_A, in);
    give_back(events, start(w, EVENTS, events));
    give_back(in, c);
    (void)send_until_received(w, in, 15000);
    assert_int_equal(system(hang), 0);
    (void)send_now(w->bus, 0);
    mono_sleep_ms(1000);
    int64_t since = mono_ms();
    bus_consumer_free(TAKE(w->consumers[MEMBER_A]));
    int64_t member_ms = mono_ms() - since;
    bus_consumer_free(TAKE(w->consumers[EVENTS]));
    int64_t events_ms = mono_ms() - since - member_ms;
    bus_free(TAKE(w->bus));
    int64_t bus_ms = mono_ms() - since - member_ms - events_ms;
    assert_int_equal(system(go_on), 0);
    printf("freed after %lld, %lld and %lld ms\n", (long long)member_ms, (long long)events_ms,
           (long long)bus_ms);
    assert_true(member_ms <= 5000 && events_ms <= 5000 && bus_ms <= 5000);
    inbox_free(in);
    inbox_free(events);
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    if (getenv("TRAWL_KAFKA_BROKERS") == NULL) {
        fprintf(stderr, "SKIPPED: TRAWL_KAFKA_BROKERS names no broker; local/kafka up has one\n");
        return SKIP_CODE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_init("test", LOG_INFO);
    const struct CMUnitTest tests[] = {
        WITH_BROKER(topics_are_made_once_and_tasks_wait_for_no_batch),
        WITH_BROKER(two_members_share_the_partitions_and_late_returns_are_harmless),
        WITH_BROKER(readers_start_before_the_topics_are_made),
        WITH_BROKER(deleted_topics_are_made_anew_and_read_on),
        WITH_BROKER(restart_of_the_broker_is_survived),
        WITH_BROKER(hung_broker_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
