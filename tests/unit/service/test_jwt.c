// Our JSON web tokens: a known vector, and everything that must be refused.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "service/jwt.h"

#define T(f) cmocka_unit_test(f)

static const unsigned char key[JWT_KEY_SIZE] = "0123456789abcdef0123456789abcdef";
static const unsigned char other_key[JWT_KEY_SIZE] = "0123456789abcdef0123456789abcdeF";

static const char *signed_text(struct arena *a, const char *payload)
{
    return jwt_sign(a, key, str_of(payload));
}

static const char *alive(struct arena *a)
{
    return signed_text(
        a, arena_printf(a, "{\"sid\":\"s1\",\"exp\":%lld}", (long long)clock_now() + 60));
}

static bool accepted(struct arena *a, const char *token)
{
    return jwt_verify(a, key, str_of(token)) != NULL;
}

// Made with the npm package jose.
static void signs_as_others_do(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(
        signed_text(a, "{\"sid\":\"s1\",\"sub\":\"42\",\"iat\":1700000000,\"exp\":1700000900}"),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ."
        "eyJzaWQiOiJzMSIsInN1YiI6IjQyIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDA5MDB9."
        "aeOz-QQUk_BtDvzQa5fT8fnwPTew73DPAY9llwcC0Jk");
}

static void reads_what_it_signed(void **state)
{
    (void)state;
    ARENA(a);
    yyjson_val *claims = jwt_verify(a, key, str_of(alive(a)));
    assert_non_null(claims);
    assert_string_equal(json_text_at(claims, "sid"), "s1");
    assert_null(jwt_verify(a, other_key, str_of(alive(a))));
}

static void refuses_every_changed_byte(void **state)
{
    (void)state;
    ARENA(a);
    const char *token = alive(a);
    for (size_t i = 0; i < strlen(token); i++) {
        char *changed = arena_strdup(a, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (accepted(a, changed))
            fail_msg("byte %zu may be changed", i);
    }
}

static void refuses_every_cut(void **state)
{
    (void)state;
    ARENA(a);
    const char *token = alive(a);
    for (size_t n = 0; n < strlen(token); n++)
        assert_false(accepted(a, arena_strndup(a, token, n)));
    assert_false(accepted(a, arena_printf(a, "%s.", token)));
    assert_false(accepted(a, arena_printf(a, "%s=", token)));
    assert_false(accepted(a, arena_printf(a, " %s", token)));
}

static void refuses_other_algorithms(void **state)
{
    (void)state;
    ARENA(a);
    const char *payload = strchr(alive(a), '.') + 1;
    const char *none = base64url(a, "{\"alg\":\"none\"}", 14);
    assert_false(accepted(a, arena_printf(a, "%s.%s", none, payload)));
    assert_false(
        accepted(a, arena_printf(a, "%s.%.*s.", none, (int)strcspn(payload, "."), payload)));
}

static void refuses_the_expired_and_the_odd(void **state)
{
    (void)state;
    ARENA(a);
    long long now = clock_now();
    assert_false(accepted(a, signed_text(a, arena_printf(a, "{\"exp\":%lld}", now))));
    assert_false(accepted(a, signed_text(a, "{\"sid\":\"s1\"}")));
    assert_false(accepted(a, signed_text(a, arena_printf(a, "{\"exp\":\"%lld\"}", now + 60))));
    assert_false(accepted(a, signed_text(a, arena_printf(a, "{\"exp\":%lld", now + 60))));
    assert_false(accepted(
        a, signed_text(a, arena_printf(a, "{\"exp\":%lld,\"exp\":%lld}", now + 60, now + 60))));
    assert_false(accepted(a, signed_text(a, "[]")));
    const char *long_one = arena_printf(a, "%-*s", JWT_MAX, "{\"exp\":9999999999}");
    assert_false(accepted(a, signed_text(a, long_one)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(signs_as_others_do), T(reads_what_it_signed),     T(refuses_every_changed_byte),
        T(refuses_every_cut),  T(refuses_other_algorithms), T(refuses_the_expired_and_the_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
