// Reads one HTTP/1.1 reply after another and counts what is in it, server-sent events included.

#include "reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STAMP "t="
enum { STAMP_DIGITS = 19 };

void reader_reset(struct reader *r)
{
    *r = (struct reader){.head = r->head, .keep_alive = true, .line_empty = true};
}

static void bad(struct reader *r, const char *why)
{
    r->state = READER_BAD;
    r->why = why;
}

// --- the head -----------------------------------------------------------------------------

static void take_header(struct reader *r, const char *line, size_t n)
{
    static const char length[] = "content-length:", encoding[] = "transfer-encoding: chunked",
                      type[] = "content-type: text/event-stream", close[] = "connection: close";
    if (n >= sizeof(length) && !strncasecmp(line, length, sizeof(length) - 1)) {
        r->left = strtoll(line + sizeof(length) - 1, NULL, 10);
        r->state = READER_AT_LENGTH;
    } else if (n >= sizeof(encoding) - 1 && !strncasecmp(line, encoding, sizeof(encoding) - 1)) {
        r->state = READER_AT_SIZE;
    } else if (n >= sizeof(type) - 1 && !strncasecmp(line, type, sizeof(type) - 1)) {
        r->sse = true;
    } else if (n >= sizeof(close) - 1 && !strncasecmp(line, close, sizeof(close) - 1)) {
        r->keep_alive = false;
    }
}

static void parse_head(struct reader *r)
{
    const char *at = r->head, *end = r->head + r->head_n;
    if (r->head_n < 15 || memcmp(at, "HTTP/1.1 ", 9) != 0)
        return bad(r, "no HTTP/1.1 status line");
    r->status = (int)strtol(at + 9, NULL, 10);
    while ((at = memchr(at, '\n', (size_t)(end - at))) && ++at < end) {
        const char *stop = memchr(at, '\r', (size_t)(end - at));
        take_header(r, at, (size_t)((stop ? stop : end) - at));
    }
    r->head_n = 0;
    if (r->state == READER_AT_HEAD)
        bad(r, "a reply without length");
    else if (r->state == READER_AT_LENGTH && r->left == 0)
        r->state = READER_DONE;
}

static size_t take_head(struct reader *r, const char *p, size_t n)
{
    size_t had = r->head_n, room = READER_HEAD - 1 - had;
    size_t copy = n < room ? n : room;
    memcpy(r->head + had, p, copy);
    size_t from = had > 3 ? had - 3 : 0;
    char *end = memmem(r->head + from, had + copy - from, "\r\n\r\n", 4);
    r->head_n = had + copy;
    if (!end) {
        if (copy == room)
            bad(r, "the head is too long");
        return copy;
    }
    size_t used = (size_t)(end + 4 - r->head) - had;
    r->head_n = had + used;
    r->head[r->head_n] = 0;
    parse_head(r);
    return used;
}

// --- the body -----------------------------------------------------------------------------

static void keep_tail(struct reader *r, const char *p, size_t n)
{
    if (n >= READER_TAIL) {
        memcpy(r->tail, p + n - READER_TAIL, READER_TAIL);
        r->tail_n = READER_TAIL;
        return;
    }
    size_t keep = READER_TAIL - n < r->tail_n ? READER_TAIL - n : r->tail_n;
    memmove(r->tail, r->tail + r->tail_n - keep, keep);
    memcpy(r->tail + keep, p, n);
    r->tail_n = keep + n;
}

static void take_stamp(const char *line, size_t n, int64_t now, struct histogram *lag)
{
    const char *at = memmem(line, n, STAMP, sizeof(STAMP) - 1);
    if (!at || at + sizeof(STAMP) - 1 + STAMP_DIGITS > line + n)
        return;
    int64_t stamp = strtoll(at + sizeof(STAMP) - 1, NULL, 10);
    if (stamp > 0)
        histogram_add(lag, now - stamp);
}

// An event ends with an empty line. Most lines come in one piece; a stamp that does not is skipped.
static void count_events(struct reader *r, const char *p, size_t n, int64_t now,
                         struct histogram *lag)
{
    const char *end = p + n;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t length = (size_t)((newline ? newline : end) - p);
        bool empty = length == 0 || (length == 1 && *p == '\r');
        if (!empty) {
            r->line_empty = false;
            if (lag)
                take_stamp(p, length, now, lag);
        }
        if (!newline)
            return;
        if (r->line_empty)
            r->frames++;
        r->line_empty = true;
        p = newline + 1;
    }
}

static void take_body(struct reader *r, const char *p, size_t n, int64_t now, struct histogram *lag)
{
    r->body += (int64_t)n;
    if (r->status != 200) {
        size_t room = READER_HEAD - 1 - r->head_n;
        size_t copy = n < room ? n : room;
        memcpy(r->head + r->head_n, p, copy);
        r->head_n += copy;
    }
    keep_tail(r, p, n);
    if (r->sse)
        count_events(r, p, n, now, lag);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The bytes of a chunk's size line; `left` grows by its digits.
static size_t take_size(struct reader *r, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int value = digit(p[i]);
        if (value >= 0) {
            r->left = r->left * 16 + value;
        } else if (p[i] == '\n') {
            r->state = r->left ? READER_AT_CHUNK : READER_AT_TRAILER;
            return i + 1;
        } else if (p[i] != '\r') {
            bad(r, "a chunk's size is not a number");
            return i;
        }
    }
    return n;
}

static size_t take_chunk_end(struct reader *r, const char *p, size_t n, enum reader_state next)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') {
            r->state = next;
            return i + 1;
        }
        if (p[i] != '\r') {
            bad(r, "a chunk is longer than its size");
            return i;
        }
    }
    return n;
}

static size_t take_data(struct reader *r, const char *p, size_t n, int64_t now,
                        struct histogram *lag)
{
    size_t use = (int64_t)n < r->left ? n : (size_t)r->left;
    take_body(r, p, use, now, lag);
    r->left -= (int64_t)use;
    if (r->left == 0)
        r->state = r->state == READER_AT_LENGTH ? READER_DONE : READER_AT_CHUNK_END;
    return use;
}

size_t reader_take(struct reader *r, const char *p, size_t n, int64_t now, struct histogram *lag)
{
    size_t used = 0;
    while (used < n && r->state < READER_DONE) {
        const char *at = p + used;
        size_t left = n - used;
        switch (r->state) {
        case READER_AT_HEAD: used += take_head(r, at, left); break;
        case READER_AT_SIZE: used += take_size(r, at, left); break;
        case READER_AT_CHUNK_END: used += take_chunk_end(r, at, left, READER_AT_SIZE); break;
        case READER_AT_TRAILER: used += take_chunk_end(r, at, left, READER_DONE); break;
        default: used += take_data(r, at, left, now, lag);
        }
    }
    return used;
}

bool reader_whole(const struct reader *r)
{
    static const char *const last[] = {"data: [DONE]", "message_stop\""};
    if (!r->sse)
        return r->tail_n && r->tail[r->tail_n - 1] == '}';
    for (size_t i = 0; i < sizeof(last) / sizeof(*last); i++)
        if (memmem(r->tail, r->tail_n, last[i], strlen(last[i])))
            return true;
    return false;
}
