// Counting code points, OpenAI's two forms of an annotation, citations of whole blocks.

#include "relay/dialect/cite.h"

#include <string.h>

#include "common/arena.h"

enum { CITATIONS_MOST = 4096 }; // of one block

// All bytes but those that continue a character, eight at a time: every text of a stream is
// counted.
int64_t text_points(struct str text)
{
    const uint64_t tops = 0x8080808080808080, ones = 0x0101010101010101;
    size_t at = 0, n = text.n;
    for (uint64_t word; text.n - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, text.p + at, sizeof(word));
        uint64_t others = (word & tops & ~(word << 1)) >> 7; // 10......: a one in its byte
        n -= (size_t)((others * ones) >> 56);
    }
    for (; at < text.n; at++)
        n -= (text.p[at] & 0xc0) == 0x80;
    return (int64_t)n;
}

size_t text_offset(struct str text, int64_t points)
{
    size_t at = 0;
    for (int64_t n = 0; at < text.n && (n < points || (text.p[at] & 0xc0) == 0x80); at++)
        n += (text.p[at] & 0xc0) != 0x80;
    return at;
}

struct str text_cut(struct str text, int64_t start, int64_t end)
{
    size_t from = text_offset(text, start), to = text_offset(text, end);
    return (struct str){text.p + from, to > from ? to - from : 0};
}

bool cite_read(yyjson_val *annotation, struct chat_citation *out)
{
    yyjson_val *inner = yyjson_obj_get(annotation, "url_citation");
    yyjson_val *in = yyjson_is_obj(inner) ? inner : annotation;
    *out = (struct chat_citation){
        .start = json_int_at(in, "start_index", 0),
        .end = json_int_at(in, "end_index", 0),
        .url = json_str_at(in, "url"),
        .title = json_str_at(in, "title"),
        .id = json_str_at(in, "file_id"),
    };
    if (!out->title.n)
        out->title = json_str_at(in, "filename");
    if (out->id.n && !out->end)
        out->start = out->end = json_int_at(in, "index", 0);
    out->start = out->start > 0 ? out->start : 0;
    out->end = out->end > out->start ? out->end : out->start;
    return out->url.n || out->id.n;
}

static void write_address(struct json *j, const struct chat_citation *cite, int64_t shift)
{
    json_int(j, "start_index", cite->start + shift);
    json_int(j, "end_index", cite->end + shift);
    json_strn(j, "title", cite->title.p ? cite->title : STR(""));
    json_strn(j, "url", cite->url);
}

void cite_write_chat(struct json *j, const struct chat_citation *cite, int64_t shift)
{
    json_obj(j, NULL);
    json_str(j, "type", "url_citation");
    json_obj(j, "url_citation");
    write_address(j, cite, shift);
    json_end(j);
    json_end(j);
}

void cite_write_responses(struct json *j, const char *key, const struct chat_citation *cite)
{
    json_obj(j, key);
    if (cite->url.n) {
        json_str(j, "type", "url_citation");
        write_address(j, cite, 0);
    } else {
        json_str(j, "type", "file_citation");
        json_strn(j, "file_id", cite->id.p ? cite->id : STR(""));
        json_strn(j, "filename", cite->title.p ? cite->title : STR(""));
        json_int(j, "index", cite->end);
    }
    json_end(j);
}

// --- of whole blocks --------------------------------------------------------------

struct str cite_document_id(struct arena *a, int64_t index)
{
    return str_of(arena_printf(a, "doc:%lld", (long long)index));
}

int64_t cite_document_index(struct str id)
{
    int64_t n = 0;
    return str_starts(id, "doc:") && str_to_int(str_skip(id, 4), &n) && n >= 0 ? n : 0;
}

static struct str copied(struct arena *a, struct str s)
{
    return s.n ? (struct str){arena_str(a, s), s.n} : (struct str){0};
}

void cited_add(struct arena *a, struct cited_block *b, const struct chat_citation *cite)
{
    if (b->count >= CITATIONS_MOST)
        return;
    struct answer_citation *c = NEW(a, struct answer_citation);
    c->cite = (struct chat_citation){
        .url = copied(a, cite->url),
        .title = copied(a, cite->title),
        .id = copied(a, cite->id),
        .quote = copied(a, cite->quote),
    };
    *(b->count++ ? &b->last->next : &b->first) = c;
    b->last = c;
}

struct err *cited_tell(struct chat_reader *r, struct chat_choice *c, struct cited_block *b)
{
    struct answer_citation *list = b->first;
    int64_t end = b->points;
    *b = (struct cited_block){0};
    for (; list; list = list->next) {
        list->cite.end = end;
        TRY(chat_cite(r, c, &list->cite));
    }
    return NULL;
}
