// A scanner for one pair of tags at the begin of the text; tags may be split anywhere.

#include "relay/dialect/think.h"

#include <string.h>

#include "common/arena.h"

static const char OPEN[] = "<think>", CLOSE[] = "</think>";

static void free_text(void *buf)
{
    buf_free(buf);
}

void think_init(struct think *t, struct chat_reader *r, struct chat_choice *c)
{
    *t = (struct think){.r = r, .c = c, .held = BUF((size_t)32 << 20)};
    arena_defer(r->arena, free_text, &t->held);
}

static struct err *send(struct think *t, enum part_kind kind, size_t n, size_t skip)
{
    struct err *e = chat_piece(t->r, t->c, kind, (struct str){t->held.p, n});
    buf_drop(&t->held, n + skip);
    return e;
}

// False when more must come first.
static bool look_for_open(struct think *t)
{
    struct str text = buf_view(&t->held);
    while (text.n && strchr(" \t\r\n", text.p[0]))
        text = str_skip(text, 1);
    size_t n = text.n < sizeof(OPEN) - 1 ? text.n : sizeof(OPEN) - 1;
    if (n && memcmp(text.p, OPEN, n) != 0) {
        t->at = THINK_OVER;
        return true;
    }
    if (n < sizeof(OPEN) - 1)
        return false;
    buf_drop(&t->held, t->held.n - text.n + n);
    t->at = THINK_INSIDE;
    return true;
}

static size_t tail_that_may_close(const struct buf *b)
{
    for (size_t n = sizeof(CLOSE) - 2; n > 0; n--)
        if (b->n >= n && !memcmp(b->p + b->n - n, CLOSE, n))
            return n;
    return 0;
}

static struct err *inside(struct think *t, bool *more)
{
    const char *end = memmem(t->held.p, t->held.n, CLOSE, sizeof(CLOSE) - 1);
    *more = end != NULL;
    if (!end)
        return send(t, PART_THINKING, t->held.n - tail_that_may_close(&t->held), 0);
    t->at = THINK_BEHIND;
    return send(t, PART_THINKING, (size_t)(end - t->held.p), sizeof(CLOSE) - 1);
}

static bool behind(struct think *t)
{
    size_t n = 0;
    while (n < t->held.n && (t->held.p[n] == '\n' || t->held.p[n] == '\r'))
        n++;
    buf_drop(&t->held, n);
    if (t->held.n)
        t->at = THINK_OVER;
    return t->held.n > 0;
}

static struct err *step(struct think *t, bool *more)
{
    switch (t->at) {
    case THINK_UNSEEN: *more = look_for_open(t); return NULL;
    case THINK_INSIDE: return inside(t, more);
    case THINK_BEHIND: *more = behind(t); return NULL;
    default: *more = false; return send(t, PART_TEXT, t->held.n, 0);
    }
}

struct err *think_text(struct think *t, struct str text)
{
    if (t->at == THINK_OVER)
        return chat_piece(t->r, t->c, PART_TEXT, text);
    buf_str(&t->held, text);
    for (bool more = true; more;)
        TRY(step(t, &more));
    return NULL;
}

struct err *think_end(struct think *t)
{
    enum part_kind kind = t->at == THINK_INSIDE ? PART_THINKING : PART_TEXT;
    t->at = THINK_OVER;
    return send(t, kind, t->held.n, 0);
}
