// Lists of addresses, and which client is believed behind which proxy.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "service/client_ip.h"

#define T(f) cmocka_unit_test(f)

static bool listed(const char *list, const char *address)
{
    ARENA(a);
    struct ip_list parsed;
    assert_null(ip_list_parse(a, list, &parsed));
    return ip_list_has(&parsed, address);
}

static void knows_who_is_in_a_list(void **state)
{
    (void)state;
    assert_true(listed("10.0.0.0/8", "10.255.1.2"));
    assert_false(listed("10.0.0.0/8", "11.0.0.1"));
    assert_true(listed("192.168.1.7", "192.168.1.7"));
    assert_false(listed("192.168.1.7", "192.168.1.8"));
    assert_true(listed("1.1.1.1, 2.2.2.0/23\n3.3.3.3", "2.2.3.255"));
    assert_true(listed("1.1.1.1\r\n3.3.3.3\r\n", "3.3.3.3"));
    assert_true(listed("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(listed("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(listed("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(listed("0.0.0.0/0", "9.9.9.9"));
    assert_false(listed("0.0.0.0/0", "2001:db8::1"));
    assert_true(listed("::/0", "9.9.9.9"));
    assert_true(listed("::1", "[::1]"));
    assert_false(listed("", "1.1.1.1"));
    assert_false(listed("1.1.1.1", "not an address"));
}

static void refuses_what_is_no_list(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "10.0.0.0/33", "10.0.0/8",        "x",  "1.1.1.1/",   "1.1.1.1/-1", "::1/129",
        "1.1.1.1/8x",  "1.1.1.1 2.2.2.2", "/8", "1.1.1.1,/8", "256.1.1.1"};
    ARENA(a);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct ip_list list;
        struct err *e = ip_list_parse(a, wrong[i], &list);
        if (!e || e->kind != &err_field_invalid)
            fail_msg("%s was accepted", wrong[i]);
    }
}

static const char *client(struct arena *a, const char *peer, const char *first, const char *second)
{
    struct http_header items[] = {{STR("X-Forwarded-For"), str_of(first)},
                                  {STR("x-forwarded-for"), str_of(second)}};
    struct http_headers headers = {items, second ? 2 : first ? 1 : 0};
    return client_ip(a, peer, &headers);
}

static void believes_only_trusted_proxies(void **state)
{
    (void)state;
    ARENA(a);
    struct ip_list proxies;
    assert_null(ip_list_parse(a, "10.0.0.0/8,::1", &proxies));
    client_ip_trust(NULL);
    assert_string_equal(client(a, "10.0.0.1", "1.2.3.4", NULL), "10.0.0.1");
    client_ip_trust(&proxies);
    assert_string_equal(client(a, "9.9.9.9", "1.2.3.4", NULL), "9.9.9.9");
    assert_string_equal(client(a, "10.0.0.1", NULL, NULL), "10.0.0.1");
    assert_string_equal(client(a, "10.0.0.1", "1.2.3.4", NULL), "1.2.3.4");
    assert_string_equal(client(a, "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", NULL), "1.2.3.4");
    assert_string_equal(client(a, "10.0.0.1", "6.6.6.6, 1.2.3.4", "10.0.0.2"), "1.2.3.4");
    assert_string_equal(client(a, "10.0.0.1", "6.6.6.6", "1.2.3.4"), "1.2.3.4");
    assert_string_equal(client(a, "10.0.0.1", "10.0.0.3,10.0.0.2", NULL), "10.0.0.3");
    assert_string_equal(client(a, "10.0.0.1", "1.2.3.4, rubbish, 10.0.0.2", NULL), "10.0.0.2");
    assert_string_equal(client(a, "10.0.0.1", "", NULL), "10.0.0.1");
    assert_string_equal(client(a, "::1", "2001:db8::7", NULL), "2001:db8::7");
    client_ip_trust(NULL);
}

static bool https(const char *peer, const char *proto)
{
    struct http_header item = {STR("X-Forwarded-Proto"), str_of(proto)};
    return client_https(peer, &(struct http_headers){&item, 1});
}

static void believes_the_scheme_of_proxies(void **state)
{
    (void)state;
    ARENA(a);
    struct ip_list proxies;
    assert_null(ip_list_parse(a, "10.0.0.0/8", &proxies));
    client_ip_trust(&proxies);
    assert_true(https("10.0.0.1", "https"));
    assert_true(https("10.0.0.1", "http, HTTPS"));
    assert_false(https("10.0.0.1", "https, http"));
    assert_false(https("9.9.9.9", "https"));
    client_ip_trust(NULL);
    assert_false(https("10.0.0.1", "https"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(knows_who_is_in_a_list),
        T(refuses_what_is_no_list),
        T(believes_only_trusted_proxies),
        T(believes_the_scheme_of_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
