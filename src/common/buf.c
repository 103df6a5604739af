// Growing by doubling, never past the limit.

#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

void buf_free(struct buf *b)
{
    if (b->cap)
        free(b->p);
    *b = BUF(b->limit);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
    if (b->cap)
        b->p[0] = '\0';
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->overflow || n > b->limit - b->n) {
        b->overflow = true;
        return NULL;
    }
    if (b->n + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 128;
        if (cap < b->n + n + 1)
            cap = b->n + n + 1;
        b->p = mem_resize(b->cap ? b->p : NULL, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_grew(struct buf *b, size_t n)
{
    if (!n)
        return;
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_add_slow(struct buf *b, const char *s, size_t n)
{
    if (!n)
        return;
    char *room = buf_room(b, n);
    if (!room)
        return;
    memcpy(room, s, n);
    buf_grew(b, n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *room = n > 0 ? buf_room(b, (size_t)n) : NULL;
    if (room) {
        vsnprintf(room, (size_t)n + 1, fmt, again);
        buf_grew(b, (size_t)n);
    }
    va_end(again);
    va_end(args);
}

void buf_int(struct buf *b, int64_t v)
{
    char text[24], *p = text + sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        *--p = '-';
    buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_drop(struct buf *b, size_t n)
{
    if (!n)
        return;
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

struct str buf_view(const struct buf *b)
{
    return (struct str){b->p, b->n};
}
