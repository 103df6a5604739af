// A scanner for one pair of tags at the begin of the text; tags may be split anywhere.

#include "relay/dialect/think.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/fence.h"

static const struct {
    struct str open, close;
} tags[] = {
    [THINK_SHORT] = {STR("<think>"), STR("</think>")},
    [THINK_LONG] = {STR("<thinking>"), STR("</thinking>")},
};

void think_init(struct think *t, struct chat_reader *r, struct chat_choice *c, enum think_tag tag)
{
    *t = (struct think){.r = r, .c = c, .tag = tag, .held = BUF((size_t)32 << 20)};
    arena_defer_buf(r->arena, &t->held);
}

static struct err *say(struct think *t, enum part_kind kind, struct str text)
{
    return t->then && kind == PART_TEXT ? fence_text(t->then, text)
                                        : chat_piece(t->r, t->c, kind, text);
}

static struct err *send(struct think *t, enum part_kind kind, size_t n, size_t skip)
{
    struct err *e = say(t, kind, (struct str){t->held.p, n});
    buf_drop(&t->held, n + skip);
    return e;
}

// False when more must come first.
static bool look_for_open(struct think *t)
{
    struct str text = buf_view(&t->held);
    while (text.n && strchr(" \t\r\n", text.p[0]))
        text = str_skip(text, 1);
    struct str open = tags[t->tag].open;
    size_t n = text.n < open.n ? text.n : open.n;
    if (n && memcmp(text.p, open.p, n) != 0) {
        t->at = THINK_OVER;
        return true;
    }
    if (n < open.n)
        return false;
    buf_drop(&t->held, t->held.n - text.n + n);
    t->at = THINK_INSIDE;
    return true;
}

static size_t tail_that_may_close(const struct think *t)
{
    const struct buf *b = &t->held;
    struct str close = tags[t->tag].close;
    for (size_t n = close.n - 1; n > 0; n--)
        if (b->n >= n && !memcmp(b->p + b->n - n, close.p, n))
            return n;
    return 0;
}

static struct err *inside(struct think *t, bool *more)
{
    struct str close = tags[t->tag].close;
    const char *end = memmem(t->held.p, t->held.n, close.p, close.n);
    *more = end != NULL;
    if (!end)
        return send(t, PART_THINKING, t->held.n - tail_that_may_close(t), 0);
    t->at = THINK_BEHIND;
    return send(t, PART_THINKING, (size_t)(end - t->held.p), close.n);
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
        return say(t, PART_TEXT, text);
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
