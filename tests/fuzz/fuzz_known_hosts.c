/* fuzz_known_hosts.c - known_hosts files: of people, of sites, of other programs. */
#include <stdlib.h>
#include <string.h>

#include "common/ssh/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct known_ask ask = {
        .host = "h1.site", .port = 2222, .type = "ssh-ed25519", .key = "AAAA"};
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    bool authority = false;
    enum host_verdict verdict = known_hosts_verdict(text, &ask, &authority);
    if (verdict > HOST_REVOKED) {
        abort();
    }
    char *without = known_hosts_without(text, &ask);
    if (without != NULL && strlen(without) > strlen(text) + 1) {
        abort();
    }
    free(without);
    free(text);
    return 0;
}
