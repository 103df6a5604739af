// Memory that lives exactly as long as one piece of work: a request, a relay, a job.
//
// Nothing is freed one by one. Out of memory ends the process (ADR 2): the journal is already on
// disk, and the supervisor starts us again.

#pragma once
#include <stddef.h>

#include "common/str.h"

struct arena;

struct arena *arena_new(void);
struct arena *arena_small(size_t first); // for things that there are many of: its first chunk
// Releases everything; deferred calls run newest first; NULL is fine.
void arena_free(struct arena *a);
void arena_reset(struct arena *a); // same, but the arena stays usable and keeps one chunk

void *arena_alloc(struct arena *a, size_t size); // zeroed, never NULL, aligned for anything
void *arena_raw(struct arena *a, size_t size);   // the same, not zeroed
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_strdup(struct arena *a, const char *s); // NULL becomes ""
char *arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t arena_size(const struct arena *a); // bytes taken from the system, for limits and metrics

// Ties something that is not memory (a connection, a curl handle) to the arena's life.
void arena_defer(struct arena *a, void (*release)(void *), void *arg);
struct buf;
void arena_defer_buf(struct arena *a, struct buf *b); // its memory

#define NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define NEW_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (n)))

// Frees the arena of a function on every way out of it: `ARENA(a);`
static inline void arena_free_at(struct arena **a)
{
    arena_free(*a);
}
#define ARENA(name) __attribute__((cleanup(arena_free_at))) struct arena *name = arena_new()

// malloc and friends that never answer NULL.
void *mem_new(size_t size); // zeroed
void *mem_resize(void *p, size_t size);
char *mem_strdup(const char *s);
