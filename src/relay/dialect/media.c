// Splitting and joining data URLs, and recognising media by their first bytes.

#include "relay/dialect/media.h"

#include <string.h>
#include <strings.h>

#include "common/arena.h"

static const struct {
    const char *begin, *mime; // first characters of the base64 form
} magic[] = {
    {"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"},  {"R0lGODdh", "image/gif"},
    {"R0lGODlh", "image/gif"},    {"UklGR", "image/webp"}, {"JVBERi0", "application/pdf"},
};

struct str media_mime(struct str base64, struct str said)
{
    for (size_t i = 0; i < sizeof(magic) / sizeof(*magic); i++)
        if (str_starts(base64, magic[i].begin) &&
            (strcmp(magic[i].begin, "UklGR") != 0 || !str_starts(said, "audio/")))
            return str_of(magic[i].mime);
    return said.n ? said : STR("application/octet-stream");
}

// Callers send base64 with line breaks and in the URL-safe alphabet; providers refuse both.
struct str media_base64(struct arena *a, struct str s)
{
    bool clean = true;
    for (size_t i = 0; i < s.n && clean; i++)
        clean = s.p[i] > ' ' && s.p[i] != '-' && s.p[i] != '_';
    if (clean)
        return s;
    char *out = arena_raw(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > ' ')
            out[n++] = s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i];
    return (struct str){out, n};
}

void media_from_url(struct arena *a, struct str url, struct chat_part *out)
{
    const char *comma = url.n ? memchr(url.p, ',', url.n) : NULL;
    if (!str_starts(url, "data:") || !comma) {
        out->url = url;
        return;
    }
    struct str params = {url.p + 5, (size_t)(comma - url.p) - 5}, piece, mime = {0};
    bool base64 = false;
    for (bool first = true; str_next(&params, ';', &piece); first = false) {
        if (first)
            mime = piece;
        else if (str_is_nocase(piece, "base64"))
            base64 = true;
    }
    if (str_is_nocase(mime, "base64")) { // "data:base64,..." without a type
        base64 = true;
        mime = (struct str){0};
    }
    if (!base64) {
        out->url = url;
        return;
    }
    out->data = media_base64(a, str_skip(url, (size_t)(comma - url.p) + 1));
    out->mime = media_mime(out->data, mime);
}

void media_from_file(struct arena *a, struct str data, struct chat_part *out)
{
    if (str_starts(data, "data:")) {
        media_from_url(a, data, out);
    } else if (data.n) {
        out->data = data;
        out->mime = media_mime(data, (struct str){0});
    }
}

struct str media_to_url(struct arena *a, const struct chat_part *p)
{
    if (p->url.n)
        return p->url;
    if (!p->data.n)
        return (struct str){0};
    struct str mime = media_mime(p->data, p->mime);
    return str_of(arena_printf(a, "data:%.*s;base64,%.*s", STR_ARGS(mime), STR_ARGS(p->data)));
}

static const struct {
    const char *format, *mime;
} formats[] = {
    {"png", "image/png"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"pdf", "application/pdf"},
    {"csv", "text/csv"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"html", "text/html"},
    {"txt", "text/plain"},
    {"md", "text/markdown"},
    {"wav", "audio/wav"},
    {"mp3", "audio/mp3"},
};

const char *media_format(struct str mime)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (str_is(mime, formats[i].mime))
            return formats[i].format;
    return NULL;
}

struct str media_of_format(const char *format)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (text_eq(format, formats[i].format))
            return str_of(formats[i].mime);
    return (struct str){0};
}

const char *media_file_name(struct arena *a, const struct chat_part *p)
{
    const char *name = text_is_empty(p->name) ? "document" : p->name;
    const char *ending = media_format(media_mime(p->data, p->mime));
    const char *dot = strrchr(name, '.');
    bool right = ending ? dot && !strcasecmp(dot + 1, ending) : dot != NULL;
    return right ? name : arena_printf(a, "%s.%s", name, ending ? ending : "pdf");
}
