// Writing JSON that any reader accepts; reading nothing that is not JSON.

#include "common/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"

static yyjson_val *read(struct arena *a, const char *text)
{
    yyjson_val *root = NULL;
    assert_null(json_read(a, str_of(text), &root));
    assert_non_null(root);
    return root;
}

static const struct err_kind *refused(const char *text, size_t n)
{
    ARENA(a);
    yyjson_val *root;
    struct err *e = json_read(a, (struct str){text, n}, &root);
    assert_true(!e == (root != NULL));
    return e ? e->kind : NULL;
}

static void writing(void **state)
{
    (void)state;
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    json_str(&j, "s", "x");
    json_str(&j, "n", NULL);
    json_arr(&j, "a");
    json_int(&j, NULL, INT64_MIN);
    json_bool(&j, NULL, true);
    json_null(&j, NULL);
    json_obj(&j, NULL);
    json_end(&j);
    json_arr(&j, NULL);
    json_end(&j);
    json_end(&j);
    json_strn(&j, "v", (struct str){"abc", 2});
    json_raw(&j, "r", STR("[1]"));
    json_obj(&j, "o");
    json_end_all(&j);
    assert_string_equal(out.p,
                        "{\"s\":\"x\",\"n\":null,\"a\":[-9223372036854775808,true,null,{},[]],"
                        "\"v\":\"ab\",\"r\":[1],\"o\":{}}");
}

static void reals(void **state)
{
    (void)state;
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    json_arr(&j, NULL);
    json_real(&j, NULL, 3.0);
    json_real(&j, NULL, -0.5);
    json_real(&j, NULL, 0.1);
    json_real(&j, NULL, 1e300);
    json_real(&j, NULL, NAN);
    json_real(&j, NULL, INFINITY);
    json_end(&j);
    assert_string_equal(out.p, "[3,-0.5,0.1,1e+300,null,null]");
}

// Every byte below 0x80, and text in other alphabets, come back as they went in.
static void escaping(void **state)
{
    (void)state;
    ARENA(a);
    char text[0x80 + 16];
    for (int c = 1; c < 0x80; c++)
        text[c - 1] = (char)c;
    memcpy(text + 0x7f, "é漢🙂", sizeof("é漢🙂"));
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    json_str(&j, text, text);
    json_end_all(&j);
    yyjson_val *root = read(a, out.p);
    assert_string_equal(json_text_at(root, text), text);
    buf_clear(&out);
    json_quote(&out, (struct str){"a\0\"", 3});
    assert_string_equal(out.p, "\"a\\u0000\\\"\"");
}

static void strictness(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           " ",   "{",   "{\"a\":1,}", "[1,]",    "{'a':1}",  "{a:1}",       "NaN",
        "[Infinity]", "01",  "1 2", "\"\x01\"",   "\"\\x\"", "\"\xff\"", "\"\\ud800\"", "// no\n1",
        "]",          "tru", "\"a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_ptr_equal(refused(bad[i], strlen(bad[i])), &err_json_invalid);
    assert_ptr_equal(refused("1\0", 2), &err_json_invalid);
    assert_ptr_equal(refused(NULL, 0), &err_json_invalid);
    static const char fine[] = " {\"a\": [1, -2.5e3, \"\\u00e9\\ud83d\\ude42\", null]} ";
    assert_null(refused(fine, strlen(fine)));
}

static void nesting(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    for (int extra = 0; extra < 2; extra++) {
        size_t n = JSON_DEPTH_MAX + (size_t)extra;
        memset(text, '[', n);
        memset(text + n, ']', n);
        assert_ptr_equal(refused(text, 2 * n), extra ? &err_json_too_deep : NULL);
    }
    static const char strings[] =
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "\\\"[[[[[[\",\"\\\\\"]";
    assert_null(refused(strings, strlen(strings)));
}

static void in_place(void **state)
{
    (void)state;
    ARENA(a);
    char text[32] = "{\"a\":\"x\\ny\"}";
    yyjson_val *root;
    assert_null(json_read_in_place(a, text, strlen(text), &root));
    const char *got = json_text_at(root, "a");
    assert_string_equal(got, "x\ny");
    assert_true(got > text && got < text + sizeof(text));
}

static void duplicates(void **state)
{
    (void)state;
    ARENA(a);
    struct err *e = json_no_duplicates(a, read(a, "{\"model\":1,\"x\":2,\"model\":3}"));
    assert_ptr_equal(e->kind, &err_json_duplicate_key);
    assert_string_equal(e->detail, "model");
    e = json_no_duplicates(a, read(a, "{\"\\u006dodel\":1,\"model\":3}")); // the same, escaped
    assert_ptr_equal(e->kind, &err_json_duplicate_key);
    assert_null(json_no_duplicates(a, read(a, "{\"a\":1,\"A\":2,\"\":3,\"aa\":4}")));
    assert_null(json_no_duplicates(a, read(a, "{\"a\":{\"b\":1},\"b\":1}")));
    assert_null(json_no_duplicates(a, read(a, "[1,1]")));
}

// Names that collide under h = h * 33 + c: "Ab" and "BA" at every place.
static void chosen_collisions(void **state)
{
    (void)state;
    enum { BITS = 15 };
    BUF_HERE(out, 16 << 20);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    for (int i = 0; i < 1 << BITS; i++) {
        char name[2 * BITS + 1] = "";
        for (int bit = 0; bit < BITS; bit++) {
            name[2 * bit] = i >> bit & 1 ? 'A' : 'B';
            name[2 * bit + 1] = i >> bit & 1 ? 'b' : 'A';
        }
        json_null(&j, name);
    }
    json_end(&j);
    ARENA(a);
    yyjson_val *root = read(a, out.p);
    int64_t began = clock_steady_ms();
    assert_null(json_no_duplicates(a, root));
    assert_true(clock_steady_ms() - began < 1000);
}

static void members(void **state)
{
    (void)state;
    ARENA(a);
    yyjson_val *v = read(a, "{\"s\":\"a\\u0000b\",\"i\":-5,\"r\":2.0,\"f\":2.5,\"b\":true,"
                            "\"big\":9223372036854775808,\"n\":null,\"e\":1e30}");
    assert_int_equal(json_str_at(v, "s").n, 3);
    assert_null(json_str_at(v, "i").p);
    assert_null(json_text_at(v, "i"));
    assert_null(json_text_at(v, "none"));
    assert_int_equal(json_int_at(v, "i", 9), -5);
    assert_int_equal(json_int_at(v, "r", 9), 2);
    assert_int_equal(json_int_at(v, "f", 9), 9);
    assert_int_equal(json_int_at(v, "big", 9), 9);
    assert_int_equal(json_int_at(v, "e", 9), 9);
    assert_int_equal(json_int_at(v, "n", 9), 9);
    assert_true(json_bool_at(v, "b", false));
    assert_true(json_bool_at(v, "i", true));
    assert_int_equal(json_int_at(NULL, "i", 9), 9);
}

static void values_again_as_text(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    static const char text[] = "{\"a\":[1,2.5,\"x\\n\"],\"b\":{}}";
    assert_true(str_is(json_text_of(a, read(a, text)), text));
    json_arr(&j, NULL);
    json_val(&j, NULL, read(a, text));
    json_val(&j, NULL, NULL);
    json_end(&j);
    assert_string_equal(out.p, arena_printf(a, "[%s,null]", text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),    cmocka_unit_test(reals),
        cmocka_unit_test(escaping),   cmocka_unit_test(strictness),
        cmocka_unit_test(nesting),    cmocka_unit_test(in_place),
        cmocka_unit_test(duplicates), cmocka_unit_test(chosen_collisions),
        cmocka_unit_test(members),    cmocka_unit_test(values_again_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
