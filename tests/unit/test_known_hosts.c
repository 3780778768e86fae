/* test_known_hosts.c - known_hosts as OpenSSH reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/ssh/known_hosts.h"
#include "common/ssh/ssh.h"
#include "test.h"

#define KEY   "AAAAC3NzaC1lZDI1NTE5AAAAIGgZVPYS1vvvk6Z2TmuLh0ZBsGmRzTnFh1VhB6Nw0aaa"
#define OTHER "AAAAC3NzaC1lZDI1NTE5AAAAIGgZVPYS1vvvk6Z2TmuLh0ZBsGmRzTnFh1VhB6Nw0bbb"
#define ED    "ssh-ed25519 "

static const struct {
    const char *text;
    const char *host;
    int port;
    enum host_verdict wanted;
} cases[] = {
    {"", "h1", 22, HOST_UNKNOWN},
    {"h1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"h1 " ED KEY, "h1", 22, HOST_KNOWN},
    {"h1 " ED KEY "\r\n", "h1", 22, HOST_KNOWN},
    {"# a comment\r\n\r\nh1 " ED KEY "\r\nh2 " ED OTHER "\r\n", "h1", 22, HOST_KNOWN},
    {"h1 " ED KEY " root@h1 since 2020\n", "h1", 22, HOST_KNOWN},
    {"  h1 \t" ED " " KEY "\t\n", "h1", 22, HOST_KNOWN},
    {"h1 " ED OTHER "\n", "h1", 22, HOST_CHANGED},
    {"h1 " ED OTHER "\nh1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"h1 ssh-rsa AAAAB3NzaC1yc2E=\n", "h1", 22, HOST_UNKNOWN},
    {"h1 ssh-rsa " KEY "\n", "h1", 22, HOST_UNKNOWN}, /* not what it says it is */
    {"H1.Example.ORG " ED KEY "\n", "h1.example.org", 22, HOST_KNOWN},
    {"h1.example.org " ED KEY "\n", "H1.Example.org", 22, HOST_KNOWN},
    {"h1x " ED KEY "\nh " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"h9,h1,10.0.0.1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"h9,h1,10.0.0.1 " ED KEY "\n", "10.0.0.1", 22, HOST_KNOWN},
    {"*.example.org " ED KEY "\n", "h1.example.org", 22, HOST_KNOWN},
    {"*.example.org " ED KEY "\n", "example.org", 22, HOST_UNKNOWN},
    {"h?.e*e.org " ED KEY "\n", "h1.example.org", 22, HOST_KNOWN},
    {"h?? " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"*,!h1 " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"!h1,* " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"!h1 " ED KEY "\n", "h2", 22, HOST_UNKNOWN}, /* negations alone fit nothing */
    {"*,!h1 " ED OTHER "\nh1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"*,!h1 " ED KEY "\n", "h2", 22, HOST_KNOWN},
    {"[h1]:2222 " ED KEY "\n", "h1", 2222, HOST_KNOWN},
    {"[h1]:2222 " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"[h1]:2222 " ED KEY "\n", "h1", 2223, HOST_UNKNOWN},
    {"[*]:2222 " ED KEY "\n", "h1", 2222, HOST_KNOWN},
    {"h1 " ED KEY "\n", "h1", 2222, HOST_KNOWN}, /* as ssh: without the port, too */
    {"h1 " ED OTHER "\n", "h1", 2222, HOST_UNKNOWN},
    {"[h1]:2222 " ED OTHER "\nh1 " ED KEY "\n", "h1", 2222, HOST_CHANGED},
    {"[::1]:2222 " ED KEY "\n", "::1", 2222, HOST_KNOWN},
    {"::1 " ED KEY "\n", "::1", 22, HOST_KNOWN},
    /* libssh2/libssh2#508 */
    {"h1 " ED KEY "\n@revoked h1 " ED KEY "\n", "h1", 22, HOST_REVOKED},
    {"@revoked * " ED KEY "\r\nh1 " ED KEY "\r\n", "h1", 22, HOST_REVOKED},
    {"@revoked h1 " ED KEY "\n[h1]:2222 " ED KEY "\n", "h1", 2222, HOST_REVOKED},
    {"@revoked  \th1 " ED KEY "\n", "h1", 22, HOST_REVOKED},
    {"@revoked h1 " ED OTHER "\nh1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"@revoked h2 " ED KEY "\nh1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"@revoked h1 " ED OTHER "\n", "h1", 22, HOST_UNKNOWN},
    {"@cert-authority * " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"@cert-authority h1 " ED OTHER "\nh1 " ED KEY "\n", "h1", 22, HOST_KNOWN},
    {"@unheard-of h1 " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"#h1 " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"h1\nh1 ssh-ed25519\n@revoked\n@revoked h1\n,,\n, " ED KEY "\n", "h1", 22, HOST_UNKNOWN},
    {"|1|x|y " ED KEY "\n|1| " ED KEY "\n|1|\n", "h1", 22, HOST_UNKNOWN},
};

static void lines_are_read_as_openssh_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool authority = false;
        const struct known_ask ask = {cases[i].host, cases[i].port, "ssh-ed25519", KEY};
        enum host_verdict got = known_hosts_verdict(cases[i].text, &ask, &authority);
        if (got != cases[i].wanted) {
            fail_msg("%d instead of %d for %s:%d in\n%s", (int)got, (int)cases[i].wanted,
                     cases[i].host, cases[i].port, cases[i].text);
        }
        assert_int_equal(authority, strstr(cases[i].text, "@cert-authority") != NULL);
    }
}

/* Hashed by ssh-keygen itself. */
static void hashed_names_are_known(void **state)
{
    (void)state;
    char folder[64], text[4096];
    assert_non_null(test_folder(folder, sizeof folder, "trawl-known"));
    AUTO(free) char *make = NULL;
    assert_true(asprintf(&make,
                         "cd %s && printf 'h1 " ED "%s\\n[h2]:2222 " ED "%s\\n' %s %s >k && "
                         "ssh-keygen -q -H -f k >/dev/null 2>&1 && cat k && rm -r %s",
                         folder, "%s", "%s", KEY, OTHER, folder) > 0);
    FILE *p = popen(make, "r");
    assert_non_null(p);
    size_t len = fread(text, 1, sizeof text - 1, p);
    text[len] = '\0';
    assert_int_equal(pclose(p), 0);
    assert_memory_equal(text, "|1|", 3);
    bool authority = false;
    const struct known_ask one = {"H1", 22, "ssh-ed25519", KEY};
    const struct known_ask changed = {"h2", 2222, "ssh-ed25519", KEY};
    const struct known_ask unknown = {"h3", 22, "ssh-ed25519", KEY};
    assert_int_equal(known_hosts_verdict(text, &one, &authority), HOST_KNOWN);
    assert_int_equal(known_hosts_verdict(text, &changed, &authority), HOST_CHANGED);
    assert_int_equal(known_hosts_verdict(text, &unknown, &authority), HOST_UNKNOWN);
    AUTO(free) char *without = known_hosts_without(text, &one);
    assert_int_equal(known_hosts_verdict(without, &one, &authority), HOST_UNKNOWN);
    assert_int_equal(known_hosts_verdict(without, &changed, &authority), HOST_CHANGED);
}

static void a_key_that_is_replaced_leaves_all_others(void **state)
{
    (void)state;
    const struct known_ask ask = {"h1", 22, "ssh-ed25519", ""};
    AUTO(free)
    char *text = known_hosts_without(
        "# mine\r\n\nh1 " ED KEY "\nH1,h2 " ED KEY " note\r\nh3,h1 " ED OTHER
        "\nh1 ssh-rsa AAAA\n@revoked h1 " ED OTHER "\nh* " ED KEY "\n[h1]:2222 " ED KEY,
        &ask);
    assert_string_equal(text, "# mine\r\n\nh2 " ED KEY " note\r\nh3 " ED OTHER
                              "\nh1 ssh-rsa AAAA\n@revoked h1 " ED OTHER "\nh* " ED KEY
                              "\n[h1]:2222 " ED KEY "\n");
}

/* Where OpenSSH's line ends, other lines follow. */
static void a_zero_byte_hides_no_line(void **state)
{
    (void)state;
    static const char before[] = "\0h0 " ED KEY "\nh1 " ED OTHER " \0x\n@revoked h1 " ED KEY "\n";
    static const struct ssh_host_key key = {.type = "ssh-ed25519", .line = "h1 " ED KEY};
    char folder[64], path[80];
    struct err err = {0};
    bool authority = false;
    assert_non_null(test_folder(folder, sizeof folder, "trawl-known"));
    snprintf(path, sizeof path, "%s/k", folder);
    assert_int_equal(fs_write(path, before, sizeof before - 1, &err), 0);
    const struct ssh_login login = {.host = "h1", .port = 22, .known_hosts = path};
    assert_int_equal(ssh_host_trust(&login, &key, &err), 0);
    AUTO(free) char *after = fs_read(path, 4096, NULL, &err);
    unlink(path);
    rmdir(folder);
    const struct known_ask ask = {"h1", 22, "ssh-ed25519", KEY},
                           other = {"h0", 22, "ssh-ed25519", KEY};
    assert_int_equal(known_hosts_verdict(after, &ask, &authority), HOST_REVOKED);
    assert_int_equal(known_hosts_verdict(after, &other, &authority), HOST_UNKNOWN);
}

static void head_nodes_are_separated_by_commas_or_blanks(void **state)
{
    (void)state;
    struct ssh_host hosts[SSH_HOSTS];
    struct err err = {0};
    size_t n;
    assert_int_equal(ssh_hosts_parse(" head1:2200, head2,[::1]:22 ,", hosts, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_string_equal(hosts[0].host, "head1");
    assert_int_equal(hosts[0].port, 2200);
    assert_string_equal(hosts[1].host, "head2");
    assert_int_equal(hosts[1].port, 22);
    assert_string_equal(hosts[2].host, "::1");
    assert_int_equal(ssh_hosts_parse("a b c d e f g h i j", hosts, &n, &err), 0);
    assert_int_equal(n, SSH_HOSTS);
    static const char *const bad[] = {"", " , ", "head1:many", "head1,:22"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err why = {0};
        assert_int_equal(ssh_hosts_parse(bad[i], hosts, &n, &why), -1);
        assert_int_equal(why.kind, ERR_HOLD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_openssh_reads_them),
        cmocka_unit_test(hashed_names_are_known),
        cmocka_unit_test(a_key_that_is_replaced_leaves_all_others),
        cmocka_unit_test(a_zero_byte_hides_no_line),
        cmocka_unit_test(head_nodes_are_separated_by_commas_or_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
