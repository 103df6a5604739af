// Custom tools' text, taken out of arguments that come in pieces.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/dialect/custom.h"

static const struct {
    const char *json, *text;
    bool complete;
} cases[] = {
    {"{\"input\":\"a\"}", "a", true},
    {" { \"input\" : \"\" } ", "", true},
    {"{\"input\":\"a\\n\\t\\\"\\\\\\/b\"}", "a\n\t\"\\/b", true},
    {"{\"input\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}", "\u00e9\u20ac\U0001f600", true},
    {"{\"input\":\"\u00e9\"}", "\u00e9", true},
    {"{\"input\":\"\\ude00\\ud83dx\"}", "\ufffdx", true},
    {"{\"other\":{\"input\":\"no\"},\"n\":[1,\"}\"],\"input\":\"yes\"}", "yes", true},
    {"{\"inputs\":\"no\",\"input\":\"yes\",\"more\":1}", "yes", true},
    {"{\"input\":{\"x\":1}}", "", true},
    {"{\"input\":\"cut", "cut", false},
    {"{\"input\":\"cut\\", "cut", false},
    {"{\"inp", "", false},
    {"{}", "", true},
    {"select 1", "select 1", true},
    {" *** Begin {\"input\":\"x\"}", "*** Begin {\"input\":\"x\"}", true},
};

static void expect(size_t i, size_t cut)
{
    struct custom c = {0};
    struct str all = str_of(cases[i].json);
    BUF_HERE(out, 4096);
    custom_feed(&c, (struct str){all.p, cut}, &out);
    custom_feed(&c, str_skip(all, cut), &out);
    if (!str_is(buf_view(&out), cases[i].text) || custom_complete(&c) != cases[i].complete)
        fail_msg("%s cut at %zu gives %s", cases[i].json, cut, out.p);
}

static void at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t cut = 0; cut <= str_of(cases[i].json).n; cut++)
            expect(i, cut);
}

static void there_and_back(void **state)
{
    (void)state;
    ARENA(a);
    static const char text[] = "a \"b\"\\ \n\t\x01 \u00e9\U0001f600";
    struct custom c = {0};
    BUF_HERE(out, 4096);
    custom_feed(&c, custom_arguments(a, STR(text)), &out);
    assert_true(str_is(buf_view(&out), text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_cut),
        cmocka_unit_test(there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
