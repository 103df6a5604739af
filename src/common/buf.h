// A growing byte buffer. Always NUL-terminated; refuses to grow past its limit.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/str.h"

struct buf {
    char *p;
    size_t n, cap, limit;
    bool overflow; // sticky: check once, at the end
};

#define BUF(limit_) ((struct buf){.p = (char *)"", .limit = (limit_)})

void buf_free(struct buf *b);  // gives the memory back; the buffer stays usable
void buf_clear(struct buf *b); // forgets the bytes, keeps the memory
void buf_add_slow(struct buf *b, const char *s, size_t n); // where there is no room yet
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_int(struct buf *b, int64_t v); // decimal, without printf's cost
void buf_drop(struct buf *b, size_t n); // forget the first n bytes

// Room for n more bytes to be written in place; then buf_grew(b, how many). NULL on overflow.
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

struct str buf_view(const struct buf *b);

// Inline: replies are written a few bytes at a time.
static inline void buf_add(struct buf *b, const char *s, size_t n)
{
    if (n < b->cap - b->n && n <= b->limit - b->n && b->cap && n && !b->overflow) {
        memcpy(b->p + b->n, s, n);
        b->n += n;
        b->p[b->n] = '\0';
    } else {
        buf_add_slow(b, s, n);
    }
}

static inline void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

static inline void buf_free_at(struct buf *b)
{
    buf_free(b);
}
#define BUF_HERE(name, limit_) __attribute__((cleanup(buf_free_at))) struct buf name = BUF(limit_)
