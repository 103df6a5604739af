// Writing and reading journal frames; reading trusts nothing but the checksum.

#include "service/journal_codec.h"

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"

static void put_varint(struct buf *out, uint64_t v)
{
    char bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (char)(v & 0x7f);
        v >>= 7;
        bytes[n++] |= (char)(v ? 0x80 : 0);
    } while (v);
    buf_add(out, bytes, n);
}

static void put_int(struct buf *out, int64_t v)
{
    put_varint(out, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_text(struct buf *out, struct str s)
{
    put_varint(out, s.n);
    buf_str(out, s);
}

static void put_value(struct buf *out, const struct field *f, const void *row)
{
    struct field_value v = field_get(f, row);
    if (f->type == FIELD_TEXT)
        put_text(out, str_of(v.s));
    else if (f->type == FIELD_REAL)
        buf_add(out, (const char *)&v.r, sizeof(v.r));
    else
        put_int(out, v.i);
}

static void put_u32(char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(v >> (8 * i));
}

// Fills in the head that was left open at `from`.
static void seal_frame(struct buf *out, size_t from)
{
    size_t n = out->n - from - FRAME_HEAD;
    put_u32(out->p + from, (uint32_t)n);
    put_u32(out->p + from + 4, hash_crc32c(0, out->p + from + FRAME_HEAD, n));
}

static bool is_kept(const struct field *f)
{
    return !(f->flags & (KEY | VIRTUAL));
}

void codec_schema(struct buf *out, const struct field *fields)
{
    size_t from = out->n;
    buf_add(out, "\0\0\0\0\0\0\0\0", FRAME_HEAD);
    put_varint(out, PAYLOAD_SCHEMA);
    for (const struct field *f = fields; f->name; f++) {
        if (!is_kept(f))
            continue;
        put_varint(out, f->type);
        put_text(out, str_of(f->name));
    }
    seal_frame(out, from);
}

void codec_row(struct buf *out, const struct field *fields, const void *row, int64_t token_quota)
{
    size_t from = out->n;
    buf_add(out, "\0\0\0\0\0\0\0\0", FRAME_HEAD);
    put_varint(out, PAYLOAD_ROW);
    put_int(out, token_quota);
    for (const struct field *f = fields; f->name; f++)
        if (is_kept(f))
            put_value(out, f, row);
    seal_frame(out, from);
}

// --- reading --------------------------------------------------------------------

static uint32_t get_u32(const char *at)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)(unsigned char)at[i] << (8 * i);
    return v;
}

size_t codec_frame(struct str bytes, struct str *payload)
{
    if (bytes.n < FRAME_HEAD)
        return 0;
    size_t n = get_u32(bytes.p);
    if (n == 0 || n > FRAME_MAX || n > bytes.n - FRAME_HEAD)
        return 0;
    *payload = (struct str){bytes.p + FRAME_HEAD, n};
    return hash_crc32c(0, payload->p, n) == get_u32(bytes.p + 4) ? FRAME_HEAD + n : 0;
}

static bool get_varint(struct str *in, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && in->n; shift += 7) {
        unsigned char c = (unsigned char)in->p[0];
        *in = str_skip(*in, 1);
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

static bool get_int(struct str *in, int64_t *out)
{
    uint64_t v;
    if (!get_varint(in, &v))
        return false;
    *out = (int64_t)(v >> 1 ^ (0 - (v & 1)));
    return true;
}

static bool get_text(struct str *in, struct str *out)
{
    uint64_t n;
    if (!get_varint(in, &n) || n > in->n)
        return false;
    *out = (struct str){in->p, (size_t)n};
    *in = str_skip(*in, (size_t)n);
    return true;
}

static bool get_kind(struct str *in, uint64_t kind)
{
    uint64_t v;
    return get_varint(in, &v) && v == kind;
}

bool codec_read_schema(struct str in, const struct field *fields, struct codec_schema *out)
{
    out->count = 0;
    if (!get_kind(&in, PAYLOAD_SCHEMA))
        return false;
    while (in.n) {
        uint64_t type;
        struct str name;
        if (out->count == JOURNAL_FIELDS || !get_varint(&in, &type) || type > FIELD_TEXT ||
            !get_text(&in, &name))
            return false;
        out->types[out->count] = (enum field_type)type;
        out->fields[out->count] = NULL;
        for (const struct field *f = fields; f->name; f++)
            if (str_is(name, f->name) && f->type == (enum field_type)type)
                out->fields[out->count] = f;
        out->count++;
    }
    return out->count > 0;
}

static bool get_value(struct arena *a, struct str *in, enum field_type type, struct field_value *v)
{
    struct str text;
    *v = (struct field_value){.type = type};
    switch (type) {
    case FIELD_TEXT:
        if (!get_text(in, &text))
            return false;
        v->s = arena_str(a, text);
        return true;
    case FIELD_REAL:
        if (in->n < sizeof(v->r))
            return false;
        memcpy(&v->r, in->p, sizeof(v->r));
        *in = str_skip(*in, sizeof(v->r));
        return true;
    default: return get_int(in, &v->i);
    }
}

bool codec_read_row(struct arena *a, struct str in, const struct codec_schema *schema,
                    const struct field *fields, void *row, int64_t *token_quota)
{
    fields_default(a, fields, row);
    if (!get_kind(&in, PAYLOAD_ROW) || !get_int(&in, token_quota))
        return false;
    for (int i = 0; i < schema->count; i++) {
        struct field_value v;
        if (!get_value(a, &in, schema->types[i], &v))
            return false;
        if (schema->fields[i])
            field_set(schema->fields[i], row, v);
    }
    return in.n == 0;
}
