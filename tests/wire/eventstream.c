// A plain codec: checksums bit by bit, every header by name.

#include "eventstream.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t checksum(const char *p, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put(struct buf *out, uint32_t n, int bytes)
{
    while (bytes-- > 0) {
        char c = (char)(n >> (8 * bytes));
        buf_add(out, &c, 1);
    }
}

static void put_header(struct buf *out, const char *name, struct str value)
{
    put(out, (uint32_t)strlen(name), 1);
    buf_puts(out, name);
    put(out, 7, 1);
    put(out, (uint32_t)value.n, 2);
    buf_str(out, value);
}

static void put_message(struct str kind, struct str payload, struct buf *out)
{
    bool exception = kind.p[0] == '!', error = kind.p[0] == '?';
    size_t from = out->n;
    BUF_HERE(headers, 1 << 16);
    if (error) {
        put_header(&headers, ":error-code", str_skip(kind, 1));
        put_header(&headers, ":error-message", payload);
        put_header(&headers, ":message-type", STR("error"));
        payload = STR("");
    } else {
        put_header(&headers, exception ? ":exception-type" : ":event-type",
                   str_skip(kind, exception));
        put_header(&headers, ":content-type", STR("application/json"));
        put_header(&headers, ":message-type", exception ? STR("exception") : STR("event"));
    }
    put(out, (uint32_t)(headers.n + payload.n + 16), 4);
    put(out, (uint32_t)headers.n, 4);
    put(out, checksum(out->p + from, 8), 4);
    buf_str(out, buf_view(&headers));
    buf_str(out, payload);
    put(out, checksum(out->p + from, out->n - from), 4);
}

static bool put_hex(struct str text, struct buf *out)
{
    unsigned value = 0, digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        static const char all[] = "0123456789abcdef";
        if (strchr(" \n", text.p[i]))
            continue;
        const char *at = strchr(all, text.p[i]);
        if (!at)
            return false;
        value = value << 4 | (unsigned)(at - all);
        if (++digits % 2 == 0)
            put(out, value & 0xff, 1);
    }
    return digits % 2 == 0;
}

bool eventstream_bytes(struct str lines, bool hex, struct buf *out)
{
    struct str line, kind;
    if (hex)
        return put_hex(lines, out);
    while (str_next(&lines, '\n', &line)) {
        struct str payload = line;
        if (!str_next(&payload, ' ', &kind) || !kind.n)
            return false;
        put_message(kind, payload, out);
    }
    return !out->overflow;
}

static uint32_t number(const char *p, size_t n)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

// The next header, which must be a text.
static bool next_header(struct str *rest, struct str *name, struct str *value)
{
    if (rest->n < 1)
        return false;
    size_t n = number(rest->p, 1);
    if (rest->n < n + 4 || rest->p[n + 1] != 7)
        return false;
    *name = (struct str){rest->p + 1, n};
    size_t length = number(rest->p + n + 2, 2);
    if (rest->n < n + 4 + length)
        return false;
    *value = (struct str){rest->p + n + 4, length};
    *rest = str_skip(*rest, n + 4 + length);
    return true;
}

// Exactly the three headers that AWS sends, in its order.
static bool take_message(struct str headers, struct str payload, struct buf *out)
{
    struct str names[3], values[3];
    for (int i = 0; i < 3; i++)
        if (!next_header(&headers, &names[i], &values[i]))
            return false;
    bool exception = str_is(values[2], "exception");
    if (headers.n || !str_is(names[0], exception ? ":exception-type" : ":event-type") ||
        !str_is(names[1], ":content-type") || !str_is(values[1], "application/json") ||
        !str_is(names[2], ":message-type") || !(exception || str_is(values[2], "event")))
        return false;
    buf_puts(out, exception ? "!" : "");
    buf_str(out, values[0]);
    buf_puts(out, " ");
    buf_str(out, payload);
    buf_puts(out, "\n");
    return true;
}

bool eventstream_text(struct str bytes, struct buf *out)
{
    while (bytes.n) {
        if (bytes.n < 16)
            return false;
        size_t total = number(bytes.p, 4), headers = number(bytes.p + 4, 4);
        if (total < 16 || total > bytes.n || headers > total - 16 ||
            checksum(bytes.p, 8) != number(bytes.p + 8, 4) ||
            checksum(bytes.p, total - 4) != number(bytes.p + total - 4, 4) ||
            !take_message((struct str){bytes.p + 12, headers},
                          (struct str){bytes.p + 12 + headers, total - headers - 16}, out))
            return false;
        bytes = str_skip(bytes, total);
    }
    return true;
}
