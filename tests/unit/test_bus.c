/*
 * test_bus.c - the tracker alone, then producer and consumer against librdkafka's mock cluster.
 *
 * The mock makes no topics by the admin API; the tests make them through its own handle.
 */
#include "test.h"

#include "bus_config.h"

#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

#define PARTITIONS 4
#define TASKS      "test.tasks.copy"
#define BIG        (200 * 1024)

static const char *const copy_kind[] = {"copy", NULL};

/* --- the tracker --- */

struct stored {
    int64_t offset;
    int count;
};

static void note_stored(void *ctx, const char *topic, int32_t partition, int64_t offset)
{
    struct stored *s = ctx;
    (void)topic;
    (void)partition;
    s->offset = offset;
    s->count++;
}

static struct bus_msg *put_out(struct bus_track *t, int32_t partition, int64_t offset)
{
    struct bus_msg m = {
        .topic = "t", .partition = partition, .offset = offset, .data = "x", .len = 1};
    struct bus_msg *out = bus_track_out(t, &m);
    assert_non_null(out);
    return out;
}

static void watermark_never_passes_a_message_that_is_out(void **state)
{
    (void)state;
    struct stored s = {.offset = -1};
    struct err err = {0};
    struct bus_track *t = bus_track_new(note_stored, &s, &err);
    assert_int_equal(bus_track_gain(t, "t", 0), 0);
    struct bus_msg *m[4];
    for (int i = 0; i < 4; i++) {
        m[i] = put_out(t, 0, 10 + i);
    }
    bus_track_back(t, m[2]);
    bus_track_back(t, m[3]);
    assert_int_equal(s.count, 0);
    bus_track_back(t, m[0]);
    assert_int_equal(s.offset, 11);
    bus_track_back(t, m[1]);
    assert_int_equal(s.offset, 14);
    bus_track_free(t);
}

static void gaps_in_the_offsets_are_passed(void **state)
{
    (void)state;
    struct stored s = {.offset = -1};
    struct err err = {0};
    struct bus_track *t = bus_track_new(note_stored, &s, &err);
    assert_int_equal(bus_track_gain(t, "t", 0), 0);
    struct bus_msg *a = put_out(t, 0, 5);
    struct bus_msg *b = put_out(t, 0, 9);
    bus_track_back(t, a);
    assert_int_equal(s.offset, 9);
    bus_track_back(t, b);
    assert_int_equal(s.offset, 10);
    bus_track_free(t);
}

static void message_of_a_lost_partition_comes_back_without_effect(void **state)
{
    (void)state;
    struct stored s = {.offset = -1};
    struct err err = {0};
    struct bus_track *t = bus_track_new(note_stored, &s, &err);
    assert_int_equal(bus_track_gain(t, "t", 0), 0);
    struct bus_msg *old = put_out(t, 0, 5);
    bus_track_lose(t, "t", 0);
    assert_int_equal(bus_track_gain(t, "t", 0), 0);
    struct bus_msg *again = put_out(t, 0, 5);
    bus_track_back(t, old);
    assert_int_equal(s.count, 0);
    bus_track_back(t, again);
    assert_int_equal(s.offset, 6);
    bus_track_free(t);
}

static void topic_made_anew_starts_the_watermark_again(void **state)
{
    (void)state;
    struct stored s = {.offset = -1};
    struct err err = {0};
    struct bus_track *t = bus_track_new(note_stored, &s, &err);
    assert_int_equal(bus_track_gain(t, "t", 0), 0);
    struct bus_msg *old = put_out(t, 0, 100);
    struct bus_msg *first = put_out(t, 0, 0);
    bus_track_back(t, old);
    assert_int_equal(s.count, 0);
    bus_track_back(t, first);
    assert_int_equal(s.offset, 1);
    bus_track_free(t);
}

static void messages_never_given_back_are_freed_with_the_tracker(void **state)
{
    (void)state;
    struct err err = {0};
    struct bus_track *t = bus_track_new(NULL, NULL, &err);
    assert_int_equal(bus_track_gain(t, "t", 1), 0);
    (void)put_out(t, 1, 0);
    (void)put_out(t, 7, 0);
    bus_track_free(t);
}

static void tracker_reports_the_partitions_of_one_topic(void **state)
{
    (void)state;
    struct err err = {0};
    int32_t got[4] = {0};
    struct bus_track *t = bus_track_new(NULL, NULL, &err);
    assert_int_equal(bus_track_gain(t, "t", 1), 0);
    assert_int_equal(bus_track_gain(t, "other", 2), 0);
    assert_int_equal(bus_track_owned(t, "t", got, 4), 1);
    assert_int_equal(got[0], 1);
    assert_int_equal(bus_track_owned(t, "t", got, 0), 0);
    bus_track_lose_all(t);
    assert_int_equal(bus_track_owned(t, "t", got, 4), 0);
    bus_track_free(t);
}

/* --- with the mock cluster --- */

struct world {
    rd_kafka_t *host; /* runs the mock's threads */
    rd_kafka_mock_cluster_t *mock;
    struct config cfg;
    struct bus *bus;
};

struct inbox {
    pthread_mutex_t lock;
    struct bus_msg *kept[256]; /* lock */
    size_t kept_count;         /* lock */
    _Atomic size_t count;
    _Atomic size_t largest;
};

static void take_in(void *ctx, struct bus_msg *msg)
{
    struct inbox *in = ctx;
    pthread_mutex_lock(&in->lock);
    if (msg->len > in->largest) {
        in->largest = msg->len;
    }
    assert_true(in->kept_count < sizeof in->kept / sizeof *in->kept);
    in->kept[in->kept_count++] = msg;
    in->count++;
    pthread_mutex_unlock(&in->lock);
}

static void give_all_back(struct inbox *in, struct bus_consumer *c)
{
    pthread_mutex_lock(&in->lock);
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

static int set_up(void **state)
{
    static struct world w;
    static char env[] = "test";
    static char brokers[256];
    struct err err = {0};
    memset(&w, 0, sizeof w);
    w.host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
    w.mock = rd_kafka_mock_cluster_new(w.host, 1);
    assert_int_equal(rd_kafka_mock_topic_create(w.mock, TASKS, PARTITIONS, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(w.mock, "test.events", PARTITIONS, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(w.mock, "test.dead", PARTITIONS, 1), 0);
    snprintf(brokers, sizeof brokers, "%s", rd_kafka_mock_cluster_bootstraps(w.mock));
    w.cfg.trawl.env = env;
    w.cfg.kafka.brokers = brokers;
    no_login(&w.cfg);
    w.cfg.kafka.partitions = PARTITIONS;
    w.cfg.kafka.session_ms = 6000;
    w.bus = bus_new(&w.cfg, "test", &err);
    assert_non_null(w.bus);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    bus_free(w->bus);
    rd_kafka_mock_cluster_destroy(w->mock);
    rd_kafka_destroy(w->host);
    return 0;
}

static uint64_t delivered(const struct bus *b)
{
    struct bus_stats s;
    bus_stats(b, &s);
    return s.delivered;
}

static void send_tasks(struct bus *b, int n, int32_t partition)
{
    struct err err = {0};
    for (int i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "file-%d", i);
        assert_int_equal(bus_send_task(b, "copy", partition, key, "{\"v\":1}", &err), 0);
    }
}

/* What the group has committed for one partition, as somebody outside sees it. */
static int64_t committed(const struct world *w, int32_t partition)
{
    char why[128];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", w->cfg.kafka.brokers, why, sizeof why);
    rd_kafka_conf_set(conf, "group.id", "test.workers.copy", why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, TASKS, partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(rk, l, 5000);
    int64_t offset = code == RD_KAFKA_RESP_ERR_NO_ERROR ? l->elems[0].offset : -2;
    rd_kafka_topic_partition_list_destroy(l);
    rd_kafka_destroy(rk);
    return offset;
}

static void hundred_tasks_and_a_large_one_are_sent_and_received(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct inbox in = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char *big = malloc(BIG + 1);
    assert_non_null(big);
    memset(big, 'x', BIG);
    big[BIG] = '\0';
    assert_int_equal(bus_send_task(w->bus, "copy", 0, "k", big, &err), 0);
    free(big);
    send_tasks(w->bus, 100, BUS_ANY_PARTITION);
    struct bus_consumer *c = bus_consume_tasks(w->bus, "copy", take_in, &in, &err);
    assert_non_null(c);
    WAIT_UNTIL(in.count == 101, 20000);
    assert_int_equal(in.largest, BIG);
    int32_t owned[PARTITIONS + 1];
    assert_int_equal(bus_owned(c, owned, PARTITIONS + 1), PARTITIONS);
    assert_int_equal(bus_owned(c, owned, 1), 1);
    give_all_back(&in, c);
    bus_consumer_free(c);
    struct bus_stats s;
    bus_stats(w->bus, &s);
    assert_true(s.connected);
    assert_int_equal(s.sent, 101);
    assert_int_equal(s.delivered, 101);
    assert_int_equal(s.received, 101);
    assert_int_equal(s.failed, 0);
}

static void committed_offset_waits_for_the_message_that_is_out(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct inbox in = {.lock = PTHREAD_MUTEX_INITIALIZER};
    send_tasks(w->bus, 10, 2);
    struct bus_consumer *c = bus_consume_tasks(w->bus, "copy", take_in, &in, &err);
    assert_non_null(c);
    WAIT_UNTIL(in.count == 10, 20000);
    for (int i = 0; i < 9; i++) {
        if (i != 3) {
            bus_done(c, in.kept[i]);
        }
    }
    WAIT_UNTIL(committed(w, 2) == 3, 5000);
    bus_done(c, in.kept[3]);
    bus_consumer_free(c); /* commits; the last message, never given back, is freed */
    assert_int_equal(committed(w, 2), 9);
}

static void message_above_the_limit_is_refused_as_invalid(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    size_t len = 2 << 20;
    char *big = malloc(len + 1);
    assert_non_null(big);
    memset(big, 'x', len);
    big[len] = '\0';
    assert_int_equal(bus_send_task(w->bus, "copy", 0, "k", big, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    free(big);
}

static void every_reader_of_events_sees_every_event(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct inbox a = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct inbox b = {.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(bus_send_event(w->bus, "k", "{\"old\":1}", &err), 0);
    WAIT_UNTIL(delivered(w->bus) == 1, 20000);
    struct bus_consumer *ca = bus_consume_events(w->bus, take_in, &a, &err);
    struct bus_consumer *cb = bus_consume_events(w->bus, take_in, &b, &err);
    assert_non_null(ca);
    assert_non_null(cb);
    /* They start at the end, at a moment that nobody outside can see: send until both read. */
    int64_t deadline = mono_ms() + 20000;
    while ((a.count == 0 || b.count == 0) && mono_ms() < deadline && a.kept_count < 200) {
        assert_int_equal(bus_send_event(w->bus, "k", "{\"v\":1}", &err), 0);
        mono_sleep_ms(100);
    }
    assert_true(a.count > 0 && b.count > 0);
    assert_int_not_equal(a.kept[0]->offset, 0);
    give_all_back(&a, ca);
    give_all_back(&b, cb);
    bus_consumer_free(ca);
    bus_consumer_free(cb);
}

static void producer_is_replaced_after_a_fatal_error(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    send_tasks(w->bus, 1, 0);
    WAIT_UNTIL(delivered(w->bus) == 1, 20000);
    pthread_rwlock_rdlock(&w->bus->swap);
    rd_kafka_test_fatal_error(w->bus->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "test");
    pthread_rwlock_unlock(&w->bus->swap);
    int64_t deadline = mono_ms() + 5000;
    while (bus_send_task(w->bus, "copy", 0, "k", "{}", &err) != 0 && mono_ms() < deadline) {
        mono_sleep_ms(5);
    }
    WAIT_UNTIL(delivered(w->bus) == 2, 20000);
}

static void full_queue_is_transient_and_nothing_blocks_without_a_broker(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    static char nowhere[] = "127.0.0.1:1";
    w->cfg.kafka.brokers = nowhere;
    struct bus *b = bus_new(&w->cfg, "lost", &err);
    assert_non_null(b);
    int64_t start = mono_ms();
    int rc = 0;
    for (int i = 0; i < 20000 && rc == 0; i++) {
        rc = bus_send_task(b, "copy", 0, "k", "{}", &err);
    }
    assert_int_equal(rc, -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_true(mono_ms() - start < 3000);
    struct bus_stats s;
    bus_stats(b, &s);
    assert_false(s.connected);
    struct err no_topics = {0};
    assert_int_equal(bus_ensure_topics(b, copy_kind, &no_topics), -1);
    assert_int_equal(no_topics.kind, ERR_TRANSIENT);
    start = mono_ms();
    bus_free(b);
    assert_true(mono_ms() - start < 6000);
}

static void topics_that_are_there_are_left_alone(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    assert_int_equal(bus_ensure_topics(w->bus, copy_kind, &err), 0);
}

#define WITH_MOCK(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    log_init("test", LOG_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watermark_never_passes_a_message_that_is_out),
        cmocka_unit_test(gaps_in_the_offsets_are_passed),
        cmocka_unit_test(message_of_a_lost_partition_comes_back_without_effect),
        cmocka_unit_test(topic_made_anew_starts_the_watermark_again),
        cmocka_unit_test(messages_never_given_back_are_freed_with_the_tracker),
        cmocka_unit_test(tracker_reports_the_partitions_of_one_topic),
        WITH_MOCK(hundred_tasks_and_a_large_one_are_sent_and_received),
        WITH_MOCK(committed_offset_waits_for_the_message_that_is_out),
        WITH_MOCK(message_above_the_limit_is_refused_as_invalid),
        WITH_MOCK(every_reader_of_events_sees_every_event),
        WITH_MOCK(producer_is_replaced_after_a_fatal_error),
        WITH_MOCK(topics_that_are_there_are_left_alone),
        WITH_MOCK(full_queue_is_transient_and_nothing_blocks_without_a_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
