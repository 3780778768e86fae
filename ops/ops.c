#include "ops/ops.h"

#include "common/bus/bus.h"
#include "common/bus/event.h"

void ops_event(const struct ops *o, const char *event, const char *id, const char *raw_file)
{
    struct err ignored = {0};
    AUTO(bus_free) struct bus *bus = bus_new(o->cfg, "trawl", &ignored);
    AUTO(free) char *text = event_encode(event, id, raw_file != NULL ? raw_file : "");
    if (bus != NULL && text != NULL && bus_send_event(bus, id, text, &ignored) != 0) {
        return; /* the scheduler's next sweep sees the change */
    }
}
