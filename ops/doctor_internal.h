/* doctor_internal.h - what the files of doctor share: doctor.c (the lines, and the order of the
 * checks), doctor_servers.c (MongoDB, Kafka, head nodes), doctor_places.c (locations, programs). */
#ifndef OPS_DOCTOR_INTERNAL_H
#define OPS_DOCTOR_INTERNAL_H
#include "ops/doctor.h"

#define DOCTOR_MONGO "MongoDB"

bool doctor_runs(const struct doctor_want *want, const char *kind) __attribute__((nonnull));
/* Whether MongoDB answered. */
bool doctor_look_at_mongo(const struct doctor_want *want, struct doctor *d)
    __attribute__((nonnull));
void doctor_look_at_kafka(const struct doctor_want *want, struct doctor *d)
    __attribute__((nonnull));
void doctor_look_at_head_nodes(const struct doctor_want *want, struct doctor *d)
    __attribute__((nonnull));
/* identities: whether MongoDB can say which identity each location must have. */
void doctor_look_at_places(const struct doctor_want *want, bool identities, struct doctor *d)
    __attribute__((nonnull));
#endif
