// Finding routes, and what is wrong with a path or a method.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "controller/account.h"
#include "controller/channel.h"
#include "controller/token.h"
#include "router/router.h"

#define T(f) cmocka_unit_test(f)

static struct route_match match(const char *method, const char *path)
{
    struct route_match m;
    router_match(str_of(method), str_of(path), &m);
    return m;
}

static void finds_fixed_paths(void **state)
{
    (void)state;
    assert_ptr_equal(match("GET", "/api/user/self").route->handler, api_account_show);
    assert_ptr_equal(match("GET", "/api/user/self/").route->handler, api_account_show);
    assert_ptr_equal(match("PUT", "/api/user/self").route->handler, api_account_update);
    assert_ptr_equal(match("HEAD", "/api/user/self").route->handler, api_account_show);
    assert_int_equal(match("GET", "/api/user/self").route->who, ROLE_COMMON);
    assert_int_equal(match("GET", "/api/option").route->who, ROLE_ROOT);
    assert_int_equal(match("POST", "/v1/messages").route->kind, ROUTE_RELAY);
    assert_ptr_equal(match("POST", "/v1/messages").route->relay.speaks, &claude_dialect);
    assert_int_equal(match("GET", "/healthz").route->lane, LOOP);
}

static void finds_names_in_paths(void **state)
{
    (void)state;
    struct route_match m = match("POST", "/api/token/42/key");
    assert_ptr_equal(m.route->handler, api_token_reveal);
    assert_int_equal(m.param_count, 1);
    assert_true(str_is(m.params[0].name, "id"));
    assert_true(str_is(m.params[0].value, "42"));
    m = match("GET", "/api/token/42/");
    assert_ptr_equal(m.route->handler, api_token_show);
    assert_true(str_is(m.params[0].value, "42"));
}

static void a_fixed_path_wins(void **state)
{
    (void)state;
    assert_ptr_equal(match("GET", "/api/channel/search").route->handler, api_channel_search);
    assert_ptr_equal(match("GET", "/api/channel/types").route->handler, api_channel_types);
    assert_ptr_equal(match("DELETE", "/api/channel/search").route->handler, api_channel_delete);
    assert_ptr_equal(match("GET", "/api/channel/test/3").route->handler, api_channel_test_one);
}

static void knows_what_is_not_there(void **state)
{
    (void)state;
    static const char *const nowhere[] = {"",
                                          "/",
                                          "/api",
                                          "/api/",
                                          "/api/user/self/x",
                                          "/api/token//",
                                          "/v1",
                                          "/v1/chat",
                                          "/api/user/selfx",
                                          "/API/users",
                                          "//api/users",
                                          "/api/users//",
                                          "/healthz/x",
                                          "/v1beta",
                                          "api/users",
                                          "/api/token/1/keys",
                                          "/api/user"};
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
        struct route_match m = match("GET", nowhere[i]);
        if (m.route || m.other)
            fail_msg("%s leads to %s", nowhere[i], m.other->path);
    }
}

static void takes_the_rest_of_a_path(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *pattern; // NULL: nowhere
    } cases[] = {
        {"GET", "/v1/models/meta/llama", "/v1/models/*"},
        {"GET", "/v1beta/models/gemini", "/v1beta/models/*"},
        {"POST", "/v1beta/models/g:generateContent", "/v1beta/models/*:generateContent"},
        {"POST", "/v1beta/models/a/b:countTokens", "/v1beta/models/*:countTokens"},
        {"POST", "/v1/models/g:streamGenerateContent", "/v1/models/*:streamGenerateContent"},
        {"POST", "/v1beta/models/:generateContent", NULL},
        {"POST", "/v1beta/models/g:embedContent", NULL},
        {"POST", "/v1beta/models/g", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct route_match m = match(cases[i].method, cases[i].path);
        if (cases[i].pattern)
            assert_string_equal(m.route->path, cases[i].pattern);
        else
            assert_null(m.route);
    }
}

static void knows_other_methods(void **state)
{
    (void)state;
    ARENA(a);
    struct route_match m = match("DELETE", "/api/user/self");
    assert_null(m.route);
    assert_string_equal(m.other->path, "/api/user/self");
    assert_string_equal(router_allow(a, STR("/api/user/self")), "GET, PUT");
    assert_string_equal(router_allow(a, STR("/api/channel/7")), "GET, DELETE");
    assert_string_equal(router_allow(a, STR("/v1/messages/")), "POST");
    assert_string_equal(router_allow(a, STR("/nowhere")), "");
    assert_ptr_equal(match("GET", "/v1/messages").other->relay.speaks, &claude_dialect);
    assert_null(match("get", "/api/user/self").route);
    assert_null(match("", "/api/user/self").route);
}

// Every row is found by its own path, so none is shadowed by another.
static void every_row_is_reachable(void **state)
{
    (void)state;
    size_t count;
    const struct route *rows = router_routes(&count);
    for (size_t i = 0; i < count; i++)
        if (match(rows[i].method, rows[i].path).route != &rows[i])
            fail_msg("%s %s is shadowed", rows[i].method, rows[i].path);
    assert_true(count > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(finds_fixed_paths),       T(finds_names_in_paths), T(a_fixed_path_wins),
        T(knows_what_is_not_there), T(knows_other_methods),  T(takes_the_rest_of_a_path),
        T(every_row_is_reachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
