// Decoders are rows of one table, chained; every step's output is small and counted.

#include "common/http/encoding.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/arena.h"
#include "common/http/http.h"

enum { STEP = 16 * 1024, STAGES = 2, ZSTD_WINDOW_LOG = 23 }; // RFC 8878: up to 8 MiB is usual
enum { GZIP_BITS = 15 + 16, ZLIB_BITS = 15, RAW_BITS = -15 };
enum { GZIP_LEVEL = 5, BROTLI_LEVEL = 4, ZSTD_LEVEL = 3 }; // replies: cheap rather than small

struct stage {
    const struct coding *coding;
    z_stream z;
    BrotliDecoderState *br;
    ZSTD_DStream *zstd;
    bool begun, ended; // ended: between two members, or after the last
    size_t produced, limit;
};

struct decoder {
    struct arena *arena;
    int count;
    struct stage stages[STAGES];
};

enum step { STEP_ON, STEP_END, STEP_BAD };

struct coding {
    const char *name;
    bool members; // another one may follow the first
    bool (*open)(struct stage *s, unsigned char first);
    enum step (*step)(struct stage *s, struct str *in, char *out, size_t *got);
    void (*close)(void *stage);
};

// --- gzip and deflate -------------------------------------------------------------

static bool gzip_open(struct stage *s, unsigned char first)
{
    (void)first;
    return s->begun ? inflateReset(&s->z) == Z_OK : inflateInit2(&s->z, GZIP_BITS) == Z_OK;
}

// Some senders leave zlib's wrapper out. Raw data never begins like it: 8 in the low bits would be
// a stored block whose padding is not zero.
static bool deflate_open(struct stage *s, unsigned char first)
{
    bool wrapped = (first & 0x0f) == 8 && first >> 4 <= 7;
    return inflateInit2(&s->z, wrapped ? ZLIB_BITS : RAW_BITS) == Z_OK;
}

static enum step zlib_step(struct stage *s, struct str *in, char *out, size_t *got)
{
    uInt n = in->n < STEP ? (uInt)in->n : STEP;
    s->z.next_in = (Bytef *)in->p;
    s->z.avail_in = n;
    s->z.next_out = (Bytef *)out;
    s->z.avail_out = STEP;
    int rc = inflate(&s->z, Z_SYNC_FLUSH);
    *got = STEP - s->z.avail_out;
    *in = str_skip(*in, n - s->z.avail_in);
    if (rc == Z_STREAM_END)
        return STEP_END;
    return rc == Z_OK || rc == Z_BUF_ERROR ? STEP_ON : STEP_BAD;
}

static void zlib_close(void *stage)
{
    inflateEnd(&((struct stage *)stage)->z);
}

// --- br -----------------------------------------------------------------------------

static bool brotli_open(struct stage *s, unsigned char first)
{
    (void)first;
    s->br = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    return s->br;
}

static enum step brotli_step(struct stage *s, struct str *in, char *out, size_t *got)
{
    const uint8_t *next_in = (const uint8_t *)in->p;
    uint8_t *next_out = (uint8_t *)out;
    size_t room = STEP, rest = in->n;
    BrotliDecoderResult rc =
        BrotliDecoderDecompressStream(s->br, &rest, &next_in, &room, &next_out, NULL);
    *got = STEP - room;
    *in = str_skip(*in, in->n - rest);
    if (rc == BROTLI_DECODER_RESULT_SUCCESS)
        return STEP_END;
    return rc == BROTLI_DECODER_RESULT_ERROR ? STEP_BAD : STEP_ON;
}

static void brotli_close(void *stage)
{
    BrotliDecoderState *br = ((struct stage *)stage)->br;
    if (br)
        BrotliDecoderDestroyInstance(br);
}

// --- zstd ---------------------------------------------------------------------------

static bool zstd_open(struct stage *s, unsigned char first)
{
    (void)first;
    if (!s->begun)
        s->zstd = ZSTD_createDStream();
    return s->zstd && !ZSTD_isError(ZSTD_DCtx_reset(s->zstd, ZSTD_reset_session_only)) &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
}

static enum step zstd_step(struct stage *s, struct str *in, char *out, size_t *got)
{
    ZSTD_inBuffer from = {in->p, in->n, 0};
    ZSTD_outBuffer to = {out, STEP, 0};
    size_t rc = ZSTD_decompressStream(s->zstd, &to, &from);
    *got = to.pos;
    *in = str_skip(*in, from.pos);
    if (ZSTD_isError(rc))
        return STEP_BAD;
    return rc == 0 ? STEP_END : STEP_ON;
}

static void zstd_close(void *stage)
{
    ZSTD_freeDStream(((struct stage *)stage)->zstd);
}

// --- the chain ------------------------------------------------------------------------

static const struct coding codings[] = {
    {"gzip", true, gzip_open, zlib_step, zlib_close},
    {"x-gzip", true, gzip_open, zlib_step, zlib_close},
    {"deflate", false, deflate_open, zlib_step, zlib_close},
    {"br", false, brotli_open, brotli_step, brotli_close},
    {"zstd", true, zstd_open, zstd_step, zstd_close},
};

static const struct coding *coding_named(struct str name)
{
    for (size_t i = 0; i < sizeof(codings) / sizeof(*codings); i++)
        if (str_is_nocase(name, codings[i].name))
            return &codings[i];
    return NULL;
}

struct err *decoder_new(struct arena *a, struct str content_encoding, size_t limit,
                        struct decoder **out)
{
    const struct coding *chain[STAGES];
    int count = 0;
    *out = NULL;
    struct str rest = content_encoding, name;
    while (str_next(&rest, ',', &name)) {
        name = str_trim(name);
        if (name.n == 0 || str_is_nocase(name, "identity"))
            continue;
        const struct coding *coding = coding_named(name);
        if (!coding || count == STAGES)
            return err_new(a, &err_encoding_unsupported, "%.*s", STR_ARGS(content_encoding));
        chain[count++] = coding;
    }
    if (count == 0)
        return NULL;
    struct decoder *d = NEW(a, struct decoder);
    d->arena = a;
    d->count = count;
    for (int i = 0; i < count; i++) {
        d->stages[i].coding = chain[count - 1 - i];
        // what lies between two codings is bounded too: it may hold nothing but empty members
        d->stages[i].limit = i == count - 1 || limit > SIZE_MAX / 4 ? limit : 2 * limit + STEP;
    }
    *out = d;
    return NULL;
}

static struct err *broken(const struct decoder *d, const struct stage *s, const char *how)
{
    return err_new(d->arena, &err_body_invalid, "%s: %s", s->coding->name, how);
}

// Before the first byte, and between two members.
static struct err *stage_open(struct decoder *d, struct stage *s, unsigned char first)
{
    if (s->begun && !s->coding->members)
        return broken(d, s, "something follows the end");
    bool fine = s->coding->open(s, first);
    if (!s->begun)
        arena_defer(d->arena, s->coding->close, s);
    s->begun = true;
    s->ended = false;
    return fine ? NULL : broken(d, s, "cannot be decoded now");
}

// One step's output, into `out`.
static struct err *advance(struct decoder *d, struct stage *s, struct str *in, char *out,
                           size_t *got)
{
    size_t before = in->n;
    if (!s->begun || s->ended)
        TRY(stage_open(d, s, (unsigned char)in->p[0]));
    enum step step = s->coding->step(s, in, out, got);
    bool stuck = step == STEP_ON && before && before == in->n && *got == 0;
    if (step == STEP_BAD || stuck)
        return broken(d, s, "not decodable");
    s->ended = step == STEP_END;
    if (*got > s->limit - s->produced)
        return err_new(d->arena, &err_body_too_large, "more than %zu decoded bytes", s->limit);
    s->produced += *got;
    return NULL;
}

static struct err *feed(struct decoder *d, int at, struct str in, decoder_sink *sink, void *to)
{
    if (at == d->count)
        return sink(to, in);
    struct stage *s = &d->stages[at];
    char out[STEP];
    size_t got = 0;
    while (in.n || (got == STEP && !s->ended)) {
        TRY(advance(d, s, &in, out, &got));
        if (got)
            TRY(feed(d, at + 1, (struct str){out, got}, sink, to));
    }
    return NULL;
}

struct err *decoder_feed(struct decoder *d, struct str bytes, decoder_sink *sink, void *to)
{
    return feed(d, 0, bytes, sink, to);
}

struct err *decoder_finish(const struct decoder *d)
{
    if (!d->stages[0].begun)
        return NULL;
    for (int i = 0; i < d->count; i++)
        if (!d->stages[i].ended)
            return broken(d, &d->stages[i], "truncated");
    return NULL;
}

// --- compressing --------------------------------------------------------------------

static bool gzip_whole(struct str text, char *out, size_t *n)
{
    z_stream z = {.next_in = (Bytef *)text.p,
                  .avail_in = (uInt)text.n,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)*n};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    int rc = deflate(&z, Z_FINISH);
    *n = z.total_out;
    deflateEnd(&z);
    return rc == Z_STREAM_END;
}

static bool brotli_whole(struct str text, char *out, size_t *n)
{
    return BrotliEncoderCompress(BROTLI_LEVEL, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.n,
                                 (const uint8_t *)text.p, n, (uint8_t *)out);
}

// Costly to make: one per loop, until its thread ends.
static pthread_key_t zstd_context;
static pthread_once_t zstd_once = PTHREAD_ONCE_INIT;

static void zstd_free(void *context)
{
    ZSTD_freeCCtx(context);
}

static void zstd_set_up(void)
{
    if (pthread_key_create(&zstd_context, zstd_free))
        abort();
}

static bool zstd_whole(struct str text, char *out, size_t *n)
{
    pthread_once(&zstd_once, zstd_set_up);
    ZSTD_CCtx *context = pthread_getspecific(zstd_context);
    if (!context) {
        context = ZSTD_createCCtx();
        pthread_setspecific(zstd_context, context);
    }
    size_t rc = ZSTD_compressCCtx(context, out, *n, text.p, text.n, ZSTD_LEVEL);
    *n = rc;
    return !ZSTD_isError(rc);
}

static const struct {
    const char *name;
    bool (*whole)(struct str text, char *out, size_t *n);
} encoders[] = {{"zstd", zstd_whole}, {"br", brotli_whole}, {"gzip", gzip_whole}};

const char *encoding_choose(struct str accept_encoding)
{
    for (size_t i = 0; i < sizeof(encoders) / sizeof(*encoders); i++)
        if (http_accepts(accept_encoding, encoders[i].name))
            return encoders[i].name;
    return NULL;
}

bool encoding_compress(const char *coding, struct str text, struct buf *out)
{
    if (text.n > UINT32_MAX / 2)
        return false;
    size_t n = text.n + text.n / 64 + 1024; // more than any of them makes of incompressible text
    char *room = buf_room(out, n);
    if (!room)
        return false;
    for (size_t i = 0; i < sizeof(encoders) / sizeof(*encoders); i++) {
        if (!text_eq(encoders[i].name, coding) || !encoders[i].whole(text, room, &n))
            continue;
        buf_grew(out, n);
        return true;
    }
    return false;
}
