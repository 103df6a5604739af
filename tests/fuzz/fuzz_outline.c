// Outlines: a text is JSON exactly if its outline is, with the same values but for what was cut;
// and its members stand where the outline says. Every '@' of an input stands for a long text.

#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/json_edit.h"
#include "input.h"

enum { LONG = OUTLINE_LONG + 100, MOST = 16 << 20 };

static void expand(struct buf *out, struct str text)
{
    static char filler[LONG];
    memset(filler, 'x', sizeof(filler));
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '@')
            buf_add(out, filler, sizeof(filler));
        else
            buf_add(out, &text.p[i], 1);
}

static bool is_cut(yyjson_val *short_one, yyjson_val *whole)
{
    return yyjson_is_str(short_one) && yyjson_is_str(whole) &&
           yyjson_get_len(short_one) == OUTLINE_KEPT && yyjson_get_len(whole) > OUTLINE_LONG / 6;
}

// In the order of the texts, which is that of the values.
static void same_but_cut(yyjson_val *outline, yyjson_val *whole)
{
    yyjson_val *end = unsafe_yyjson_get_next(outline);
    for (; outline < end; outline++, whole++) {
        bool container = yyjson_is_ctn(outline);
        HOLDS(yyjson_get_type(outline) == yyjson_get_type(whole));
        HOLDS(container ? unsafe_yyjson_get_len(outline) == unsafe_yyjson_get_len(whole)
                        : yyjson_equals(outline, whole) || is_cut(outline, whole));
    }
}

// The name's own quote is at the place that the outline tells.
static void places_are_right(const struct outline *o, const char *pool, yyjson_val *root,
                             struct str text)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, i, max, key, value)
    {
        size_t at = (size_t)(yyjson_get_str(key) - pool) - 1, place = json_outline_place(o, at);
        HOLDS(place < text.n && text.p[place] == '"');
        HOLDS(o->text.p[at + 1] == text.p[place + 1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    ARENA(a);
    BUF_HERE(text, MOST);
    expand(&text, in.text);
    struct outline o;
    yyjson_val *root, *whole;
    const char *pool;
    if (text.overflow || !json_outline(a, buf_view(&text), &o))
        return 0;
    bool fine = !json_read_pooled(a, o.text, &root, &pool);
    HOLDS(fine == !json_read(a, buf_view(&text), &whole));
    if (fine) {
        same_but_cut(root, whole);
        places_are_right(&o, pool, root, buf_view(&text));
    }
    return 0;
}
