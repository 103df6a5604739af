// Carried state comes back as it went, and only as somebody's.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/carry.h"

static void comes_back(void **state)
{
    (void)state;
    ARENA(a);
    struct chat_part p = {0};
    struct str carried = carry_wrap(a, &gemini_dialect, STR("AA+/=="), STR("h\"m"), false);
    assert_true(carry_is(carried));
    assert_true(carry_open(a, carried, &p));
    assert_ptr_equal(p.owner, &gemini_dialect);
    assert_true(str_is(p.signature, "AA+/==") && str_is(p.text, "h\"m") && !p.redacted.n);
}

static void keeps_its_kind(void **state)
{
    (void)state;
    ARENA(a);
    struct chat_part p = {0};
    struct str none = {0};
    assert_true(carry_open(a, carry_wrap(a, &claude_dialect, STR("D"), none, true), &p));
    assert_ptr_equal(p.owner, &claude_dialect);
    assert_true(str_is(p.redacted, "D") && !p.signature.n && !p.text.n);
}

static void leaves_ones_own(void **state)
{
    (void)state;
    ARENA(a);
    struct str own = STR("EqoB");
    assert_true(str_eq(carry_for(a, &claude_dialect, &claude_dialect, own, false), own));
    assert_true(str_eq(carry_for(a, &claude_dialect, NULL, own, false), own));
    assert_true(carry_is(carry_for(a, &claude_dialect, &gemini_dialect, own, false)));
}

static void opens_nothing_else(void **state)
{
    (void)state;
    ARENA(a);
    static const char *const others[] = {
        "", "EqoB", "tfr1.", "tfr1.!!", "tfr1.e30", "tfr1.AAAA", "tfr1.eyJ2IjoieCIsImQiOiJBIn0"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        struct chat_part p = {0};
        assert_false(carry_open(a, str_of(others[i]), &p));
        assert_null(p.owner);
    }
}

static bool carries(struct arena *a, const char *body)
{
    yyjson_val *root;
    assert_null(json_read(a, str_of(body), &root));
    return chat_carries(root);
}

static void is_seen_in_requests(void **state)
{
    (void)state;
    ARENA(a);
    struct str w = carry_wrap(a, &claude_dialect, STR("S"), STR(""), false);
    const char *base64 = base64_text(a, w.p, w.n);
    assert_true(carries(a, arena_printf(a, "{\"s\":[1,{\"k\":\"%.*s\"}]}", STR_ARGS(w))));
    assert_true(carries(a, arena_printf(a, "{\"s\":\"%s\"}", base64)));
    assert_false(carries(a, "{\"s\":\"EqoB\"}"));
    assert_false(carries(a, "\"EqoB\""));
    assert_false(chat_carries(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),          cmocka_unit_test(keeps_its_kind),
        cmocka_unit_test(leaves_ones_own),     cmocka_unit_test(opens_nothing_else),
        cmocka_unit_test(is_seen_in_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
