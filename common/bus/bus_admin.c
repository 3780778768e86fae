/* bus_admin.c - one request of the admin API. */
#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

void bus_admin_open(struct bus_admin_call *a, rd_kafka_t *rk, rd_kafka_admin_op_t op)
{
    char why[256];
    a->options = rd_kafka_AdminOptions_new(rk, op);
    a->queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_set_request_timeout(a->options, BUS_ADMIN_MS, why, sizeof why);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS) {
        rd_kafka_AdminOptions_set_operation_timeout(a->options, BUS_ADMIN_MS - BUS_ASK_MS, why,
                                                    sizeof why);
    }
}

/* In slices: bus_free must not wait for a broker that hangs. */
static rd_kafka_event_t *await(struct bus *b, rd_kafka_queue_t *queue)
{
    int64_t deadline = mono_ms() + BUS_ADMIN_MS + BUS_ASK_MS;
    rd_kafka_event_t *event = NULL;
    while (event == NULL && mono_ms() < deadline && !atomic_load(&b->stopping)) {
        event = rd_kafka_queue_poll(queue, BUS_POLL_MS);
    }
    return event;
}

rd_kafka_event_t *bus_admin_close(struct bus *b, struct bus_admin_call *a, const char *what,
                                  struct err *err)
{
    rd_kafka_event_t *event = await(b, a->queue);
    if (event == NULL) {
        (void)ERR(err, ERR_TRANSIENT, 0, "%s: the broker did not answer in time", what);
    } else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)ERR(err, ERR_TRANSIENT, rd_kafka_event_error(event), "%s: %s", what,
                  rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        event = NULL;
    }
    rd_kafka_queue_destroy(a->queue);
    rd_kafka_AdminOptions_destroy(a->options);
    return event;
}
