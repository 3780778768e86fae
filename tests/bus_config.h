/* bus_config.h - a configuration of Kafka that was not loaded: in the clear, without a login. */
#ifndef TESTS_BUS_CONFIG_H
#define TESTS_BUS_CONFIG_H
#include "common/config/config.h"

static inline void no_login(struct config *c)
{
    static char plaintext[] = "plaintext", scram[] = "SCRAM-SHA-256", none[] = "";
    c->kafka.security = plaintext;
    c->kafka.mechanism = scram;
    c->kafka.user = c->kafka.password_file = none;
    c->kafka.ca_file = c->kafka.cert_file = c->kafka.key_file = none;
}
#endif
