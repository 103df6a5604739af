// Changing members in place: exact bytes, added members, members named twice.

#include "common/json_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"

enum { EDITS_MOST = 4 };

// The edits end with one without a key.
static void expect(const char *text, const struct json_edit *edits, const char *wanted)
{
    for (size_t most = 1; most <= 16; most++) {
        ARENA(a);
        struct json_text t;
        struct str pieces[16];
        size_t count = 0;
        BUF_HERE(out, 4096);
        assert_null(json_text_read(a, str_of(text), &t));
        while (edits[count].key)
            count++;
        size_t n = json_text_edit(a, &t, edits, count, pieces, most);
        assert_true(n <= most);
        for (size_t i = 0; i < n; i++)
            buf_str(&out, pieces[i]);
        assert_string_equal(out.p, wanted);
    }
}

#define EDITS(...) ((struct json_edit[EDITS_MOST]){__VA_ARGS__})

static void replaced(void **state)
{
    (void)state;
    static const char text[] = " { \"a\" : [1, {\"b\":\"}\"}] , \"b\":\"x\\\"\",\"c\":-1.0e5 } ";
    expect(text, EDITS({0}), text);
    expect(text, EDITS({"a", STR("1")}), " { \"a\" : 1 , \"b\":\"x\\\"\",\"c\":-1.0e5 } ");
    expect(text, EDITS({"c", STR("[]")}, {"b", STR("2")}),
           " { \"a\" : [1, {\"b\":\"}\"}] , \"b\":2,\"c\":[] } ");
}

static void added(void **state)
{
    (void)state;
    expect("{\"a\":1}", EDITS({"b\"", STR("2")}), "{\"b\\\"\":2,\"a\":1}");
    expect(" { } ", EDITS({"a", STR("1")}), " {\"a\":1 } ");
    expect("{}", EDITS({"a", STR("1")}, {"b", STR("2")}, {"c", STR("3")}),
           "{\"a\":1,\"b\":2,\"c\":3}");
}

// A channel's own parameters may name what the relay changes too.
static void named_twice(void **state)
{
    (void)state;
    expect("{\"model\":\"x\",\"n\":1}", EDITS({"model", STR("\"y\"")}, {"model", STR("\"z\"")}),
           "{\"model\":\"z\",\"n\":1}");
    expect("{}", EDITS({"a", STR("1")}, {"b", STR("2")}, {"a", STR("3")}), "{\"b\":2,\"a\":3}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaced),
        cmocka_unit_test(added),
        cmocka_unit_test(named_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
