// Whatever a provider sends, in whatever order: a client's stream keeps its dialect's order, and
// bytes that make no sense end in an error. Thousands of odd streams from a seeded generator.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/chat.h"

static uint32_t seed;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

#define ANY(list) list[any(sizeof(list) / sizeof(*list))]

static const char *const openai_pieces[] = {
    "\"content\":\"a\"",
    "\"content\":\"\"",
    "\"content\":null",
    "\"content\":7",
    "\"content\":[]",
    "\"content\":[{\"type\":\"text\",\"text\":\"x\"}]",
    "\"reasoning_content\":\"r\"",
    "\"reasoning\":\"r\"",
    "\"refusal\":\"n\"",
    "\"role\":\"assistant\"",
    "\"tool_calls\":null",
    "\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]",
    "\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{\"}}]",
    "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]",
    "\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"}\"}}]",
    "\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"h\",\"arguments\":{\"k\":1}}}]",
    "\"tool_calls\":[{\"function\":{\"arguments\":\"[1]\"}}]",
    "\"tool_calls\":[{\"index\":-5,\"function\":{\"name\":\"\",\"arguments\":null}}]",
    "\"function_call\":{\"name\":\"old\",\"arguments\":\"{\"}",
    "\"tool_calls\":[7,{}]",
};
static const char *const finishes[] = {"null", "null",     "null",           "null",
                                       "null", "\"stop\"", "\"tool_calls\"", "\"length\"",
                                       "\"\"", "\"odd\""};
static const char *const tails[] = {"",
                                    "",
                                    "",
                                    ",\"usage\":null",
                                    ",\"usage\":{}",
                                    ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":9}"};

static void openai_stream(struct buf *out)
{
    for (uint32_t i = any(12); i; i--)
        buf_printf(out,
                   "data: {\"id\":\"c\",\"choices\":[{\"index\":%u,\"delta\":{%s,%s},"
                   "\"finish_reason\":%s}]%s}\n\n",
                   any(8) ? 0 : any(3), ANY(openai_pieces), "\"x\":1", ANY(finishes), ANY(tails));
    if (any(4))
        buf_puts(out, "data: [DONE]\n\n");
}

static const char *const claude_events[] = {
    "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":3}}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}"
    "}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\","
    "\"name\":\"f\",\"input\":{}}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"redacted_thinking\",\"data\":"
    "\"d\"}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"odd\"}}",
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}",
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"a\"}}",
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"s\"}"
    "}",
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":"
    "\"{}\"}}",
    "{\"type\":\"content_block_stop\"}",
    "{\"type\":\"ping\"}",
    "{}",
    "[]",
    "7",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_"
    "tokens\":1}}",
};

static void claude_stream(struct buf *out)
{
    for (uint32_t i = any(14); i; i--)
        buf_printf(out, "event: x\ndata: %s\n\n", ANY(claude_events));
    if (any(4))
        buf_puts(out, "data: {\"type\":\"message_stop\"}\n\n");
}

// --- what a Claude client relies on ------------------------------------------------

struct watch {
    bool started, stopped, delta;
    int open, next; // index of the open block (-1), of the next one
    const char *kind;
};

// Blocks of other kinds are Anthropic's own and pass as they are.
static bool is_known(const char *kind)
{
    return !strcmp(kind, "text") || !strcmp(kind, "thinking") || !strcmp(kind, "tool_use");
}

static void watch_delta(struct watch *w, yyjson_val *root)
{
    static const struct {
        const char *delta, *block;
    } pairs[] = {{"text_delta", "text"},
                 {"thinking_delta", "thinking"},
                 {"signature_delta", "thinking"},
                 {"input_json_delta", "tool_use"}};
    const char *type = json_text_at(yyjson_obj_get(root, "delta"), "type");
    assert_int_equal(json_int_at(root, "index", -2), w->open);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        if (text_eq(type, pairs[i].delta) && is_known(w->kind))
            assert_string_equal(w->kind, pairs[i].block);
}

static void watch_event(struct watch *w, const char *type, yyjson_val *root)
{
    assert_false(w->stopped);
    assert_int_equal(w->started, strcmp(type, "message_start") != 0);
    if (!strcmp(type, "message_start")) {
        w->started = true;
    } else if (!strcmp(type, "content_block_start")) {
        assert_true(w->open == -1 && !w->delta);
        w->open = w->next++;
        assert_int_equal(json_int_at(root, "index", -2), w->open);
        w->kind = json_text_at(yyjson_obj_get(root, "content_block"), "type");
    } else if (!strcmp(type, "content_block_delta")) {
        watch_delta(w, root);
    } else if (!strcmp(type, "content_block_stop")) {
        assert_true(w->open >= 0);
        assert_int_equal(json_int_at(root, "index", -2), w->open);
        w->open = -1;
    } else if (!strcmp(type, "message_delta")) {
        assert_true(w->open == -1 && !w->delta);
        w->delta = true;
    } else {
        assert_string_equal(type, "message_stop");
        assert_true(w->delta);
        w->stopped = true;
    }
}

// --- what an OpenAI client relies on ------------------------------------------------

struct openai_watch {
    bool role[8], finished[8], done;
    int64_t calls[8];
};

static void watch_chunk(struct openai_watch *w, yyjson_val *root)
{
    yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(root, "choices"));
    yyjson_val *delta = yyjson_obj_get(choice, "delta");
    int64_t at = json_int_at(choice, "index", 0);
    assert_true(yyjson_is_arr(yyjson_obj_get(root, "choices")) && at < 8 && !w->done);
    if (!choice)
        return;
    assert_false(w->finished[at]);
    assert_int_equal(json_text_at(delta, "role") != NULL, !w->role[at]);
    w->role[at] = true;
    yyjson_val *call = yyjson_arr_get_first(yyjson_obj_get(delta, "tool_calls"));
    if (call) {
        bool begins = json_text_at(call, "id") != NULL;
        assert_int_equal(json_int_at(call, "index", -1), begins ? w->calls[at] : w->calls[at] - 1);
        assert_int_equal(json_text_at(yyjson_obj_get(call, "function"), "name") != NULL, begins);
        w->calls[at] += begins;
    }
    w->finished[at] = json_text_at(choice, "finish_reason") != NULL;
}

static void check_output(struct arena *a, const struct dialect *speaks, struct str out, bool ended)
{
    struct watch w = {.open = -1, .kind = ""};
    struct openai_watch o = {0};
    struct cutter c = {0};
    struct frame f;
    while (sse_framing.next(&c, out, true, a, &f)) {
        yyjson_val *root = NULL;
        if (str_is(f.payload, "[DONE]")) {
            o.done = true;
            continue;
        }
        assert_null(json_read(a, f.payload, &root));
        if (speaks == &claude_dialect) {
            assert_true(str_is(f.event, json_text_at(root, "type")));
            watch_event(&w, json_text_at(root, "type"), root);
        } else {
            watch_chunk(&o, root);
        }
    }
    assert_int_equal(ended, speaks == &claude_dialect ? w.stopped : o.done);
}

static struct err *to_writer(void *self, const struct chat_event *ev)
{
    return chat_write(self, ev);
}

static void play(const struct dialect *from, const struct dialect *speaks, struct str bytes,
                 bool tags)
{
    ARENA(a);
    ARENA(scratch);
    BUF_HERE(out, 1 << 20);
    struct chat_request request = {0};
    struct chat_target target = {.model = "m", .quirks = tags ? THINK_TAGS : 0};
    struct chat_writer w = {.dialect = speaks, .arena = a, .out = &out, .stream = true};
    struct chat_reader r = {.dialect = from,
                            .arena = a,
                            .scratch = scratch,
                            .sink = {to_writer, &w},
                            .request = &request,
                            .target = &target};
    struct cutter c = {0};
    struct frame f;
    struct err *e = NULL;
    while (!e && sse_framing.next(&c, bytes, true, scratch, &f))
        e = chat_read_frame(&r, &f);
    if (!e)
        chat_read_end(&r);
    check_output(a, speaks, buf_view(&out), r.ended);
}

static void odd_streams(void **state)
{
    (void)state;
    for (seed = 1; seed < 4000u * 977u; seed += 977u) {
        BUF_HERE(bytes, 1 << 16);
        uint32_t kept = seed;
        bool openai = any(2);
        if (openai)
            openai_stream(&bytes);
        else
            claude_stream(&bytes);
        const struct dialect *from = openai ? &openai_dialect : &claude_dialect;
        play(from, &claude_dialect, buf_view(&bytes), any(2));
        play(from, &openai_dialect, buf_view(&bytes), any(2));
        seed = kept;
    }
}

// Bytes flipped, cut out and doubled: no crash, no sanitizer's complaint, no broken order.
static void broken_streams(void **state)
{
    (void)state;
    for (seed = 7; seed < 2000u * 977u; seed += 977u) {
        BUF_HERE(bytes, 1 << 16);
        uint32_t kept = seed;
        bool openai = any(2);
        if (openai)
            openai_stream(&bytes);
        else
            claude_stream(&bytes);
        for (uint32_t i = any(6); i && bytes.n; i--)
            bytes.p[any((uint32_t)bytes.n)] = (char)any(256);
        bytes.n -= bytes.n ? any((uint32_t)bytes.n) / 2 : 0;
        play(openai ? &openai_dialect : &claude_dialect, any(2) ? &openai_dialect : &claude_dialect,
             buf_view(&bytes), true);
        seed = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(odd_streams),
                                       cmocka_unit_test(broken_streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
