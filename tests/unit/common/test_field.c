// Field tables: values between members, text and JSON, and what is refused on the way in.

#include "common/field.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"

struct thing {
    int64_t id, big;
    int level;
    bool on;
    double ratio;
    const char *name, *secret, *extra, *inner;
};

static const struct field fields[] = {
    FIELD(struct thing, id, .flags = KEY),
    FIELD(struct thing, name, .flags = REQUIRED, .min = 2, .max = 8, .def = "nn"),
    FIELD(struct thing, big),
    FIELD(struct thing, level, .min = -1, .max = 100, .def = "7"),
    FIELD(struct thing, on, .def = "true"),
    FIELD_AS(struct thing, ratio, "theRatio", .min = 0, .max = 2, .def = "0.25"),
    FIELD(struct thing, secret, .flags = SECRET),
    FIELD(struct thing, extra, .flags = JSON_TEXT),
    FIELD(struct thing, inner, .flags = READONLY | ADMIN),
    {0},
};

static struct err *take(struct arena *a, struct thing *t, const char *json)
{
    yyjson_val *root;
    assert_null(json_read(a, str_of(json), &root));
    return fields_from_json(a, fields, root, t);
}

static void assert_refused(const char *json, const struct err_kind *kind, const char *detail)
{
    ARENA(a);
    struct thing t = {.name = "before", .level = 1};
    struct err *e = take(a, &t, json);
    assert_non_null(e);
    assert_ptr_equal(e->kind, kind);
    if (detail)
        assert_string_equal(e->detail, detail);
}

static void json_in(void **state)
{
    (void)state;
    ARENA(a);
    struct thing t = {.id = 5, .inner = "keep", .level = 3};
    assert_null(take(a, &t,
                     "{\"id\":99,\"name\":\"ab\",\"big\":-9223372036854775808,\"on\":true,"
                     "\"theRatio\":1,\"secret\":\"s\",\"extra\":{\"a\": 1},\"inner\":\"no\","
                     "\"level\":null,\"unknown\":[]}"));
    assert_int_equal(t.id, 5);
    assert_string_equal(t.name, "ab");
    assert_true(t.big == INT64_MIN);
    assert_true(t.on);
    assert_true(t.ratio == 1.0);
    assert_string_equal(t.secret, "s");
    assert_string_equal(t.extra, "{\"a\":1}");
    assert_string_equal(t.inner, "keep");
    assert_int_equal(t.level, 3); // null is as if it were absent
    assert_null(take(a, &t, "{\"name\":\"cd\",\"extra\":\"{\\\"b\\\":2}\"}"));
    assert_string_equal(t.extra, "{\"b\":2}");
    assert_null(take(a, &t, "{\"name\":\"cd\",\"extra\":\"\"}"));
}

static void json_refused(void **state)
{
    (void)state;
    assert_refused("[]", &err_body_invalid, NULL);
    assert_refused("{}", &err_field_missing, "name");
    assert_refused("{\"name\":null}", &err_field_invalid, "name");
    assert_refused("{\"name\":5}", &err_field_invalid, "name");
    assert_refused("{\"name\":\"a\"}", &err_field_invalid, "name");
    assert_refused("{\"name\":\"123456789\"}", &err_field_invalid, "name");
    assert_refused("{\"name\":\"漢字漢\"}", &err_field_invalid, "name"); // bytes
    assert_refused("{\"name\":\"a\\u0000b\"}", &err_field_invalid, "name");
    assert_refused("{\"name\":\"ab\",\"name\":\"cd\"}", &err_json_duplicate_key, "name");
    assert_refused("{\"name\":\"ab\",\"level\":101}", &err_field_invalid, "level");
    assert_refused("{\"name\":\"ab\",\"level\":-2}", &err_field_invalid, "level");
    assert_refused("{\"name\":\"ab\",\"level\":1.5}", &err_field_invalid, "level");
    assert_refused("{\"name\":\"ab\",\"level\":\"1\"}", &err_field_invalid, "level");
    assert_refused("{\"name\":\"ab\",\"big\":9223372036854775808}", &err_field_invalid, "big");
    assert_refused("{\"name\":\"ab\",\"big\":1e3}", &err_field_invalid, "big");
    assert_refused("{\"name\":\"ab\",\"on\":2}", &err_field_invalid, "on");
    assert_refused("{\"name\":\"ab\",\"theRatio\":2.1}", &err_field_invalid, "theRatio");
    assert_refused("{\"name\":\"ab\",\"extra\":\"[1]\"}", &err_field_invalid, "extra");
    assert_refused("{\"name\":\"ab\",\"extra\":\"{\"}", &err_field_invalid, "extra");
    assert_refused("{\"name\":\"ab\",\"extra\":[1]}", &err_field_invalid, "extra");
}

static void json_out(void **state)
{
    (void)state;
    struct thing t = {
        .id = 1, .name = "n", .secret = "hidden", .big = 4, .ratio = 0.5, .inner = "i"};
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    fields_to_json(fields, &t, &j, NULL, FOR_USER);
    assert_string_equal(out.p, "{\"id\":1,\"name\":\"n\",\"big\":4,\"level\":0,\"on\":false,"
                               "\"theRatio\":0.5,\"extra\":\"\"}");
    buf_clear(&out);
    j = (struct json){.out = &out};
    fields_to_json(fields, &t, &j, NULL, FOR_ADMIN);
    assert_non_null(strstr(out.p, "\"inner\":\"i\""));
    assert_null(strstr(out.p, "hidden"));
    buf_clear(&out);
    j = (struct json){.out = &out};
    json_obj(&j, NULL);
    json_int(&j, "first", 1);
    fields_write(fields, &t, &j, FOR_USER);
    fields_to_json(fields, &t, &j, "again", FOR_USER);
    json_end(&j);
    assert_non_null(strstr(out.p, "{\"first\":1,\"id\":1,"));
    assert_non_null(strstr(out.p, ",\"again\":{\"id\":1,"));
}

static struct err *parse(struct arena *a, const char *name, const char *text, struct field_value *v)
{
    return field_parse(a, field_by_name(fields, name), text, v);
}

static void from_text(void **state)
{
    (void)state;
    ARENA(a);
    struct field_value v;
    assert_null(parse(a, "on", "true", &v));
    assert_int_equal(v.i, 1);
    assert_null(parse(a, "on", "0", &v));
    assert_int_equal(v.i, 0);
    assert_null(parse(a, "big", "-9223372036854775808", &v));
    assert_true(v.i == INT64_MIN);
    assert_null(parse(a, "theRatio", "1.5e0", &v));
    assert_true(v.r == 1.5);
    assert_null(parse(a, "name", "abc", &v));
    assert_string_equal(v.s, "abc");
    assert_null(parse(a, "level", "100", &v));
    static const char *const bad[][2] = {
        {"on", "yes"},         {"on", ""},          {"big", ""},
        {"big", "1x"},         {"level", "101"},    {"level", "4294967296"},
        {"theRatio", ""},      {"theRatio", "nan"}, {"theRatio", "inf"},
        {"theRatio", "0x1"},   {"theRatio", " 1"},  {"theRatio", "1,5"},
        {"theRatio", "1e999"}, {"name", "x"},       {"name", "a\xff\xff"},
        {"extra", "[]"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err *e = parse(a, bad[i][0], bad[i][1], &v);
        assert_non_null(e);
        assert_ptr_equal(e->kind, &err_field_invalid);
        assert_string_equal(e->detail, bad[i][0]);
    }
}

static void whole_ints_only(void **state)
{
    (void)state;
    ARENA(a);
    static const struct field level = FIELD(struct thing, level);
    assert_null(field_check(a, &level, (struct field_value){FIELD_INT, {.i = INT32_MAX}}));
    assert_non_null(
        field_check(a, &level, (struct field_value){FIELD_INT, {.i = INT32_MAX + 1LL}}));
    assert_non_null(
        field_check(a, &level, (struct field_value){FIELD_INT, {.i = INT32_MIN - 1LL}}));
    static const struct field name = FIELD(struct thing, name, .min = 1, .max = 3);
    assert_non_null(field_check(a, &name, (struct field_value){FIELD_TEXT, {.s = NULL}}));
}

static void defaults(void **state)
{
    (void)state;
    ARENA(a);
    struct thing t;
    memset(&t, 0xee, sizeof(t));
    fields_default(a, fields, &t);
    assert_int_equal(t.id, 0);
    assert_string_equal(t.name, "nn");
    assert_string_equal(t.secret, "");
    assert_int_equal(t.level, 7);
    assert_true(t.on);
    assert_true(t.ratio == 0.25);
}

static void every_type_there_and_back(void **state)
{
    (void)state;
    struct thing from = {
        .id = INT64_MAX, .level = INT32_MIN, .on = true, .ratio = 0.1, .name = "x"};
    struct thing to = {0};
    for (const struct field *f = fields; f->name; f++)
        field_set(f, &to, field_get(f, &from));
    assert_true(to.id == INT64_MAX && to.level == INT32_MIN && to.on && to.ratio == 0.1);
    assert_string_equal(to.name, "x");
    assert_null(field_by_name(fields, "nope"));
    assert_null(field_by_name(fields, "ratio")); // it goes by another name
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_in),
        cmocka_unit_test(json_refused),
        cmocka_unit_test(json_out),
        cmocka_unit_test(from_text),
        cmocka_unit_test(whole_ints_only),
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_type_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
