// Headers, Accept lists, URLs and queries: what is read, and what is refused.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/http/http.h"

#define T(f) cmocka_unit_test(f)

static void finds_headers(void **state)
{
    (void)state;
    struct http_header items[] = {
        {STR("Content-Type"), STR("a")}, {STR("content-type"), STR("b")}, {STR("X"), STR("")}};
    struct http_headers h = {items, 3};
    assert_true(str_is(http_header(&h, "CONTENT-TYPE"), "a"));
    assert_non_null(http_header(&h, "x").p);
    assert_int_equal(http_header(&h, "x").n, 0);
    assert_null(http_header(&h, "Content").p);
    assert_null(http_header(&(struct http_headers){0}, "x").p);
}

static void names_statuses(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(100), "Continue");
    assert_string_equal(http_status_text(529), "Site Overloaded");
    assert_string_equal(http_status_text(530), "Unknown");
    assert_string_equal(http_status_text(299), "Unknown");
    assert_string_equal(http_status_text(-1), "Unknown");
}

static void reads_accept_lists(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool gzip;
    } cases[] = {
        {"gzip", true},
        {"br, GZIP;q=0.5", true},
        {"deflate, br", false},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"gzip;q=0.001", true},
        {"*", true},
        {"*;q=0", false},
        {"*, gzip;q=0", false},
        {"gzip;q=0, *", false},
        {"*;q=0, gzip", true},
        {"xgzip, gzip2", false},
        {"", false},
        {",,;,", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(http_accepts(str_of(cases[i].header), "gzip"), cases[i].gzip);
    assert_false(http_accepts((struct str){0}, "gzip"));
}

static void reads_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *user, *password, *host;
        int port;
        const char *path;
    } cases[] = {
        {"http://a", "http", "", "", "a", 80, "/"},
        {"HTTPS://API.Example.com/v1", "https", "", "", "api.example.com", 443, "/v1"},
        {" https://h:8443/a/b?c=d#e \n", "https", "", "", "h", 8443, "/a/b?c=d"},
        {"http://h?x=1", "http", "", "", "h", 80, "/?x=1"},
        {"http://h#f", "http", "", "", "h", 80, "/"},
        {"http://h:/x", "http", "", "", "h", 80, "/x"},
        {"http://[2001:DB8::1]:81/", "http", "", "", "2001:db8::1", 81, "/"},
        {"http://[::1]", "http", "", "", "::1", 80, "/"},
        {"socks5://u:p%40:q@proxy", "socks5", "u", "p@:q", "proxy", 1080, "/"},
        {"http://u@1.2.3.4", "http", "u", "", "1.2.3.4", 80, "/"},
        {"http://a@b@c/", "http", "a@b", "", "c", 80, "/"},
        {"http://h/\xc3\xa9", "http", "", "", "h", 80, "/%C3%A9"},
        {"http://h/@:/a", "http", "", "", "h", 80, "/@:/a"},
    };
    ARENA(a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct url u;
        assert_null(url_parse(a, cases[i].text, &u));
        assert_string_equal(u.scheme, cases[i].scheme);
        assert_string_equal(u.user, cases[i].user);
        assert_string_equal(u.password, cases[i].password);
        assert_string_equal(u.host, cases[i].host);
        assert_int_equal(u.port, cases[i].port);
        assert_string_equal(u.path, cases[i].path);
    }
}

static void refuses_urls(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "h",
        "//h/",
        "http:/h",
        "http://",
        "http:///x",
        "ftp://h",
        "file:///etc/passwd",
        "javascript://h",
        "http://h:0",
        "http://h:65536",
        "http://h:-1",
        "http://h:8o",
        "http://h:80:80",
        "http://h\\@evil/",
        "http://h h/",
        "http://h\n/",
        "http://h/a b",
        "http://h/a\r\nX: y",
        "http://h/\x7f",
        "http://[::1",
        "http://::1/",
        "http://[1.2.3.4]/",
        "http://[fe80::1%25eth0]/",
        "http://[::1]x/",
        "http://u%zz@h/",
        "http://u%00@h/",
        "http://h\xc3\xa9/",
    };
    ARENA(a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct url u;
        struct err *e = url_parse(a, cases[i], &u);
        assert_non_null(e);
        assert_ptr_equal(e->kind, &err_field_invalid);
    }
}

static void decodes(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(url_decode(a, STR("a%20b%C3%a9+c"), false).p, "a b\xc3\xa9+c");
    assert_string_equal(url_decode(a, STR("a+b%2B"), true).p, "a b+");
    assert_string_equal(url_decode(a, STR(""), true).p, "");
    assert_null(url_decode(a, STR("%"), false).p);
    assert_null(url_decode(a, STR("%2"), false).p);
    assert_null(url_decode(a, STR("%g0"), false).p);
    assert_null(url_decode(a, STR("a%00"), false).p);
    assert_null(url_decode(a, (struct str){"a\0b", 3}, false).p);
}

static void reads_queries(void **state)
{
    (void)state;
    ARENA(a);
    struct str q = STR("p=2&key%77ord=a+b&empty=&flag&&p=3&bad=%zz");
    assert_string_equal(url_query(a, q, "p").p, "2");
    assert_string_equal(url_query(a, q, "keyword").p, "a b");
    assert_string_equal(url_query(a, q, "empty").p, "");
    assert_string_equal(url_query(a, q, "flag").p, "");
    assert_null(url_query(a, q, "bad").p);
    assert_null(url_query(a, q, "none").p);
    assert_null(url_query(a, q, "ke").p);
    assert_null(url_query(a, (struct str){0}, "p").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(finds_headers), T(names_statuses), T(reads_accept_lists), T(reads_urls),
        T(refuses_urls),  T(decodes),        T(reads_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
