// Bump allocation in chunks that double from the second on, released together.

#include "common/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

enum { ALIGN = _Alignof(max_align_t) };
enum { FIRST_CHUNK = 4 * 1024 - 64, SECOND_CHUNK = 1024 - 64, LARGEST_CHUNK = 256 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct deferred {
    struct deferred *next;
    void (*release)(void *);
    void *arg;
};

struct arena {
    struct chunk *chunks;
    struct deferred *deferred;
    size_t size, first;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

void *mem_new(size_t size)
{
    return must(calloc(1, size ? size : 1));
}

void *mem_resize(void *p, size_t size)
{
    return must(realloc(p, size ? size : 1));
}

char *mem_strdup(const char *s)
{
    return must(strdup(s ? s : ""));
}

struct arena *arena_new(void)
{
    return arena_small(FIRST_CHUNK);
}

struct arena *arena_small(size_t first)
{
    struct arena *a = mem_new(sizeof(*a));
    a->first = first;
    return a;
}

void arena_reset(struct arena *a)
{
    while (a->deferred) {
        struct deferred *d = a->deferred;
        a->deferred = d->next;
        d->release(d->arg);
    }
    struct chunk *keep = NULL;
    for (struct chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        if (!next && c->size <= FIRST_CHUNK)
            keep = c;
        else
            free(c);
    }
    if (keep) {
        keep->used = 0;
        keep->next = NULL;
    }
    *a = (struct arena){.chunks = keep, .size = keep ? keep->size : 0, .first = a->first};
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    free(a->chunks);
    free(a);
}

static struct chunk *chunk_new(struct arena *a, size_t at_least)
{
    size_t size = a->first;
    if (a->chunks)
        size = a->chunks->next ? a->chunks->size * 2 : SECOND_CHUNK;
    if (size > LARGEST_CHUNK)
        size = LARGEST_CHUNK;
    if (size < at_least)
        size = at_least;
    struct chunk *c = must(malloc(sizeof(*c) + size));
    *c = (struct chunk){.next = a->chunks, .size = size};
    a->chunks = c;
    a->size += size;
    return c;
}

void *arena_raw(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct chunk *c = a->chunks;
    if (!c || c->size - c->used < size)
        c = chunk_new(a, size);
    void *p = c->bytes + c->used;
    c->used += size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_raw(a, size), 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = arena_raw(a, n + 1);
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_str(a, str_of(s));
}

char *arena_str(struct arena *a, struct str s)
{
    return arena_strndup(a, s.p, s.n);
}

// Straight into what is left of the chunk; a second pass only where that was too little.
char *arena_printf(struct arena *a, const char *fmt, ...)
{
    struct chunk *c = a->chunks;
    char *spot = c ? (char *)c->bytes + c->used : NULL;
    size_t room = c ? c->size - c->used : 0;
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(spot, room, fmt, args);
    size_t need = (size_t)(n < 0 ? 0 : n) + 1;
    char *text = arena_raw(a, need);
    if (text != spot)
        vsnprintf(text, need, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

size_t arena_size(const struct arena *a)
{
    return a->size;
}

void arena_defer(struct arena *a, void (*release)(void *), void *arg)
{
    struct deferred *d = NEW(a, struct deferred);
    *d = (struct deferred){a->deferred, release, arg};
    a->deferred = d;
}

static void free_buf(void *buf)
{
    buf_free(buf);
}

void arena_defer_buf(struct arena *a, struct buf *b)
{
    arena_defer(a, free_buf, b);
}
