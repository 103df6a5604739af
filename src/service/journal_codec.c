// Writing and reading journal frames; reading trusts nothing but the checksum.

#include "service/journal_codec.h"

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"

// 64 fields of 1 KiB fit into a frame, and so do 64 numbers besides.
enum { SHORT_TEXT = 1024, NUMBERS_MAX = (JOURNAL_FIELDS + 3) * 16 };

static void put_varint(struct buf *out, uint64_t v)
{
    char bytes[10];
    size_t n = 0;
    for (; v > 0x7f; v >>= 7)
        bytes[n++] = (char)(v | 0x80);
    bytes[n++] = (char)v;
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

static void put_value(struct buf *out, const struct field *f, const void *row, size_t longest)
{
    struct field_value v = field_get(f, row);
    struct str text = str_of(f->type == FIELD_TEXT ? v.s : NULL);
    if (f->type == FIELD_TEXT)
        put_text(out, text.n <= longest ? text : STR(""));
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

static void put_schema(struct buf *out, const struct field *fields)
{
    put_varint(out, PAYLOAD_SCHEMA);
    for (const struct field *f = fields; f->name; f++) {
        if (!is_kept(f))
            continue;
        put_varint(out, f->type);
        put_text(out, str_of(f->name));
    }
}

static void open_frame(struct buf *out)
{
    buf_add(out, "\0\0\0\0\0\0\0\0", FRAME_HEAD);
}

void codec_schema(struct buf *out, const struct field *fields)
{
    size_t from = out->n;
    open_frame(out);
    put_schema(out, fields);
    seal_frame(out, from);
}

uint32_t codec_print(const struct field *fields)
{
    BUF_HERE(schema, FRAME_MAX);
    put_schema(&schema, fields);
    return hash_crc32c(0, schema.p, schema.n);
}

// The longest text that may stay, so that all of them together fit into a frame.
static size_t longest_text(const struct field *fields, const void *row)
{
    size_t sum = 0;
    for (const struct field *f = fields; f->name; f++)
        if (f->type == FIELD_TEXT && is_kept(f))
            sum += str_of(field_get(f, row).s).n;
    return sum <= FRAME_MAX - NUMBERS_MAX ? FRAME_MAX : SHORT_TEXT;
}

void codec_row(struct buf *out, const struct field *fields, uint32_t print, const void *row,
               int64_t token_quota)
{
    size_t from = out->n, longest = longest_text(fields, row);
    open_frame(out);
    put_varint(out, PAYLOAD_ROW);
    put_varint(out, print);
    put_int(out, token_quota);
    for (const struct field *f = fields; f->name; f++)
        if (is_kept(f))
            put_value(out, f, row, longest);
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
    if (*payload->p != PAYLOAD_SCHEMA && *payload->p != PAYLOAD_ROW)
        return 0;
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

bool codec_is_schema(struct str in)
{
    return get_kind(&in, PAYLOAD_SCHEMA);
}

static bool is_whole_number(enum field_type type)
{
    return type != FIELD_TEXT && type != FIELD_REAL;
}

// All whole numbers are written alike, so a column that was widened still reads.
static const struct field *field_for(const struct field *fields, struct str name,
                                     enum field_type type)
{
    for (const struct field *f = fields; f->name; f++)
        if (str_is(name, f->name) && is_kept(f) &&
            (f->type == type || (is_whole_number(f->type) && is_whole_number(type))))
            return f;
    return NULL;
}

bool codec_read_schema(struct str in, const struct field *fields, struct codec_schema *out)
{
    *out = (struct codec_schema){.print = hash_crc32c(0, in.p, in.n)};
    int count = 0;
    if (!get_kind(&in, PAYLOAD_SCHEMA))
        return false;
    for (; in.n; count++) {
        uint64_t type;
        struct str name;
        if (count == JOURNAL_FIELDS || !get_varint(&in, &type) || type > FIELD_TEXT ||
            !get_text(&in, &name))
            return false;
        out->types[count] = (enum field_type)type;
        out->fields[count] = field_for(fields, name, out->types[count]);
    }
    out->count = count;
    return count > 0;
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

static struct field_value fitted(const struct field *f, struct field_value v)
{
    if (f->type == FIELD_INT && v.i != (int)v.i)
        v.i = v.i < 0 ? INT32_MIN : INT32_MAX;
    return v;
}

bool codec_read_row(struct arena *a, struct str in, const struct codec_schema *schema,
                    const struct field *fields, void *row, int64_t *token_quota)
{
    uint64_t print;
    fields_default(a, fields, row);
    if (!get_kind(&in, PAYLOAD_ROW) || !get_varint(&in, &print) || print != schema->print ||
        !get_int(&in, token_quota))
        return false;
    for (int i = 0; i < schema->count; i++) {
        struct field_value v;
        if (!get_value(a, &in, schema->types[i], &v))
            return false;
        if (schema->fields[i])
            field_set(schema->fields[i], row, fitted(schema->fields[i], v));
    }
    return in.n == 0;
}
