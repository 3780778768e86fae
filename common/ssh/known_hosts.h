/*
 * known_hosts.h - what a known_hosts file says of a host's key, read as OpenSSH reads it (sshd(8),
 * SSH_KNOWN_HOSTS FILE FORMAT): names in lists, with * and ?, with ! in front, hashed, with a port;
 * several keys of a host; comments; lines that end in CRLF. @revoked refuses a key on any line.
 * @cert-authority is of no use here, because host certificates are not checked: such a host is
 * unknown. Pure; any thread.
 */
#ifndef COMMON_SSH_KNOWN_HOSTS_H
#define COMMON_SSH_KNOWN_HOSTS_H
#include <stdbool.h>
#include <stddef.h>

#include "common/ssh/ssh.h"

/* In the order in which they win. */
enum host_verdict { HOST_UNKNOWN, HOST_CHANGED, HOST_KNOWN, HOST_REVOKED };

struct known_ask {
    const char *host;
    int port;
    const char *type; /* "ssh-ed25519" */
    const char *key;  /* base64 */
};
/* What the text says. *authority: a certificate authority is named for the host. A key under the
 * host's name without a port counts for every port, as with OpenSSH. */
enum host_verdict known_hosts_verdict(const char *text, const struct known_ask *ask,
                                      bool *authority) __attribute__((nonnull));

/* How the file names a host: "host", "[host]:2222"; lower case. */
void known_hosts_name(const char *host, int port, char *out, size_t room) __attribute__((nonnull));

/* The text without what it holds of keys of this host and type: the host's name is taken out of a
 * list, the line goes when no other name is left. Lines with a marker stay, and names with * or ?,
 * because they apply to other hosts, too. free(); NULL when memory is short. */
char *known_hosts_without(const char *text, const struct known_ask *ask) OWNED
    __attribute__((nonnull));
#endif
