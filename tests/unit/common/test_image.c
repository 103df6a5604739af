// Picture headers, honest and hostile, data URLs, and the providers' prices per picture.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/crypto.h"
#include "common/image.h"

// Headers as encoders write them; each is exactly as long as must be read.
static const struct {
    const char *name;
    struct str bytes;
    struct image want;
} pictures[] = {
    {"png", STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\x00\0\0\x03\x01"), {IMAGE_PNG, 1024, 769}},
    {"gif87", STR("GIF87a\x01\x02\x03\x04"), {IMAGE_GIF, 0x201, 0x403}},
    {"gif89", STR("GIF89a\x40\x00\x20\x00"), {IMAGE_GIF, 64, 32}},
    {"jpeg baseline",
     STR("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xc0\0\x11\x08\x02\x58\x03\x20"),
     {IMAGE_JPEG, 800, 600}},
    {"jpeg progressive, fill bytes, a table whose code is near",
     STR("\xff\xd8\xff\xc4\0\4\xff\xc0\xff\xff\xff\xdb\0\2\xff\xc2\0\x11\x08\0\1\0\2"),
     {IMAGE_JPEG, 2, 1}},
    {"jpeg with a bare marker",
     STR("\xff\xd8\xff\x01\xff\xcf\0\x11\x08\0\7\0\x09"),
     {IMAGE_JPEG, 9, 7}},
    {"webp lossy",
     STR("RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x20\x43\x58\x82"),
     {IMAGE_WEBP, 0x320, 0x258}}, // the upper two bits are a scale
    {"webp lossless",
     STR("RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\xff\x3f\x00\x00"),
     {IMAGE_WEBP, 16384, 1}},
    {"webp extended",
     STR("RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\xff\x03\0\xff\x02\0"),
     {IMAGE_WEBP, 1024, 768}},
};

enum { PICTURES = sizeof(pictures) / sizeof(*pictures) };

// In memory of its own size, so that a sanitizer sees any look beyond it.
static bool size_of(const char *bytes, size_t n, struct image *out)
{
    char *copy = malloc(n + !n);
    memcpy(copy, bytes, n);
    bool ok = image_size((struct str){copy, n}, out);
    free(copy);
    return ok;
}

static void sizes_are_read(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PICTURES; i++) {
        struct image got;
        if (!size_of(pictures[i].bytes.p, pictures[i].bytes.n, &got))
            fail_msg("%s: no size", pictures[i].name);
        assert_int_equal(got.type, pictures[i].want.type);
        assert_int_equal(got.width, pictures[i].want.width);
        assert_int_equal(got.height, pictures[i].want.height);
    }
}

static void short_pictures_have_no_size(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PICTURES; i++)
        for (size_t n = 0; n < pictures[i].bytes.n; n++) {
            struct image got;
            if (size_of(pictures[i].bytes.p, n, &got))
                fail_msg("%s: a size after %zu bytes", pictures[i].name, n);
            assert_int_equal(got.width, 0);
        }
}

static void odd_pictures_have_no_size(void **unused)
{
    (void)unused;
    static const struct str odd[] = {
        STR("\x89PNG\r\n\x1a\n\0\0\0\rIDAT\0\0\x04\x00\0\0\x03\x01"),      // no IHDR
        STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\x03\x01"),          // no width
        STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xff\xff\xff\0\0\x03\x01"),  // beyond 31 bits
        STR("\xff\xd8\xff\xe0\0\0\xff\xc0\0\x11\x08\x02\x58\x03\x20"),     // a length of 0
        STR("\xff\xd8\xff\xe0\0\1\xff\xc0\0\x11\x08\x02\x58\x03\x20"),     // of 1
        STR("\xff\xd8\xff\xda\0\2\xff\xc0\0\x11\x08\x02\x58\x03\x20"),     // the scan came first
        STR("\xff\xd8\xff\xe0\0\3\0\0\xff\xc0\0\x11\x08\x02\x58\x03\x20"), // no marker there
        STR("\xff\xd8\xff\xe0\xff\xff"),                                   // length past the end
        STR("\xff\xd8\xff\xc0\0\x11\x08\0\0\x03\x20"),                     // no height (DNL)
        STR("RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2e\xff\x3f\x00\x00"),           // no signature
        STR("RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2b\x20\x43\x58\x82"), // no start code
        STR("RIFX\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\xff\x03\0\xff\x02\0"),
        STR("GIF88a\x40\x00\x20\x00"),
        STR("<svg width=\"10\" height=\"10\"/>"),
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        struct image got;
        if (size_of(odd[i].p, odd[i].n, &got))
            fail_msg("picture %zu has a size", i);
    }
}

// Every single byte changed to every value: nothing is read that is not there.
static void changed_bytes_are_safe(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PICTURES; i++)
        for (size_t at = 0; at < pictures[i].bytes.n * 256; at++) {
            char bytes[64];
            size_t n = pictures[i].bytes.n;
            memcpy(bytes, pictures[i].bytes.p, n);
            bytes[at / 256] = (char)at;
            struct image got;
            if (size_of(bytes, n, &got))
                assert_true(got.width > 0 && got.height > 0 && got.width <= INT32_MAX);
        }
}

// A JPEG that begins with at least this many bytes of other segments, as base64.
static struct str late_jpeg(struct arena *a, size_t before)
{
    static const char zeros[0x1000 - 2];
    BUF_HERE(b, 1 << 24);
    buf_str(&b, STR("\xff\xd8"));
    while (b.n < before) {
        buf_str(&b, STR("\xff\xe1\x10\0"));
        buf_add(&b, zeros, sizeof(zeros));
    }
    buf_str(&b, STR("\xff\xc0\0\x11\x08\x02\x58\x03\x20"));
    return str_of(base64_text(a, b.p, b.n));
}

static void base64_is_decoded_as_far_as_needed(void **unused)
{
    (void)unused;
    ARENA(a);
    struct image got;
    for (size_t i = 0; i < PICTURES; i++) {
        const char *text = base64_text(a, pictures[i].bytes.p, pictures[i].bytes.n);
        assert_true(image_size_base64(str_of(text), &got));
        assert_int_equal(got.width, pictures[i].want.width);
    }
    static const size_t before[] = {0x1002, 0x1002 * 10, 0x1002 * 100};
    for (size_t i = 0; i < 3; i++) {
        assert_true(image_size_base64(late_jpeg(a, before[i]), &got));
        assert_int_equal(got.width, 800);
    }
    assert_false(image_size_base64(late_jpeg(a, 1 << 22), &got)); // more than anybody should send
    assert_int_equal(got.type, IMAGE_JPEG);
    assert_false(image_size_base64(STR("iVBO*w0KGgo"), &got));
    assert_false(image_size_base64(STR(""), &got));
    // What stands behind the part that is needed may be anything.
    char *text = arena_printf(a, "%s%0600d", "R0lGODlhQAAgAAAA", 0);
    memset(text + 520, '*', 80);
    assert_true(image_size_base64(str_of(text), &got));
    assert_int_equal(got.height, 32);
}

static void data_urls_are_split(void **unused)
{
    (void)unused;
    static const struct {
        const char *url, *mime, *payload;
        bool base64;
    } rows[] = {
        {"data:image/png;base64,iVBO", "image/png", "iVBO", true},
        {"DATA:image/jpeg;BASE64,/9j/,x", "image/jpeg", "/9j/,x", true},
        {"data:image/svg+xml;charset=utf-8;base64,PHN2", "image/svg+xml", "PHN2", true},
        {"data:text/html;charset=utf-8,%3Cp%3E", "text/html", "%3Cp%3E", false},
        {"data:text/html;base64;charset=utf-8,x", "text/html", "x", false},
        {"data:;base64,AAAA", "text/plain", "AAAA", true},
        {"data:,", "text/plain", "", false},
        {"data:base64,AAAA", "base64", "AAAA", false},
    };
    struct data_url got;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_true(data_url_split(str_of(rows[i].url), &got));
        if (!str_is(got.mime, rows[i].mime) || !str_is(got.payload, rows[i].payload) ||
            got.base64 != rows[i].base64)
            fail_msg("%s: \"%.*s\" \"%.*s\" %d", rows[i].url, STR_ARGS(got.mime),
                     STR_ARGS(got.payload), got.base64);
    }
    static const char *const not_data[] = {"", "data:", "data:image/png;base64", "https://a/b,c",
                                           "dat,a"};
    for (size_t i = 0; i < sizeof(not_data) / sizeof(*not_data); i++)
        assert_false(data_url_split(str_of(not_data[i]), &got));
}

// The published examples, and edges that users have measured.
static void prices_are_the_published_ones(void **unused)
{
    (void)unused;
    static const struct {
        const char *model;
        int64_t width, height;
        enum image_detail detail;
        int64_t tokens;
    } rows[] = {
        {"gpt-4o", 1024, 1024, DETAIL_HIGH, 765}, // OpenAI's examples
        {"gpt-4o", 2048, 4096, DETAIL_HIGH, 1105},
        {"gpt-4o", 4096, 8192, DETAIL_LOW, 85},
        {"gpt-4.1", 2049, 513, DETAIL_AUTO, 1445}, // billed so, and one pixel more:
        {"gpt-4.1", 2050, 513, DETAIL_AUTO, 765},
        {"openai/gpt-4o-mini-2024-07-18", 1024, 1024, DETAIL_AUTO, 2833 + 4 * 5667},
        {"gpt-5", 1024, 1024, DETAIL_HIGH, 70 + 4 * 140},
        {"gpt-5.1", 1, 1, DETAIL_HIGH, 70 + 140},
        {"o1", 512, 512, DETAIL_HIGH, 75 + 150},
        {"o3-pro", 512, 513, DETAIL_HIGH, 75 + 2 * 150},
        {"computer-use-preview", 512, 512, DETAIL_LOW, 65},
        {"gpt-4-turbo", 1024, 1024, DETAIL_HIGH, 765},
        {"gpt-4.1-mini", 1024, 1024, DETAIL_LOW, 1659},  // 1024 patches
        {"gpt-4.1-mini", 1800, 2400, DETAIL_AUTO, 2353}, // 1452 patches, OpenAI's example
        {"gpt-4.1-nano", 1800, 2400, DETAIL_AUTO, 3572},
        {"gpt-4.1-mini", 4000, 1474, DETAIL_AUTO, 2348}, // as OpenAI's calculator says
        {"o4-mini", 32, 32, DETAIL_AUTO, 2},
        {"gpt-5-mini", 33, 32, DETAIL_AUTO, 4},
        {"claude-sonnet-4-5", 1092, 1092, DETAIL_AUTO, 1521},
        {"claude-sonnet-4-5", 4000, 3000, DETAIL_AUTO, 1568},
        {"claude-sonnet-4-5", 28, 29, DETAIL_AUTO, 2},
        {"claude-sonnet-4-5", 100000, 28, DETAIL_AUTO, 56},
        {"us.anthropic.claude-opus-4-7-v1:0", 1568, 1568, DETAIL_AUTO, 3136},
        {"claude-opus-4-7", 9000, 9000, DETAIL_AUTO, 4784},
        {"gemini-2.5-flash", 384, 384, DETAIL_AUTO, 258},
        {"gemini-2.5-flash", 385, 384, DETAIL_AUTO, 258},
        {"gemini-2.5-flash", 960, 540, DETAIL_AUTO, 516},
        {"models/gemini-2.5-flash", 1 << 30, 1 << 30, DETAIL_AUTO, 16 * 258},
        {"gemini-3-pro", 100, 100, DETAIL_AUTO, 1120},
        {"qwen-vl-max", 100, 100, DETAIL_AUTO, IMAGE_DEFAULT_TOKENS},
        {NULL, 0, 0, DETAIL_AUTO, IMAGE_DEFAULT_TOKENS},
        {"gpt-4o", 0, 0, DETAIL_AUTO, 765},
        {"gpt-4o", -5, 100, DETAIL_AUTO, 765},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t got = image_tokens(rows[i].model, rows[i].width, rows[i].height, rows[i].detail);
        if (got != rows[i].tokens)
            fail_msg("%s %lldx%lld: %lld, want %lld", rows[i].model, (long long)rows[i].width,
                     (long long)rows[i].height, (long long)got, (long long)rows[i].tokens);
    }
}

// Whatever size a hostile header claims, the price is one that the provider could ask.
static void no_size_costs_absurdly(void **unused)
{
    (void)unused;
    static const char *const models[] = {
        "gpt-4o",   "gpt-4o-mini",   "gpt-4.1-nano", "gpt-5",    "o4-mini",
        "claude-3", "claude-opus-5", "gemini-2",     "gemini-3", "x"};
    static const int64_t sides[] = {1, 2, 31, 32, 33, 511, 768, 1537, 3000, 65535, INT32_MAX};
    for (size_t m = 0; m < sizeof(models) / sizeof(*models); m++)
        for (size_t i = 0; i < 11 * 11; i++)
            assert_in_range(image_tokens(models[m], sides[i / 11], sides[i % 11], DETAIL_HIGH), 1,
                            2833 + 8 * 5667);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(short_pictures_have_no_size),
        cmocka_unit_test(odd_pictures_have_no_size),
        cmocka_unit_test(changed_bytes_are_safe),
        cmocka_unit_test(base64_is_decoded_as_far_as_needed),
        cmocka_unit_test(data_urls_are_split),
        cmocka_unit_test(prices_are_the_published_ones),
        cmocka_unit_test(no_size_costs_absurdly),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
