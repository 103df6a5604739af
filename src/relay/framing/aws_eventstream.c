// AWS's binary event stream: messages of a prelude, headers and a payload, whose checksums must be
// right. (bedrock.md 4)

#include "common/arena.h"
#include "common/hash.h"
#include "relay/chat.h"

enum {
    PRELUDE = 12, // total length, length of the headers, checksum of both
    LEAST = PRELUDE + 4,
    HEADERS_MOST = 128 << 10,
    MOST = (24 << 20) + HEADERS_MOST + LEAST,
    TYPE_TEXT = 7,
    TYPES = 10,
};

static uint32_t number(const char *p, size_t bytes)
{
    uint32_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

// --- reading --------------------------------------------------------------------

// What the headers of a message say.
struct headers {
    struct str kind, event, exception, code, words;
};

static const struct {
    const char *name;
    size_t at;
} known[] = {
    {":message-type", offsetof(struct headers, kind)},
    {":event-type", offsetof(struct headers, event)},
    {":exception-type", offsetof(struct headers, exception)},
    {":error-code", offsetof(struct headers, code)},
    {":error-message", offsetof(struct headers, words)},
};

// Cuts the first n bytes off; false if there are not so many.
static bool take(struct str *rest, size_t n, struct str *out)
{
    if (rest->n < n)
        return false;
    *out = (struct str){rest->p, n};
    *rest = str_skip(*rest, n);
    return true;
}

static bool take_number(struct str *rest, size_t bytes, size_t *out)
{
    struct str piece;
    if (!take(rest, bytes, &piece))
        return false;
    *out = number(piece.p, bytes);
    return true;
}

// By type: how long a value is; 0xff says that two bytes in front of it tell.
static bool take_value(struct str *rest, size_t type, struct str *out)
{
    static const unsigned char sizes[TYPES] = {0, 0, 1, 2, 4, 8, 0xff, 0xff, 8, 16};
    if (type >= TYPES)
        return false;
    size_t n = sizes[type];
    return (n != 0xff || take_number(rest, 2, &n)) && take(rest, n, out);
}

static bool read_headers(struct str rest, struct headers *out)
{
    struct str name, value;
    size_t n, type;
    while (rest.n) {
        if (!take_number(&rest, 1, &n) || !n || !take(&rest, n, &name) ||
            !take_number(&rest, 1, &type) || !take_value(&rest, type, &value))
            return false;
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            if (type == TYPE_TEXT && str_is(name, known[i].name))
                *(struct str *)((char *)out + known[i].at) = value;
    }
    return true;
}

// An error has no payload: its words become one, as an exception has it.
static struct str words_of(struct arena *a, struct str words)
{
    BUF_HERE(out, words.n * 6 + 64);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    json_strn(&j, "message", utf8_valid(words) ? words : STR(""));
    json_end(&j);
    return str_of(arena_str(a, buf_view(&out)));
}

static const char *read_message(struct str headers, struct str payload, struct arena *a,
                                struct frame *out)
{
    struct headers h = {0};
    if (!read_headers(headers, &h))
        return "malformed headers";
    out->event = h.event;
    out->payload = payload;
    if (str_is(h.kind, "event"))
        return NULL;
    out->failed = true;
    if (str_is(h.kind, "exception")) {
        out->event = h.exception;
        out->payload = payload.n ? payload : STR("{}");
        return NULL;
    }
    if (!str_is(h.kind, "error"))
        return "neither an event nor a failure";
    out->event = h.code;
    out->payload = words_of(a, h.words);
    return NULL;
}

static const char *check_prelude(const char *p, size_t total, size_t headers)
{
    if (hash_crc32(0, p, PRELUDE - 4) != number(p + PRELUDE - 4, 4))
        return "bad checksum of the prelude";
    return total < LEAST || total > MOST || headers > HEADERS_MOST || headers > total - LEAST
               ? "impossible lengths"
               : NULL;
}

// What cannot be read takes the whole rest with it: where the next message begins is not known.
static bool aws_next(struct cutter *c, struct str all, bool last, struct arena *a,
                     struct frame *out)
{
    (void)last; // half a message is none
    struct str rest = str_skip(all, c->at);
    if (rest.n < PRELUDE)
        return false;
    size_t total = number(rest.p, 4), headers = number(rest.p + 4, 4);
    const char *wrong = check_prelude(rest.p, total, headers);
    if (!wrong && rest.n < total)
        return false;
    *out = (struct frame){.raw = {rest.p, wrong ? rest.n : total}};
    if (!wrong && hash_crc32(0, rest.p, total - 4) != number(rest.p + total - 4, 4))
        wrong = "bad checksum";
    if (!wrong)
        wrong =
            read_message((struct str){rest.p + PRELUDE, headers},
                         (struct str){rest.p + PRELUDE + headers, total - headers - LEAST}, a, out);
    if (wrong)
        *out = (struct frame){.raw = rest, .payload = STR(""), .broken = wrong};
    c->at += out->raw.n;
    c->scanned = c->at;
    return true;
}

const struct framing aws_eventstream_framing = {"aws_eventstream",
                                                "application/vnd.amazon.eventstream", aws_next};

// --- writing --------------------------------------------------------------------

static void put_number(char *p, size_t n, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--, n >>= 8)
        p[i - 1] = (char)(n & 0xff);
}

static void put_header(struct buf *out, const char *name, const char *value)
{
    char n[3] = {TYPE_TEXT, 0, 0};
    buf_add(out, (char[]){(char)strlen(name)}, 1);
    buf_puts(out, name);
    put_number(n + 1, strlen(value), 2);
    buf_add(out, n, sizeof(n));
    buf_puts(out, value);
}

void aws_eventstream_write(struct buf *out, const char *kind, const char *type, struct str payload)
{
    size_t from = out->n;
    char prelude[PRELUDE] = {0}, sum[4];
    bool event = !strcmp(kind, "event");
    buf_add(out, prelude, PRELUDE);
    put_header(out, event ? ":event-type" : ":exception-type", type);
    put_header(out, ":content-type", "application/json");
    put_header(out, ":message-type", kind);
    size_t headers = out->n - from - PRELUDE;
    buf_str(out, payload);
    buf_add(out, sum, sizeof(sum));
    if (out->overflow)
        return;
    char *p = out->p + from;
    size_t total = out->n - from;
    put_number(p, total, 4);
    put_number(p + 4, headers, 4);
    put_number(p + 8, hash_crc32(0, p, 8), 4);
    put_number(p + total - 4, hash_crc32(0, p, total - 4), 4);
}
