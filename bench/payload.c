// What is sent to and fro: requests as SDKs make them, replies as providers make them.

#include "payload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum { JSON_BODY = 697 };

// --- text ---------------------------------------------------------------------------------

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_bytes(struct text *t, const char *p, size_t n)
{
    t->p = realloc(t->p, t->n + n + 1);
    if (!t->p)
        die("out of memory");
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

static void add(struct text *t, const char *fmt, ...)
{
    char *line = NULL;
    va_list list;
    va_start(list, fmt);
    int n = vasprintf(&line, fmt, list);
    va_end(list);
    if (n < 0)
        die("out of memory");
    add_bytes(t, line, (size_t)n);
    free(line);
}

static void add_filler(struct text *t, size_t n)
{
    static const char words[] = "Tokens come and go and somebody has to count every one of them. ";
    while (n > 0) {
        size_t part = n < sizeof(words) - 1 ? n : sizeof(words) - 1;
        add_bytes(t, words, part);
        n -= part;
    }
}

// Before and after the filler that brings a text to its size.
static struct text filled(const char *before, const char *after, size_t size)
{
    struct text t = {0};
    size_t have = strlen(before) + strlen(after);
    add(&t, "%s", before);
    add_filler(&t, size > have ? size - have : 0);
    add(&t, "%s", after);
    return t;
}

static void add_chunk(struct text *t, const struct text *data)
{
    add(t, "%zx\r\n", data->n);
    add_bytes(t, data->p, data->n);
    add(t, "\r\n");
}

static void add_chunk_of(struct text *t, const char *data)
{
    add_chunk(t, &(struct text){(char *)data, strlen(data)});
}

// --- replies --------------------------------------------------------------------------------

static const struct {
    const char *json_before, *json_after;   // a whole reply
    const char *frame_before, *frame_after; // one event
    const char *start, *end;                // events around the frames; NULL: none
    const char *done;
    int around; // how many events that makes
} shapes[DIALECTS] = {
    [OPENAI] =
        {
            .json_before = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":"
                           "1780000000,\"model\":\"bench-json\",\"choices\":[{\"index\":0,"
                           "\"message\":{\"role\":\"assistant\",\"content\":\"",
            .json_after = "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                          "\"usage\":{\"prompt_tokens\":211,\"completion_tokens\":57,"
                          "\"total_tokens\":268,\"prompt_tokens_details\":{\"cached_tokens\":0}},"
                          "\"system_fingerprint\":\"fp_bench\"}",
            .frame_before =
                "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":"
                "1780000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
                "t=0000000000000000000 ",
            .frame_after = "\"}}]}\n\n",
            .done = "data: [DONE]\n\n",
            .around = 2,
        },
    [CLAUDE] =
        {
            .json_before = "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                           "\"model\":\"bench-json\",\"content\":[{\"type\":\"text\",\"text\":\"",
            .json_after = "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{"
                          "\"input_tokens\":211,\"cache_creation_input_tokens\":0,"
                          "\"cache_read_input_tokens\":0,\"output_tokens\":57}}",
            .start =
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
                "\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"bench\","
                "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
                "\"input_tokens\":211,\"output_tokens\":1}}}\n\n"
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            .frame_before =
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                "\"delta\":{\"type\":\"text_delta\",\"text\":\"t=0000000000000000000 ",
            .frame_after = "\"}}\n\n",
            .end = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"
                   "0}\n\n",
            .done = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            .around = 5,
        },
};

int payload_events(enum dialect dialect, int frames)
{
    return frames + shapes[dialect].around;
}

struct text payload_json(enum dialect dialect)
{
    struct text body = filled(shapes[dialect].json_before, shapes[dialect].json_after, JSON_BODY),
                t = {0};
    add(&t,
        "HTTP/1.1 200 OK\r\nserver: mock\r\ndate: Mon, 01 Jun 2026 12:00:00 GMT\r\n"
        "content-type: application/json\r\ncontent-length: %zu\r\nx-request-id: req_bench\r\n\r\n",
        body.n);
    add_bytes(&t, body.p, body.n);
    free(body.p);
    return t;
}

struct text payload_stream_head(enum dialect dialect)
{
    struct text t = {0};
    add(&t, "HTTP/1.1 200 OK\r\nserver: mock\r\ndate: Mon, 01 Jun 2026 12:00:00 GMT\r\n"
            "content-type: text/event-stream\r\ncache-control: no-cache\r\n"
            "transfer-encoding: chunked\r\nx-request-id: req_bench\r\n\r\n");
    if (shapes[dialect].start)
        add_chunk_of(&t, shapes[dialect].start);
    return t;
}

struct text payload_frame(enum dialect dialect, size_t *stamp)
{
    struct text t = {0};
    struct text data =
        filled(shapes[dialect].frame_before, shapes[dialect].frame_after, PAYLOAD_FRAME);
    add_chunk(&t, &data);
    *stamp = (size_t)(strstr(t.p, "t=0") + 2 - t.p);
    free(data.p);
    return t;
}

void payload_stamp(char *at, int64_t ns)
{
    for (int i = PAYLOAD_STAMP_DIGITS - 1; i >= 0; i--, ns /= 10)
        at[i] = (char)('0' + ns % 10);
}

static struct text usage_event(enum dialect dialect, int tokens)
{
    struct text t = {0};
    if (dialect == CLAUDE)
        add(&t,
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
            "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%d}}\n\n",
            tokens);
    else
        add(&t,
            "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":"
            "1780000000,\"model\":\"bench\",\"choices\":[],\"usage\":{\"prompt_tokens\":211,"
            "\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
            tokens, tokens + 211);
    return t;
}

struct text payload_end(enum dialect dialect, int frames)
{
    struct text t = {0}, usage = usage_event(dialect, frames < 1 ? 1 : frames);
    if (shapes[dialect].end)
        add_chunk_of(&t, shapes[dialect].end);
    add_chunk(&t, &usage);
    free(usage.p);
    add_chunk_of(&t, shapes[dialect].done);
    add(&t, "0\r\n\r\n");
    return t;
}

struct text payload_burst(enum dialect dialect, int frames)
{
    size_t stamp;
    struct text t = payload_stream_head(dialect);
    struct text frame = payload_frame(dialect, &stamp), end = payload_end(dialect, frames);
    for (int i = 0; i < frames; i++)
        add_bytes(&t, frame.p, frame.n);
    add_bytes(&t, end.p, end.n);
    free(frame.p);
    free(end.p);
    return t;
}

// --- requests -------------------------------------------------------------------------------

// A conversation of turns of about 4 KB, until it is long enough.
static struct text request_body(const struct payload_request *wish)
{
    enum { TURN = 4000 };
    struct text t = {0};
    add(&t, "{\"model\":\"%s\",", wish->model);
    if (wish->dialect == CLAUDE)
        add(&t, "\"max_tokens\":1024,\"system\":\"You are a helpful assistant.\",\"messages\":[");
    else
        add(&t, "\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful "
                "assistant.\"},");
    for (int turn = 0; turn == 0 || t.n + 200 < wish->body; turn++) {
        size_t left = wish->body > t.n + 200 ? wish->body - t.n - 200 : 1;
        add(&t, "%s{\"role\":\"%s\",\"content\":\"It said \\\"go\\\":\\n", turn ? "," : "",
            turn % 2 ? "assistant" : "user");
        add_filler(&t, left < TURN ? left : TURN);
        add(&t, "\"}");
    }
    add(&t, "],\"temperature\":0.7,\"stream\":%s%s}", wish->stream ? "true" : "false",
        wish->stream && wish->dialect == OPENAI ? ",\"stream_options\":{\"include_usage\":true}"
                                                : "");
    return t;
}

struct text payload_request(const struct payload_request *wish)
{
    struct text body = request_body(wish), t = {0};
    add(&t,
        "POST %s HTTP/1.1\r\nhost: localhost:%d\r\nuser-agent: OpenAI/JS 7.57.0\r\n"
        "accept: application/json\r\ncontent-type: application/json\r\n"
        "%s%s\r\naccept-encoding: gzip, deflate\r\nx-stainless-lang: js\r\n%s"
        "content-length: %zu\r\n\r\n",
        wish->path, wish->port, wish->dialect == CLAUDE ? "x-api-key: " : "authorization: Bearer ",
        wish->key, wish->dialect == CLAUDE ? "anthropic-version: 2023-06-01\r\n" : "", body.n);
    add_bytes(&t, body.p, body.n);
    free(body.p);
    return t;
}
