// What is written must be JSON, and well-formed events, whatever was read.

#include "dialects.h"

#include <string.h>

#include "common/arena.h"

enum { OUT_MOST = 16 << 20 };

static const struct dialect *const all[] = {&openai_dialect, &claude_dialect, &responses_dialect,
                                            &bedrock_dialect, &cohere_dialect};

// Models whose families differ in what they take.
static const char *const models[] = {"gpt-4o",
                                     "gpt-5.1",
                                     "o3-mini",
                                     "claude-sonnet-4-6",
                                     "claude-opus-5",
                                     "claude-haiku-4-5",
                                     "claude-3-opus",
                                     "deepseek",
                                     "unknown",
                                     "us.anthropic.claude-sonnet-4-5",
                                     "amazon.nova-pro-v1:0",
                                     "mistral.large",
                                     "qwen.qwen3",
                                     "writer"};

static void expect_json(struct arena *a, struct str text)
{
    yyjson_val *root = NULL;
    HOLDS(!json_read(a, text, &root));
}

// --- requests -----------------------------------------------------------------------

static void write_request(const struct dialect *to, const struct chat_request *request,
                          struct chat_target target)
{
    ARENA(a);
    BUF_HERE(out, OUT_MOST);
    BUF_HERE(dropped, 4096);
    target.dropped = &dropped;
    if (to->write_request(a, request, &target, &out) || out.overflow)
        return;
    yyjson_val *root = NULL;
    struct chat_head head = {0};
    HOLDS(!json_read(a, buf_view(&out), &root) && !json_no_duplicates(a, root));
    HOLDS(to->read_path || text_eq(json_text_at(root, "model"), target.model));
    HOLDS(!to->read_head(a, root, &head));
    HOLDS(to->read_path || head.stream == target.stream);
}

void dialects_request(const struct dialect *speaks, struct input in)
{
    ARENA(a);
    unsigned model = input_byte(&in), quirks = input_byte(&in), more = input_byte(&in);
    struct chat_target target = {.model = models[model % (sizeof(models) / sizeof(*models))],
                                 .quirks = quirks | (more & 63) << 8};
    yyjson_val *body = NULL;
    struct chat_request request = {0};
    if (json_read(a, in.text, &body))
        return;
    if (speaks->read_head(a, body, &request.head) || speaks->parse_request(a, body, &request))
        return;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        target.stream = request.head.stream;
        write_request(all[i], &request, target);
    }
}

// --- replies ------------------------------------------------------------------------

struct replay {
    struct arena *a;
    struct buf out;
    struct chat_reader reader;
    struct chat_writer writer;
    struct chat_request request;
    struct chat_target target;
    int64_t last_usage;
    int open; // the block that is open in choice 0, -1: none
    bool metering;
};

static struct err *on_event(void *self, const struct chat_event *ev)
{
    struct replay *p = self;
    HOLDS(p->reader.started || ev->type == CHAT_FAILED || ev->type == CHAT_START);
    if (ev->choice == 0 && ev->type == CHAT_BLOCK) {
        HOLDS(p->open == -1);
        p->open = ev->index;
    }
    if (ev->choice == 0 && ev->type == CHAT_BLOCK_END)
        p->open = -1;
    return p->metering || ev->type == CHAT_FAILED ? NULL : chat_write(&p->writer, ev);
}

static void begin(struct replay *p, struct arena *a, const struct dialect *provider,
                  const struct dialect *speaks, unsigned flags)
{
    *p = (struct replay){.a = a, .out = BUF(OUT_MOST), .open = -1};
    p->metering = flags & 4;
    p->target =
        (struct chat_target){.model = "m", .stream = flags & 1, .quirks = flags & THINK_TAGS};
    p->request.head = (struct chat_head){"m", flags & 1, flags & 2, 0, 1};
    p->request.owner = speaks;
    p->request.parallel = p->request.logprobs = -1;
    p->reader = (struct chat_reader){
        .dialect = provider,
        .arena = a,
        .scratch = arena_new(),
        .sink = {on_event, p},
        .request = p->metering ? NULL : &p->request,
        .target = p->metering ? NULL : &p->target,
    };
    p->writer = (struct chat_writer){
        .dialect = speaks,
        .arena = a,
        .out = &p->out,
        .request = &p->request,
        .model = "m",
        .id = "t1",
        .created = 1780000000,
        .stream = flags & 1,
        .wants_usage = flags & 2,
        .prompt_estimate = 7,
    };
}

static const struct framing *framing_of(const struct dialect *d)
{
    return d == &bedrock_dialect ? &aws_eventstream_framing : &sse_framing;
}

static void expect_frames(struct arena *a, const struct framing *framing, struct str text)
{
    struct cutter c = {0};
    struct frame f;
    while (framing->next(&c, text, false, a, &f)) {
        HOLDS(f.payload.p && !f.broken);
        if (!str_is(f.payload, "[DONE]"))
            expect_json(a, f.payload);
    }
    HOLDS(c.at == text.n);
}

static void end(struct replay *p, struct err *e)
{
    const struct chat_usage *u = &p->reader.usage;
    HOLDS(u->prompt >= 0 && u->completion >= 0 && u->cache_read >= 0 && u->cache_write_5m >= 0 &&
          u->cache_write_1h >= 0 && u->thinking >= 0);
    bool good = !e && p->reader.ended && !p->reader.failed;
    if (!p->metering && p->writer.stream)
        expect_frames(p->a, framing_of(p->writer.dialect), buf_view(&p->out));
    else if (!p->metering && good)
        expect_json(p->a, buf_view(&p->out));
    arena_free(p->reader.scratch);
    buf_free(&p->out);
}

static struct err *read_frames(struct replay *p, struct cutter *c, struct str bytes, bool last)
{
    struct frame f;
    const struct framing *framing = framing_of(p->reader.dialect);
    while (framing->next(c, bytes, last, p->a, &f))
        TRY(chat_read_frame(&p->reader, &f));
    return last ? chat_read_end(&p->reader) : NULL;
}

// "messageStop {...}" lines as the messages they stand for; "!" begins an exception's name.
static struct str binary(struct arena *a, struct str lines)
{
    struct str line, name;
    BUF_HERE(out, OUT_MOST);
    while (str_next(&lines, '\n', &line)) {
        struct str payload = line;
        if (!str_next(&payload, ' ', &name))
            continue;
        bool exception = str_starts(name, "!");
        aws_eventstream_write(&out, exception ? "exception" : "event",
                              arena_str(a, str_skip(name, exception)), payload);
    }
    return (struct str){arena_strndup(a, out.p, out.n), out.n};
}

void dialects_stream(const struct dialect *provider, struct input in)
{
    ARENA(kept);
    unsigned flags = input_byte(&in), first = input_byte(&in);
    if (provider == &bedrock_dialect)
        in.text = binary(kept, in.text);
    size_t cut = in.text.n * first / 256;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        ARENA(a);
        struct replay p;
        struct cutter c = {0};
        begin(&p, a, provider, all[i], flags);
        struct err *e = read_frames(&p, &c, (struct str){in.text.p, cut}, false);
        end(&p, e ? e : read_frames(&p, &c, in.text, true));
    }
}

void dialects_whole(const struct dialect *provider, struct input in)
{
    unsigned flags = input_byte(&in);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        ARENA(a);
        struct replay p;
        begin(&p, a, provider, all[i], flags);
        end(&p,
            p.metering ? chat_skim_whole(&p.reader, in.text) : chat_read_whole(&p.reader, in.text));
    }
}
