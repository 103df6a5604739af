// Where a member's value begins and ends, found by its key's place in yyjson's copy.

#include "common/json_edit.h"

#include <string.h>

#include "common/arena.h"

static struct err *read_all(struct arena *a, struct str text, struct json_text *out)
{
    *out = (struct json_text){.text = text};
    TRY(json_read_pooled(a, text, &out->root, &out->pool));
    return yyjson_is_obj(out->root) ? NULL : err_new(a, &err_body_invalid, "not a JSON object");
}

// What is wrong with a text, and where, is found by reading all of it.
struct err *json_text_read(struct arena *a, struct str text, struct json_text *out)
{
    struct outline outline;
    if (text.n < JSON_TEXT_LARGE || !json_outline(a, text, &outline) ||
        read_all(a, outline.text, out))
        return read_all(a, text, out);
    out->text = text;
    out->outline = outline;
    return NULL;
}

struct err *json_text_read_whole(struct arena *a, struct json_text *t)
{
    return t->outline.text.p ? read_all(a, t->text, t) : NULL;
}

// The text is known to be valid: nothing here needs to look for its end.

static size_t skip_blank(const char *p, size_t at)
{
    while (p[at] == ' ' || p[at] == '\t' || p[at] == '\n' || p[at] == '\r')
        at++;
    return at;
}

static size_t skip_string(const char *p, size_t at)
{
    for (at++; p[at] != '"'; at++)
        if (p[at] == '\\')
            at++;
    return at + 1;
}

static size_t skip_container(const char *p, size_t at)
{
    int depth = 0;
    do {
        if (p[at] == '"') {
            at = skip_string(p, at);
            continue;
        }
        depth += p[at] == '{' || p[at] == '[';
        depth -= p[at] == '}' || p[at] == ']';
        at++;
    } while (depth);
    return at;
}

static size_t skip_value(const char *p, size_t at)
{
    if (p[at] == '"')
        return skip_string(p, at);
    if (p[at] == '{' || p[at] == '[')
        return skip_container(p, at);
    while (!strchr(" \t\r\n,}]", p[at]))
        at++;
    return at;
}

struct span {
    size_t from, to;
    struct str before, value; // what replaces it: before, then value
};

// Of a member that is there, its value; of one that is not, the place behind the opening brace, and
// what is put there ends in a comma.
static struct span span_of(struct arena *a, const struct json_text *t, const struct json_edit *edit)
{
    const char *p = t->text.p;
    yyjson_val *value = yyjson_obj_get(t->root, edit->key);
    if (!value) {
        size_t at = skip_blank(p, 0) + 1;
        BUF_HERE(key, SIZE_MAX);
        json_quote(&key, str_of(edit->key));
        const char *before = arena_printf(a, "%s:", key.p);
        const char *after = arena_printf(a, "%.*s,", STR_ARGS(edit->value));
        return (struct span){at, at, str_of(before), str_of(after)};
    }
    yyjson_val *key = NULL, *found;
    size_t i, max;
    yyjson_obj_foreach(t->root, i, max, key, found)
    {
        if (found == value)
            break;
    }
    size_t quote = json_outline_place(&t->outline, (size_t)(yyjson_get_str(key) - t->pool) - 1);
    size_t from = skip_blank(p, skip_blank(p, skip_string(p, quote)) + 1); // over ':'
    return (struct span){from, skip_value(p, from), {0}, edit->value};
}

static void sort_spans(struct span *spans, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k && spans[k].from < spans[k - 1].from; k--) {
            struct span swap = spans[k];
            spans[k] = spans[k - 1];
            spans[k - 1] = swap;
        }
}

static size_t join(struct arena *a, const struct str *pieces, size_t count, struct str *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += pieces[i].n;
    char *text = arena_raw(a, n + 1), *to = text;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].n)
            memcpy(to, pieces[i].p, pieces[i].n);
        to += pieces[i].n;
    }
    *out = (struct str){text, n};
    return 1;
}

static bool is_overruled(const struct json_edit *edits, size_t count, size_t i)
{
    for (size_t later = i + 1; later < count; later++)
        if (!strcmp(edits[later].key, edits[i].key))
            return true;
    return false;
}

static size_t find_spans(struct arena *a, const struct json_text *t, const struct json_edit *edits,
                         size_t count, struct span *spans)
{
    size_t n = 0, last_added = 0;
    bool empty = yyjson_obj_size(t->root) == 0;
    for (size_t i = 0; i < count; i++) {
        if (is_overruled(edits, count, i))
            continue;
        last_added = n;
        spans[n++] = span_of(a, t, &edits[i]);
    }
    if (empty && n)
        spans[last_added].value.n--; // no member follows its comma
    sort_spans(spans, n);
    return n;
}

size_t json_text_edit(struct arena *a, const struct json_text *t, const struct json_edit *edits,
                      size_t count, struct str *pieces, size_t most)
{
    struct span spans[JSON_EDITS_MOST];
    struct str all[JSON_EDITS_MOST * 3 + 1];
    size_t n = 0, at = 0;
    count = find_spans(a, t, edits, count < JSON_EDITS_MOST ? count : JSON_EDITS_MOST, spans);
    for (size_t i = 0; i < count; i++) {
        all[n++] = (struct str){t->text.p + at, spans[i].from - at};
        if (spans[i].before.n)
            all[n++] = spans[i].before;
        all[n++] = spans[i].value;
        at = spans[i].to;
    }
    all[n++] = str_skip(t->text, at);
    if (n > most)
        return join(a, all, n, pieces);
    memcpy(pieces, all, n * sizeof(*all));
    return n;
}
