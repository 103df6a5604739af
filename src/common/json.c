// Writing JSON without a tree; reading it with yyjson into an arena.

#include "common/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/arena.h"
#include "common/hash.h"

// What follows the backslash for a byte that must be escaped; 'u' means \u00xx, 0 needs nothing.
static const char escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
    ['\t'] = 't', [0x00] = 'u',  [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u',
    [0x05] = 'u', [0x06] = 'u',  [0x07] = 'u', [0x0b] = 'u', [0x0e] = 'u', [0x0f] = 'u',
    [0x10] = 'u', [0x11] = 'u',  [0x12] = 'u', [0x13] = 'u', [0x14] = 'u', [0x15] = 'u',
    [0x16] = 'u', [0x17] = 'u',  [0x18] = 'u', [0x19] = 'u', [0x1a] = 'u', [0x1b] = 'u',
    [0x1c] = 'u', [0x1d] = 'u',  [0x1e] = 'u', [0x1f] = 'u',
};

static void put_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', escapes[c], '0', '0', hex[c >> 4], hex[c & 15]};
    buf_add(out, text, escapes[c] == 'u' ? 6 : 2);
}

// The next byte from `at` on that must be escaped; s.n if there is none.
static size_t next_escape(struct str s, size_t at)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    for (; at + sizeof(__m128i) <= s.n; at += sizeof(__m128i)) {
        __m128i block = _mm_loadu_si128((const __m128i_u *)(s.p + at));
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(block, quotes), _mm_cmpeq_epi8(block, slashes));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
        unsigned mask = (unsigned)_mm_movemask_epi8(found);
        if (mask)
            return at + (size_t)__builtin_ctz(mask);
    }
#endif
    while (at < s.n && !escapes[(unsigned char)s.p[at]])
        at++;
    return at;
}

static void quote_escaped(struct buf *out, struct str s, size_t first)
{
    buf_add(out, "\"", 1);
    size_t from = 0;
    for (size_t at = first; at < s.n; at = next_escape(s, from)) {
        buf_add(out, s.p + from, at - from);
        put_escape(out, (unsigned char)s.p[at]);
        from = at + 1;
    }
    buf_str(out, str_skip(s, from));
    buf_add(out, "\"", 1);
}

// Most texts are plain and copied whole. `before` and `after` are the separators that go with it,
// one byte or none.
static void quote(struct buf *out, struct str s, char before, char after)
{
    size_t first = next_escape(s, 0);
    char *to = first == s.n ? buf_room(out, s.n + 4) : NULL;
    if (to) {
        char *begin = to;
        if (before)
            *to++ = before;
        *to++ = '"';
        if (s.n)
            memcpy(to, s.p, s.n);
        to += s.n;
        *to++ = '"';
        if (after)
            *to++ = after;
        buf_grew(out, (size_t)(to - begin));
        return;
    }
    buf_add(out, &before, before != 0);
    quote_escaped(out, s, first);
    buf_add(out, &after, after != 0);
}

void json_quote(struct buf *out, struct str s)
{
    quote(out, s, 0, 0);
}

static void put_key(struct json *j, const char *key)
{
    if (key)
        quote(j->out, str_of(key), j->comma ? ',' : 0, ':');
    else if (j->comma)
        buf_add(j->out, ",", 1);
    j->comma = true;
}

static void open_container(struct json *j, const char *key, bool array)
{
    put_key(j, key);
    buf_add(j->out, array ? "[" : "{", 1);
    j->arrays = j->arrays << 1 | array;
    j->depth++;
    j->comma = false;
}

void json_obj(struct json *j, const char *key)
{
    open_container(j, key, false);
}

void json_arr(struct json *j, const char *key)
{
    open_container(j, key, true);
}

void json_end(struct json *j)
{
    buf_add(j->out, j->arrays & 1 ? "]" : "}", 1);
    j->arrays >>= 1;
    j->depth--;
    j->comma = true;
}

void json_end_all(struct json *j)
{
    while (j->depth)
        json_end(j);
}

void json_str(struct json *j, const char *key, const char *s)
{
    json_strn(j, key, s ? str_of(s) : (struct str){0});
}

void json_strn(struct json *j, const char *key, struct str s)
{
    put_key(j, key);
    if (s.p)
        json_quote(j->out, s);
    else
        buf_add(j->out, "null", 4);
}

void json_int(struct json *j, const char *key, int64_t v)
{
    put_key(j, key);
    buf_int(j->out, v);
}

void json_real(struct json *j, const char *key, double v)
{
    put_key(j, key);
    if (!isfinite(v))
        buf_puts(j->out, "null");
    else if (v == floor(v) && fabs(v) < 1e15)
        buf_int(j->out, (int64_t)v);
    else
        buf_printf(j->out, "%.15g", v);
}

void json_bool(struct json *j, const char *key, bool v)
{
    put_key(j, key);
    buf_puts(j->out, v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    put_key(j, key);
    buf_add(j->out, "null", 4);
}

void json_raw(struct json *j, const char *key, struct str text)
{
    put_key(j, key);
    buf_str(j->out, text);
}

// --- yyjson in an arena -----------------------------------------------------

static void *alc_malloc(void *a, size_t size)
{
    return arena_raw(a, size);
}

static void *alc_realloc(void *a, void *ptr, size_t old_size, size_t size)
{
    void *p = arena_raw(a, size);
    return memcpy(p, ptr, old_size < size ? old_size : size);
}

static void alc_free(void *a, void *ptr)
{
    (void)a;
    (void)ptr;
}

static yyjson_alc alc_of(struct arena *a)
{
    return (yyjson_alc){alc_malloc, alc_realloc, alc_free, a};
}

struct str json_text_of(struct arena *a, yyjson_val *v)
{
    yyjson_alc alc = alc_of(a);
    size_t n = 0;
    char *text = yyjson_val_write_opts(v, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &alc, &n, NULL);
    return text ? (struct str){text, n} : STR("null");
}

void json_val(struct json *j, const char *key, yyjson_val *v)
{
    ARENA(a);
    json_raw(j, key, v ? json_text_of(a, v) : STR("null"));
}

// The values of a document lie in one array in the order of the text; a container knows where its
// next sibling is. So depth is a matter of which ends have not been passed, and nothing recurses.
static bool too_deep(yyjson_doc *doc)
{
    const yyjson_val *ends[JSON_DEPTH_MAX];
    int depth = 0;
    if (yyjson_doc_get_val_count(doc) <= JSON_DEPTH_MAX)
        return false; // as most payloads of streams
    yyjson_val *v = yyjson_doc_get_root(doc), *end = v + yyjson_doc_get_val_count(doc);
    for (; v < end; v++) {
        while (depth && v >= ends[depth - 1])
            depth--;
        if (!unsafe_yyjson_is_ctn(v))
            continue;
        if (depth == JSON_DEPTH_MAX)
            return true;
        ends[depth++] = unsafe_yyjson_get_next(v);
    }
    return false;
}

static struct err *read_with(struct arena *a, struct str s, yyjson_read_flag flags,
                             yyjson_val **root, const char **pool)
{
    *root = NULL;
    yyjson_alc alc = alc_of(a);
    yyjson_read_err why = {0};
    yyjson_doc *doc = yyjson_read_opts((char *)s.p, s.n, flags, &alc, &why);
    if (!doc)
        return err_new(a, &err_json_invalid, "%s at byte %zu", why.msg ? why.msg : "empty",
                       why.pos);
    if (too_deep(doc))
        return err_new(a, &err_json_too_deep, "%d", JSON_DEPTH_MAX);
    *root = yyjson_doc_get_root(doc);
    *pool = doc->str_pool;
    return NULL;
}

struct err *json_read(struct arena *a, struct str text, yyjson_val **root)
{
    const char *pool;
    return read_with(a, text, YYJSON_READ_NOFLAG, root, &pool);
}

struct err *json_read_pooled(struct arena *a, struct str text, yyjson_val **root, const char **pool)
{
    return read_with(a, text, YYJSON_READ_NOFLAG, root, pool);
}

// yyjson writes into the bytes, though the str that carries them there says const.
// NOLINTNEXTLINE(readability-non-const-parameter)
struct err *json_read_in_place(struct arena *a, char *bytes, size_t n, yyjson_val **root)
{
    const char *pool;
    return read_with(a, (struct str){bytes, n}, YYJSON_READ_INSITU, root, &pool);
}

enum { PAIRS_MOST = 24 };

static struct err *duplicate(struct arena *a, yyjson_val *key)
{
    return err_new(a, &err_json_duplicate_key, "%.64s", yyjson_get_str(key));
}

// Fastest where there are few.
static struct err *compare_pairs(struct arena *a, yyjson_val *object)
{
    yyjson_val *seen[PAIRS_MOST];
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        size_t n = yyjson_get_len(key);
        for (size_t k = 0; k < i; k++)
            if (yyjson_get_len(seen[k]) == n &&
                !memcmp(yyjson_get_str(seen[k]), yyjson_get_str(key), n))
                return duplicate(a, key);
        seen[i] = key;
    }
    return NULL;
}

// Through a table of keyed hashes: the names come from strangers, who must not choose collisions.
struct err *json_no_duplicates(struct arena *a, yyjson_val *object)
{
    if (!yyjson_is_obj(object))
        return NULL;
    size_t count = yyjson_obj_size(object), slots = 16;
    if (count <= PAIRS_MOST)
        return compare_pairs(a, object);
    while (slots < count * 2)
        slots *= 2;
    yyjson_val **seen = NEW_ARRAY(a, yyjson_val *, slots);
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        const char *text = yyjson_get_str(key);
        size_t n = yyjson_get_len(key), at = hash_table(text, n) & (slots - 1);
        for (; seen[at]; at = (at + 1) & (slots - 1))
            if (yyjson_equals_strn(seen[at], text, n))
                return duplicate(a, key);
        seen[at] = key;
    }
    return NULL;
}

const char *json_text_at(yyjson_val *object, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(object, key));
}

struct str json_str_at(yyjson_val *object, const char *key)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : (struct str){0};
}

int64_t json_int_at(yyjson_val *object, const char *key, int64_t fallback)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (yyjson_is_real(v)) {
        double r = yyjson_get_real(v);
        return r == floor(r) && fabs(r) < 9e15 ? (int64_t)r : fallback;
    }
    if (yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX)
        return fallback;
    return yyjson_is_int(v) ? yyjson_get_sint(v) : fallback;
}

bool json_bool_at(yyjson_val *object, const char *key, bool fallback)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    return yyjson_is_bool(v) ? yyjson_get_bool(v) : fallback;
}
