// Leaving out the fences around a text, wherever the packets cut them.

#include "relay/dialect/fence.h"

#include <string.h>

#include "common/arena.h"

static const char MARK[] = "```";
enum { MARK_SIZE = 3, TAIL_MOST = 64 };

void fence_init(struct fence *f, struct chat_reader *r, struct chat_choice *c)
{
    *f = (struct fence){.r = r, .c = c, .held = BUF((size_t)32 << 20)};
    arena_defer_buf(r->arena, &f->held);
}

static struct err *send(struct fence *f, size_t n)
{
    struct err *e = chat_piece(f->r, f->c, PART_TEXT, (struct str){f->held.p, n});
    buf_drop(&f->held, n);
    return e;
}

// False when more must come first: the whole first line is needed.
static bool look(struct fence *f)
{
    struct str text = buf_view(&f->held);
    while (text.n && strchr(" \t\r\n", text.p[0]))
        text = str_skip(text, 1);
    size_t n = text.n < MARK_SIZE ? text.n : MARK_SIZE;
    const char *eol = text.n ? memchr(text.p, '\n', text.n) : NULL;
    if ((n && memcmp(text.p, MARK, n) != 0) || (!eol && text.n > TAIL_MOST)) {
        f->at = FENCE_NONE;
        return true;
    }
    if (!eol)
        return false;
    buf_drop(&f->held, (size_t)(eol + 1 - f->held.p));
    f->at = FENCE_INSIDE;
    return true;
}

// What stands behind the last character that is neither blank nor a mark may be the closing fence.
static size_t without_tail(const struct buf *b)
{
    size_t n = b->n;
    while (n && strchr(" \t\r\n`", b->p[n - 1]))
        n--;
    return n;
}

struct err *fence_text(struct fence *f, struct str text)
{
    if (f->at == FENCE_NONE)
        return chat_piece(f->r, f->c, PART_TEXT, text);
    buf_str(&f->held, text);
    if (f->at == FENCE_UNSEEN && !look(f))
        return NULL;
    return send(f, f->at == FENCE_NONE ? f->held.n : without_tail(&f->held));
}

struct err *fence_end(struct fence *f)
{
    const char *mark = f->held.n ? memmem(f->held.p, f->held.n, MARK, MARK_SIZE) : NULL;
    bool closing = f->at == FENCE_INSIDE && mark;
    struct err *e = send(f, closing ? 0 : f->held.n);
    buf_clear(&f->held);
    f->at = FENCE_UNSEEN;
    return e;
}

struct str format_prompt(struct arena *a, const struct chat_request *in)
{
    if (in->format == FORMAT_JSON)
        return STR("Answer with one JSON object and nothing else, without code fences.");
    struct str schema = json_text_of(a, in->schema);
    return str_of(arena_printf(a,
                               "Answer with one JSON value that matches this JSON Schema and "
                               "nothing else, without code fences:\n%.*s",
                               STR_ARGS(schema)));
}
