// Readers' bookkeeping and collected answers: ceilings, numbering, what was dropped.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/find.h"
#include "relay/chat.h"

struct seen {
    struct buf text; // "start block0 text0 end0 ..."
};

static struct err *on_event(void *self, const struct chat_event *ev)
{
    static const char *const names[] = {"start", "block",  "text",  "think", "sign",
                                        "args",  "close",  "usage", "logpr", "cite",
                                        "stop",  "failed", "end"};
    struct seen *s = self;
    buf_printf(&s->text, "%s%d ", names[ev->type], ev->index);
    return NULL;
}

static void blocks(void **state)
{
    (void)state;
    ARENA(a);
    struct seen s = {BUF(4096)};
    struct chat_reader r = {
        .dialect = &openai_dialect, .arena = a, .scratch = a, .sink = {on_event, &s}};
    struct chat_choice *c = chat_choice(&r, 0);
    assert_null(chat_start(&r, STR("i"), STR("m")));
    assert_null(chat_start(&r, STR("j"), STR("m")));
    assert_null(chat_piece(&r, c, PART_TEXT, STR("")));
    assert_null(chat_piece(&r, c, PART_TEXT, STR("x")));
    assert_null(chat_piece(&r, c, PART_TEXT, STR("y")));
    assert_null(chat_arguments(&r, c, STR("lost"))); // no call is open
    assert_null(chat_piece(&r, c, PART_THINKING, STR("z")));
    assert_null(chat_signature(&r, c, STR("s"), false));
    assert_null(chat_call(&r, c, STR(""), STR("f")));
    assert_null(chat_arguments(&r, c, STR("{}")));
    assert_null(chat_stop(&r, c, STOP_END, (struct str){0}));
    assert_null(chat_stop(&r, c, STOP_END, (struct str){0}));
    assert_null(chat_piece(&r, c, PART_TEXT, STR("late")));
    assert_null(chat_end(&r));
    assert_null(chat_end(&r));
    assert_string_equal(s.text.p, "start0 block0 text0 text0 close0 block1 think1 sign1 close1 "
                                  "block2 args2 close2 stop2 end0 ");
    assert_null(chat_choice(&r, -1));
    assert_null(chat_choice(&r, CHAT_CHOICES_MAX));
    assert_ptr_equal(chat_choice(&r, 0), c);
    buf_free(&s.text);
}

static struct err *write_text(struct chat_writer *w, int choice, const char *text)
{
    struct chat_event block = {CHAT_BLOCK, .kind = PART_TEXT, .choice = choice};
    struct chat_event piece = {CHAT_TEXT, .kind = PART_TEXT, .choice = choice,
                               .text = str_of(text)};
    TRY(chat_write(w, &block));
    return chat_write(w, &piece);
}

static void answers(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, 1 << 16);
    struct chat_writer w = {.dialect = &openai_dialect, .arena = a, .out = &out, .created = 1};
    struct chat_event start = {CHAT_START, .text = STR("m")}, end = {CHAT_END};
    w.id = "1";
    assert_null(chat_write(&w, &start));
    assert_null(write_text(&w, 2, "c"));
    assert_null(write_text(&w, 1, "b"));
    assert_null(chat_write(&w, &end));
    yyjson_val *root = NULL;
    assert_null(json_read(a, buf_view(&out), &root));
    assert_string_equal(json_text_at(root, "id"), "chatcmpl-1");
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "choices")), 3);
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/choices/1/message/content")), "b");
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/choices/2/message/content")), "c");
}

static void ceilings(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, 1 << 16);
    struct chat_writer w = {.dialect = &claude_dialect, .arena = a, .out = &out, .answer_max = 10};
    assert_null(write_text(&w, 0, "0123456789"));
    struct err *e = write_text(&w, 0, "x");
    assert_true(e && e->kind == &err_upstream_too_large);
}

static void dropped(void **state)
{
    (void)state;
    BUF_HERE(list, 64);
    struct chat_target to = {.dropped = &list}, deaf = {0};
    chat_dropped(&to, "seed");
    chat_dropped(&to, "n");
    chat_dropped(&to, "seed");
    chat_dropped(&deaf, "seed");
    assert_string_equal(list.p, "seed,n");
}

static void not_json(void **state)
{
    (void)state;
    ARENA(a);
    struct seen s = {BUF(4096)};
    struct chat_reader r = {
        .dialect = &claude_dialect, .arena = a, .scratch = arena_new(), .sink = {on_event, &s}};
    struct err *e = chat_read_whole(&r, STR("<html>"));
    assert_true(e && e->kind == &err_upstream_failed);
    struct frame comment = {.raw = STR(": x\n\n")}, odd = {.payload = STR("{")};
    assert_null(chat_read_frame(&r, &comment));
    assert_ptr_equal(chat_read_frame(&r, &odd)->kind, &err_upstream_failed);
    arena_free(r.scratch);
    buf_free(&s.text);
}

// All that a reader along looks for is looked for at once.
static void signs_can_be_found(void **state)
{
    (void)state;
    static const struct dialect *const all[] = {&openai_dialect,    &claude_dialect,
                                                &responses_dialect, &gemini_dialect,
                                                &cohere_dialect,    &bedrock_dialect};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        size_t count = 0;
        for (; all[i]->signs[count]; count++) {
            size_t n = strlen(all[i]->signs[count]);
            assert_in_range(n, FIND_LEAST, FIND_LONGEST);
        }
        assert_in_range(count, 1, FIND_MOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),  cmocka_unit_test(answers),  cmocka_unit_test(ceilings),
        cmocka_unit_test(dropped), cmocka_unit_test(not_json), cmocka_unit_test(signs_can_be_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
