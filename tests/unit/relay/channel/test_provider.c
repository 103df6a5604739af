// Rows and addresses: what a channel's settings become.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/channel/auth.h"
#include "relay/channel/provider.h"

static void lookup(void **state)
{
    (void)state;
    assert_int_equal(provider_type("openai"), 1);
    assert_int_equal(provider_type("ANTHROPIC"), 14);
    assert_int_equal(provider_type("43"), 43);
    assert_int_equal(provider_type("2"), 0);
    assert_int_equal(provider_type("-1"), 0);
    assert_int_equal(provider_type("99999999999"), 0);
    assert_int_equal(provider_type(""), 0);
    assert_int_equal(provider_type(NULL), 0);
    assert_null(provider_of(0));
    assert_null(provider_of(-1));
    assert_null(provider_of(provider_types()));
}

static void complete_rows(void **state)
{
    (void)state;
    for (int type = 1; type < provider_types(); type++) {
        const struct provider *p = provider_of(type);
        if (!p)
            continue;
        assert_true(p->dialect && p->framing && p->authorize && p->logo);
        assert_int_equal(!p->base_url, (p->quirks & NEEDS_BASE_URL) != 0);
        assert_int_equal(provider_type(p->name), type);
        for (int mode = 0; mode < MODE_COUNT; mode++)
            assert_true(!p->path[mode] || p->path[mode][0] == '/');
    }
}

static const struct {
    const char *base, *url; // "" fails
} bases[] = {
    {"https://a.example", "https://a.example/v1/chat/completions"},
    {" https://a.example/ ", "https://a.example/v1/chat/completions"},
    {"https://a.example/v1", "https://a.example/v1/chat/completions"},
    {"https://a.example/v1///", "https://a.example/v1/chat/completions"},
    {"https://a.example/x/y", "https://a.example/x/y/v1/chat/completions"},
    {"https://a.example/api/v3", "https://a.example/api/v3/chat/completions"},
    {"https://a.example/v3/openai", "https://a.example/v3/openai/chat/completions"},
    {"https://a.example/openai", "https://a.example/openai/v1/chat/completions"},
    {"https://a.example/vault", "https://a.example/vault/v1/chat/completions"},
    {"https://a.example/x?k=1", "https://a.example/x/v1/chat/completions?k=1"},
    {"http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"},
    {"a.example", ""},
    {"", ""},
    {"https://a.example/\r\nHost: b", ""},
    {"https://a.example/#x", ""},
    {"https://a b", ""},
};

static void addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        ARENA(a);
        struct attempt t = {.arena = a,
                            .provider = provider_of(8),
                            .base_url = bases[i].base,
                            .key = "k",
                            .model = "m",
                            .headers = BUF(4096)};
        struct err *e = attempt_prepare(&t);
        if (*bases[i].url ? (e || strcmp(t.url, bases[i].url) != 0)
                          : (!e || e->kind != &err_channel_misconfigured))
            fail_msg("%s: %s", bases[i].base, t.url ? t.url : "refused");
        buf_free(&t.headers);
    }
}

static void placeholders(void **state)
{
    (void)state;
    ARENA(a);
    const struct provider p = {.name = "x",
                               .base_url = "https://h",
                               .authorize = auth_none,
                               .path = {[MODE_CHAT] = "/r/{other}/m/{model}:go?x={model}"}};
    struct attempt t = {.arena = a,
                        .provider = &p,
                        .model = "a/b c\xc3\xa9",
                        .other = "eu-1",
                        .headers = BUF(4096)};
    assert_null(attempt_prepare(&t));
    assert_string_equal(t.url, "https://h/r/eu-1/m/a%2Fb%20c%C3%A9:go?x=a%2Fb%20c%C3%A9");
    assert_int_equal(t.headers.n, 0);
    t.mode = MODE_RERANK;
    assert_ptr_equal(attempt_prepare(&t)->kind, &err_mode_unsupported);
}

static void credentials(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r\nX: 1", "a\n", "a\tb", "\x7f", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ARENA(a);
        struct attempt t = {.arena = a,
                            .provider = provider_of(1),
                            .key = bad[i],
                            .model = "m",
                            .headers = BUF(4096)};
        struct err *e = attempt_prepare(&t);
        assert_true(e && e->kind == &err_channel_misconfigured);
        assert_null(strstr(e->detail, "X: 1")); // never the key itself
        buf_free(&t.headers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup),      cmocka_unit_test(complete_rows),
        cmocka_unit_test(addresses),   cmocka_unit_test(placeholders),
        cmocka_unit_test(credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
