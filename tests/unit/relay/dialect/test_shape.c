// Ids, names, media and schemas made legal.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/dialect/claude.h"
#include "relay/dialect/media.h"
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"
#include "relay/dialect/think.h"

static void ids(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(id_legal(a, "call_1-x", 40), "call_1-x");
    assert_string_equal(id_legal(a, "a:b", 40), id_legal(a, "a:b", 64));
    assert_string_not_equal(id_legal(a, "a:b", 40), id_legal(a, "a:c", 40));
    assert_true(strlen(id_legal(a, "", 40)) <= 40);
    assert_true(strlen(id_legal(a, "01234567890123456789012345678901234567890", 40)) <= 40);
}

static void names(void **state)
{
    (void)state;
    ARENA(a);
    struct chat_tool c = {.name = "a b"}, b = {.next = &c, .name = "a_b"}, t = {&b, .name = "a.b"};
    const struct name_map *map = name_map_new(a, &t, 64);
    const char *wires[] = {name_to_wire(a, map, "a.b"), name_to_wire(a, map, "a_b"),
                           name_to_wire(a, map, "a b")};
    assert_string_equal(wires[1], "a_b");
    assert_string_not_equal(wires[0], wires[1]);
    assert_string_not_equal(wires[0], wires[2]);
    assert_string_not_equal(wires[2], wires[1]);
    assert_true(str_is(name_from_wire(map, str_of(wires[0])), "a.b"));
    assert_true(str_is(name_from_wire(map, str_of(wires[2])), "a b"));
    assert_true(str_is(name_from_wire(map, STR("a_b")), "a_b"));
    assert_true(str_is(name_from_wire(NULL, STR("x")), "x"));
}

static void data_urls(void **state)
{
    (void)state;
    ARENA(a);
    static const struct {
        const char *url, *mime, *data;
    } cases[] = {
        {"data:image/gif;base64,QUJD", "image/gif", "QUJD"},
        {"data:image/gif;charset=x;base64,QUJD", "image/gif", "QUJD"},
        {"data:;base64,iVBORw0KGgo=", "image/png", "iVBORw0KGgo="},
        {"data:base64,/9j/AA", "image/jpeg", "/9j/AA"},
        {"data:image/jpeg;base64,iVBORw0KGgo=", "image/png", "iVBORw0KGgo="},
        {"data:text/plain;base64,a-_b\r\n c", "text/plain", "a+/bc"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct chat_part p = {0};
        media_from_url(a, str_of(cases[i].url), &p);
        assert_true(str_is(p.mime, cases[i].mime));
        assert_true(str_is(p.data, cases[i].data));
        assert_null(p.url.p);
    }
    static const char *const kept[] = {"https://x/y,z", "data:text/plain,hi", "data:", ""};
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        struct chat_part p = {0};
        media_from_url(a, str_of(kept[i]), &p);
        assert_true(str_is(p.url, kept[i]));
        assert_true(str_is(media_to_url(a, &p), kept[i]));
    }
}

static yyjson_val *json(struct arena *a, const char *text)
{
    yyjson_val *root = NULL;
    assert_null(json_read(a, str_of(text), &root));
    return root;
}

static void schemas(void **state)
{
    (void)state;
    ARENA(a);
    assert_true(str_is(schema_object(a, NULL), "{\"type\":\"object\",\"properties\":{}}"));
    assert_true(str_is(schema_object(a, json(a, "{\"type\":\"object\",\"x\":1.0}")),
                       "{\"type\":\"object\",\"x\":1.0}"));
    assert_true(
        str_is(schema_object(a, json(a, "{\"type\":[\"object\",\"null\"],\"required\":[]}")),
               "{\"type\":\"object\",\"properties\":{},\"required\":[]}"));
    assert_true(str_is(
        schema_object(a, json(a, "{\"allOf\":[{\"properties\":{\"a\":{}}}],"
                                 "\"required\":[\"a\"],\"$defs\":{}}")),
        "{\"type\":\"object\",\"properties\":{\"a\":{}},\"required\":[\"a\"],\"$defs\":{}}"));
    static const struct {
        const char *text;
        bool strict;
    } cases[] = {
        {"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}", true},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"],"
         "\"additionalProperties\":false}",
         true},
        {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":false}", false},
        {"{\"type\":\"object\",\"properties\":{}}", false},
        {"{\"type\":\"array\",\"items\":{\"type\":\"object\"}}", false},
        {"{\"oneOf\":[]}", false},
        {"true", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(schema_is_strict(json(a, cases[i].text)), cases[i].strict);
}

static void models(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t max;
        bool samples, adaptive;
    } cases[] = {
        {"claude-3-haiku-20240307", 4096, true, false},
        {"claude-3-7-sonnet-latest", 64000, true, false},
        {"claude-sonnet-4-20250514", 64000, true, false},
        {"claude-opus-4", 32000, true, false},
        {"claude-opus-4@20250514", 32000, true, false},
        {"anthropic/claude-opus-4.1", 32000, true, false},
        {"us.anthropic.claude-haiku-4-5-20251001-v1:0", 64000, true, false},
        {"claude-opus-4-6", 128000, true, true},
        {"claude-opus-4-8", 128000, false, true},
        {"claude-opus-5", 128000, false, true},
        {"claude-something-7-2030", 128000, false, true},
        {"deepseek-flash", 32000, true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct claude_model *m = claude_model(cases[i].name);
        if (m->max_output != cases[i].max || m->samples != cases[i].samples ||
            m->adaptive != cases[i].adaptive)
            fail_msg("%s", cases[i].name);
    }
    assert_false(openai_family("o3-mini")->samples);
    assert_false(openai_family("openai/gpt-5-mini")->none);
    assert_true(openai_family("gpt-5.1")->samples);
    assert_false(openai_family("gpt-5.1-codex")->samples);
    assert_false(openai_family("gpt-5-chat-latest")->reasons);
    assert_false(openai_family("gpt-4o")->reasons);
    assert_true(openai_family("my-deployment")->samples);
}

static void efforts(void **state)
{
    (void)state;
    static const struct {
        int64_t budget;
        enum effort effort;
    } cases[] = {{1, EFFORT_MINIMAL},    {1024, EFFORT_MINIMAL}, {1025, EFFORT_LOW},
                 {12000, EFFORT_MEDIUM}, {24000, EFFORT_HIGH},   {24001, EFFORT_XHIGH}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct chat_request in = {.thinking_budget = cases[i].budget};
        assert_int_equal(effort_of(&in), cases[i].effort);
    }
    for (enum effort e = EFFORT_NONE; e <= EFFORT_MAX; e++)
        assert_int_equal(effort_by_name(effort_names[e]), e);
    assert_int_equal(effort_by_name("very"), EFFORT_UNSAID);
    assert_int_equal(effort_by_name(NULL), EFFORT_UNSAID);
}

static void arguments(void **state)
{
    (void)state;
    ARENA(a);
    static const struct {
        const char *text, *object;
    } cases[] = {
        {"", "{}"},
        {" \n", "{}"},
        {"null", "{}"},
        {"{}", "{}"},
        {" {\"b\":1,\"a\":12345678901234567890} ", "{\"b\":1,\"a\":12345678901234567890}"},
        {"[1]", "{\"_raw\":\"[1]\"}"},
        {"{\"a\"", "{\"_raw\":\"{\\\"a\\\"\"}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_true(str_is(object_text(a, str_of(cases[i].text)), cases[i].object));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),       cmocka_unit_test(names),  cmocka_unit_test(data_urls),
        cmocka_unit_test(schemas),   cmocka_unit_test(models), cmocka_unit_test(efforts),
        cmocka_unit_test(arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
