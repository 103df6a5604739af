// Content codings: every split, every cut, what follows the end, and bombs.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "common/arena.h"
#include "common/http/encoding.h"

#define T(f) cmocka_unit_test(f)

static const char *const codings[] = {"gzip", "br", "zstd", "deflate", "raw"};
enum { CODINGS = sizeof(codings) / sizeof(*codings) };

static struct err *collect(void *to, struct str bytes)
{
    assert_true(bytes.n > 0 && bytes.n <= 16 * 1024);
    buf_str(to, bytes);
    return NULL;
}

static void deflated(struct str text, int bits, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)text.p, .avail_in = (uInt)text.n};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, text.n);
    z.next_out = (Bytef *)buf_room(out, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_grew(out, z.total_out);
    deflateEnd(&z);
}

// "raw" is deflate without zlib's wrapper; both go by the name of deflate.
static void encoded(const char *coding, struct str text, struct buf *out)
{
    if (!strcmp(coding, "deflate"))
        deflated(text, 15, out);
    else if (!strcmp(coding, "raw"))
        deflated(text, -15, out);
    else
        assert_true(encoding_compress(coding, text, out));
}

static struct decoder *decoder(struct arena *a, const char *coding, size_t limit)
{
    struct decoder *d;
    if (!strcmp(coding, "raw"))
        coding = "deflate";
    assert_null(decoder_new(a, str_of(coding), limit, &d));
    return d;
}

static struct err *decode(struct arena *a, const char *coding, struct str bytes, size_t step,
                          size_t limit, struct buf *out)
{
    struct decoder *d = decoder(a, coding, limit);
    while (bytes.n) {
        size_t n = step < bytes.n ? step : bytes.n;
        char *exactly = malloc(n); // so that reading past it is seen
        memcpy(exactly, bytes.p, n);
        struct err *e = decoder_feed(d, (struct str){exactly, n}, collect, out);
        free(exactly);
        if (e)
            return e;
        bytes = str_skip(bytes, n);
    }
    return decoder_finish(d);
}

static struct str sample(struct arena *a, size_t n)
{
    char *text = arena_raw(a, n);
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1103515245 + 12345;
        text[i] = (char)('a' + (x >> 16) % 20);
    }
    return (struct str){text, n};
}

static void comes_back_whatever_the_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 16384, 50000, 200001};
    static const size_t steps[] = {1, 2, 7, 1000, 16384, SIZE_MAX};
    for (size_t c = 0; c < CODINGS; c++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
            for (size_t j = 0; j < sizeof(steps) / sizeof(*steps); j++) {
                ARENA(a);
                BUF_HERE(packed, SIZE_MAX);
                BUF_HERE(out, SIZE_MAX);
                struct str text = sample(a, sizes[i]);
                encoded(codings[c], text, &packed);
                assert_null(decode(a, codings[c], buf_view(&packed), steps[j], text.n, &out));
                assert_true(str_eq(buf_view(&out), text));
            }
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    for (size_t c = 0; c < CODINGS; c++) {
        BUF_HERE(packed, SIZE_MAX);
        encoded(codings[c], STR("a text, a text, a text and an end"), &packed);
        for (size_t n = 1; n < packed.n; n++) {
            ARENA(a);
            BUF_HERE(out, SIZE_MAX);
            struct err *e = decode(a, codings[c], (struct str){packed.p, n}, 3, 1000, &out);
            assert_non_null(e);
            assert_ptr_equal(e->kind, &err_body_invalid);
        }
    }
}

static void nothing_may_follow(void **state)
{
    (void)state;
    for (size_t c = 0; c < CODINGS; c++)
        for (size_t step = 1; step < 100; step += 98) {
            ARENA(a);
            BUF_HERE(packed, SIZE_MAX);
            BUF_HERE(out, SIZE_MAX);
            encoded(codings[c], STR("text"), &packed);
            buf_puts(&packed, "garbage");
            struct err *e = decode(a, codings[c], buf_view(&packed), step, 1000, &out);
            assert_non_null(e);
            assert_ptr_equal(e->kind, &err_body_invalid);
            assert_true(str_is(buf_view(&out), "text"));
        }
}

static void members_follow_each_other(void **state)
{
    (void)state;
    static const char *const both[] = {"gzip", "zstd"};
    for (size_t c = 0; c < 2; c++)
        for (size_t step = 1; step < 100; step += 98) {
            ARENA(a);
            BUF_HERE(packed, SIZE_MAX);
            BUF_HERE(out, SIZE_MAX);
            encoded(both[c], STR("one "), &packed);
            encoded(both[c], STR("two"), &packed);
            assert_null(decode(a, both[c], buf_view(&packed), step, 1000, &out));
            assert_true(str_is(buf_view(&out), "one two"));
        }
}

static void chains_of_two(void **state)
{
    (void)state;
    for (size_t step = 1; step < 1000; step += 998) {
        ARENA(a);
        BUF_HERE(once, SIZE_MAX);
        BUF_HERE(twice, SIZE_MAX);
        BUF_HERE(out, SIZE_MAX);
        struct str text = sample(a, 70000);
        encoded("br", text, &once);
        encoded("gzip", buf_view(&once), &twice);
        assert_null(decode(a, " BR ,identity, gzip", buf_view(&twice), step, text.n, &out));
        assert_true(str_eq(buf_view(&out), text));
        assert_non_null(decode(a, "gzip, br", buf_view(&twice), step, text.n, &out));
    }
}

static void names(void **state)
{
    (void)state;
    ARENA(a);
    struct decoder *d;
    assert_null(decoder_new(a, STR("identity"), 1, &d));
    assert_null(d);
    assert_null(decoder_new(a, STR(""), 1, &d));
    assert_null(d);
    assert_null(decoder_new(a, STR("X-GZIP"), 1, &d));
    assert_non_null(d);
    assert_null(decoder_finish(d)); // no bytes at all
    static const char *const unknown[] = {"compress", "gzip, zap", "gzip,gzip,gzip", "gzip br"};
    for (size_t i = 0; i < 4; i++) {
        struct err *e = decoder_new(a, str_of(unknown[i]), 1, &d);
        assert_non_null(e);
        assert_ptr_equal(e->kind, &err_encoding_unsupported);
    }
}

// 64 MiB of zeros, and no more than the limit of it is ever made.
static void bombs_are_cut(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024 * 1024, LIMIT = 100 * 1000 };
    char *zeros = calloc(1, SIZE);
    for (size_t c = 0; c < CODINGS; c++) {
        ARENA(a);
        BUF_HERE(packed, SIZE_MAX);
        BUF_HERE(out, SIZE_MAX);
        encoded(codings[c], (struct str){zeros, SIZE}, &packed);
        struct err *e = decode(a, codings[c], buf_view(&packed), SIZE_MAX, LIMIT, &out);
        assert_non_null(e);
        assert_ptr_equal(e->kind, &err_body_too_large);
        assert_true(out.n <= LIMIT);
        buf_clear(&out);
        BUF_HERE(twice, SIZE_MAX);
        encoded("gzip", buf_view(&packed), &twice);
        if (!strcmp(codings[c], "raw"))
            continue;
        e = decode(a, arena_printf(a, "%s, gzip", codings[c]), buf_view(&twice), SIZE_MAX, LIMIT,
                   &out);
        assert_non_null(e);
        assert_ptr_equal(e->kind, &err_body_too_large);
    }
    free(zeros);
}

// Empty members between two codings would keep us busy without any output to count.
static void what_lies_between_is_counted(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(empty, SIZE_MAX);
    BUF_HERE(many, SIZE_MAX);
    BUF_HERE(packed, SIZE_MAX);
    BUF_HERE(out, SIZE_MAX);
    encoded("gzip", STR(""), &empty);
    for (int i = 0; i < 200000; i++)
        buf_str(&many, buf_view(&empty));
    encoded("zstd", buf_view(&many), &packed);
    struct err *e = decode(a, "gzip, zstd", buf_view(&packed), SIZE_MAX, 1000, &out);
    assert_non_null(e);
    assert_ptr_equal(e->kind, &err_body_too_large);
}

static void large_windows_are_refused(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, SIZE_MAX);
    size_t n = 32 * 1024 * 1024, room = ZSTD_compressBound(n);
    struct str text = sample(a, n);
    char *packed = arena_raw(a, room);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 27);
    ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
    ZSTD_inBuffer from = {text.p, n, 0};
    ZSTD_outBuffer to = {packed, room, 0};
    assert_false(ZSTD_isError(ZSTD_compressStream2(z, &to, &from, ZSTD_e_continue)));
    assert_int_equal(ZSTD_compressStream2(z, &to, &from, ZSTD_e_end), 0);
    ZSTD_freeCCtx(z);
    struct err *e = decode(a, "zstd", (struct str){packed, to.pos}, SIZE_MAX, SIZE_MAX, &out);
    assert_non_null(e);
    assert_ptr_equal(e->kind, &err_body_invalid);
}

// What was flushed by the sender is handed on, not held back.
static void streams_are_not_delayed(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, SIZE_MAX);
    char packed[256];
    z_stream z = {.next_out = (Bytef *)packed, .avail_out = sizeof(packed)};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)"data: 1\n\n";
    z.avail_in = 9;
    deflate(&z, Z_SYNC_FLUSH);
    struct decoder *d = decoder(a, "gzip", 1000);
    assert_null(decoder_feed(d, (struct str){packed, z.total_out}, collect, &out));
    assert_true(str_is(buf_view(&out), "data: 1\n\n"));
    deflateEnd(&z);
}

static struct err *refuse(void *to, struct str bytes)
{
    (void)bytes;
    return *(struct err **)to;
}

static void the_sink_may_stop_it(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(packed, SIZE_MAX);
    encoded("br", STR("text"), &packed);
    struct err *why = err_new(a, &err_client_gone, "enough");
    struct decoder *d = decoder(a, "br", 100);
    assert_ptr_equal(decoder_feed(d, buf_view(&packed), refuse, (void *)&why), why);
}

static void chooses(void **state)
{
    (void)state;
    assert_string_equal(encoding_choose(STR("gzip, deflate, br, zstd")), "zstd");
    assert_string_equal(encoding_choose(STR("gzip, br")), "br");
    assert_string_equal(encoding_choose(STR("gzip")), "gzip");
    assert_null(encoding_choose(STR("identity")));
    assert_null(encoding_choose((struct str){0}));
    BUF_HERE(small, 10);
    assert_false(encoding_compress("gzip", STR("text"), &small));
    BUF_HERE(out, SIZE_MAX);
    assert_false(encoding_compress("zap", STR("text"), &out));
    assert_int_equal(out.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(comes_back_whatever_the_pieces),
        T(every_cut_is_noticed),
        T(nothing_may_follow),
        T(members_follow_each_other),
        T(chains_of_two),
        T(names),
        T(bombs_are_cut),
        T(what_lies_between_is_counted),
        T(large_windows_are_refused),
        T(streams_are_not_delayed),
        T(the_sink_may_stop_it),
        T(chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
