// Outlines: what is cut, what is not, what is refused, and where things stand in the text.

#include "common/json_outline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/json_edit.h"

enum { MOST = 1 << 20 };

static void add_times(struct buf *b, const char *piece, int times)
{
    for (int i = 0; i < times; i++)
        buf_puts(b, piece);
}

// {"BEFORE":"PIECE * times","z":1}
static void text_with(struct buf *b, const char *before, const char *piece, int times)
{
    buf_puts(b, "{\"");
    buf_puts(b, before);
    buf_puts(b, "\":\"");
    add_times(b, piece, times);
    buf_puts(b, "\",\"z\":1}");
}

static void long_strings_are_cut(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct outline o;
    text_with(&text, "a", "b", 5000);
    assert_true(json_outline(a, buf_view(&text), &o));
    assert_int_equal(o.text.n, text.n - 5000 + OUTLINE_KEPT);
    assert_int_equal(o.count, 1);
    assert_memory_equal(o.text.p, "{\"a\":\"bbb", 9);
    assert_memory_equal(o.text.p + o.text.n - 7, ",\"z\":1}", 7);
}

static void what_is_kept_is_plain(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct outline o;
    text_with(&text, "a", "tfr1.\\n", 1000);
    assert_true(json_outline(a, buf_view(&text), &o));
    assert_memory_equal(o.text.p, "{\"a\":\"tfr1......", 16);
    assert_null(memchr(o.text.p, '\\', o.text.n));
}

static void names_are_not_cut(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct outline o;
    buf_puts(&text, "{\"");
    add_times(&text, "n", 2000);
    buf_puts(&text, "\" \n:\"");
    add_times(&text, "v", 9000);
    buf_puts(&text, "\"}");
    assert_true(json_outline(a, buf_view(&text), &o));
    assert_int_equal(o.count, 1);
    assert_int_equal(o.text.n, text.n - 9000 + OUTLINE_KEPT);
}

static void short_strings_do_not_pay(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct outline o;
    buf_puts(&text, "[");
    add_times(&text, "\"short\",", 9000);
    buf_puts(&text, "0]");
    assert_false(json_outline(a, buf_view(&text), &o));
}

// Of a string that is cut, nobody else sees what was in it.
static void check_string(const char *piece, bool valid)
{
    ARENA(a);
    for (int before = 0; before < 40; before++) {
        BUF_HERE(text, MOST);
        yyjson_val *root;
        struct outline o;
        buf_puts(&text, "[\"");
        add_times(&text, "x", 4000 + before); // at each place of a block
        buf_puts(&text, piece);
        buf_puts(&text, "\"]");
        assert_int_equal(json_outline(a, buf_view(&text), &o), valid);
        assert_int_equal(!json_read(a, buf_view(&text), &root), valid);
    }
}

static void strings_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"\\n\\t\\\\\\\"\\/\\b\\f\\r",
                                       "\\u00e9\\uD83D\\ude00\\u0000",
                                       "\xc3\xa9\xe4\xbd\xa0\xe5\xa5\xbd\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf\xee\x80\x80\xe0\xa0\x80\xf4\x8f\xbf\xbf",
                                       "\x7f",
                                       "\\\\",
                                       ""};
    static const char *const bad[] = {"\\x",          "\\",
                                      "\\u12",        "\\u12g4",
                                      "\\ud800",      "\\ud800\\u0041",
                                      "\\ude00",      "\n",
                                      "\x1f",         "\x80",
                                      "\xc3",         "\xc0\xaf",
                                      "\xe0\x9f\xbf", "\xed\xa0\x80",
                                      "\xe4\xbd",     "\xf4\x90\x80\x80",
                                      "\xff"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        check_string(good[i], true);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        check_string(bad[i], false);
}

static void unfinished_strings_are_refused(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct outline o;
    buf_puts(&text, "[\"");
    add_times(&text, "x", 5000);
    assert_false(json_outline(a, buf_view(&text), &o));
}

// --- edited through an outline ----------------------------------------------------------------

static void conversation(struct buf *b, const char *model, const char *more)
{
    buf_puts(b, "{\"messages\":[");
    for (int i = 0; i < 20; i++) {
        buf_puts(b, i ? ",{\"content\":\"" : "{\"content\":\"");
        add_times(b, i % 2 ? "{\\\"model\\\":\\\"no\\\"}" : "\xe4\xbd\xa0 \xc3\xa9", 400);
        buf_puts(b, "\"}");
    }
    buf_puts(b, "],\"model\":");
    buf_puts(b, model);
    buf_puts(b, more);
    buf_puts(b, "}");
}

static void edits_find_their_place(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    BUF_HERE(wanted, MOST);
    BUF_HERE(got, MOST);
    struct json_text t;
    struct str pieces[8];
    struct json_edit edits[] = {{"model", STR("\"b\"")}, {"n", STR("2")}};
    conversation(&text, "\"a\"", ",\"n\" : 1 ");
    conversation(&wanted, "\"b\"", ",\"n\" : 2 ");
    assert_true(text.n > JSON_TEXT_LARGE);
    assert_null(json_text_read(a, buf_view(&text), &t));
    assert_non_null(t.outline.text.p);
    size_t n = json_text_edit(a, &t, edits, 2, pieces, 8);
    for (size_t i = 0; i < n; i++)
        buf_str(&got, pieces[i]);
    assert_string_equal(got.p, wanted.p);
}

static void read_whole_it_is_all_there(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct json_text t;
    yyjson_val *root;
    conversation(&text, "\"a\"", "");
    assert_null(json_text_read(a, buf_view(&text), &t));
    assert_null(json_read(a, buf_view(&text), &root));
    assert_false(yyjson_equals(t.root, root));
    assert_null(json_text_read_whole(a, &t));
    assert_true(yyjson_equals(t.root, root));
}

static void faults_are_told_as_ever(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(text, MOST);
    struct json_text t;
    yyjson_val *root;
    conversation(&text, "\"a\"", ",}");
    struct err *e = json_text_read(a, buf_view(&text), &t);
    struct err *whole = json_read(a, buf_view(&text), &root);
    assert_non_null(e);
    assert_string_equal(e->detail, whole->detail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_strings_are_cut),    cmocka_unit_test(what_is_kept_is_plain),
        cmocka_unit_test(names_are_not_cut),       cmocka_unit_test(short_strings_do_not_pay),
        cmocka_unit_test(strings_are_checked),     cmocka_unit_test(unfinished_strings_are_refused),
        cmocka_unit_test(edits_find_their_place),  cmocka_unit_test(read_whole_it_is_all_there),
        cmocka_unit_test(faults_are_told_as_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
