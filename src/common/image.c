// Headers of picture formats, read as far as the size; every read is checked against the length.

#include "common/image.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"

// `n` bytes (at most 4) as a number; the caller has checked that they are there.
static uint32_t big(struct str b, size_t at, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)b.p[at + i];
    return v;
}

static uint32_t little(struct str b, size_t at, size_t n)
{
    uint32_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | (unsigned char)b.p[at + i];
    return v;
}

static bool holds(struct str b, size_t at, struct str what)
{
    return b.n >= at + what.n && !memcmp(b.p + at, what.p, what.n);
}

static bool set_size(struct image *out, uint32_t width, uint32_t height)
{
    if (!width || !height || width > INT32_MAX || height > INT32_MAX)
        return false;
    out->width = width;
    out->height = height;
    return true;
}

static bool png_size(struct str b, struct image *out)
{
    return b.n >= 24 && holds(b, 12, STR("IHDR")) && set_size(out, big(b, 16, 4), big(b, 20, 4));
}

static bool gif_size(struct str b, struct image *out)
{
    return b.n >= 10 && set_size(out, little(b, 6, 2), little(b, 8, 2));
}

// SOF0 ... SOF15, among which three numbers mean something else.
static bool jpeg_has_size(unsigned marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

// Markers that stand alone, without a length.
static bool jpeg_is_bare(unsigned marker)
{
    return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

static bool jpeg_size(struct str b, struct image *out)
{
    for (size_t at = 2; at + 4 <= b.n;) {
        if (big(b, at, 1) != 0xff)
            return false;
        unsigned marker = big(b, at + 1, 1);
        if (marker == 0xff) {
            at++; // fill byte
        } else if (jpeg_is_bare(marker)) {
            at += 2;
        } else if (jpeg_has_size(marker)) {
            return at + 9 <= b.n && set_size(out, big(b, at + 7, 2), big(b, at + 5, 2));
        } else {
            size_t length = big(b, at + 2, 2);
            if (marker == 0xd9 || marker == 0xda || length < 2)
                return false; // the picture itself, or its end, before its size
            at += 2 + length;
        }
    }
    return false;
}

static bool webp_size(struct str b, struct image *out)
{
    if (holds(b, 12, STR("VP8X")) && b.n >= 30)
        return set_size(out, little(b, 24, 3) + 1, little(b, 27, 3) + 1);
    if (holds(b, 12, STR("VP8L")) && b.n >= 25 && b.p[20] == 0x2f) {
        uint32_t bits = little(b, 21, 4);
        return set_size(out, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    }
    if (holds(b, 12, STR("VP8 ")) && b.n >= 30 && holds(b, 23, STR("\x9d\x01\x2a")))
        return set_size(out, little(b, 26, 2) & 0x3fff, little(b, 28, 2) & 0x3fff);
    return false;
}

bool image_size(struct str bytes, struct image *out)
{
    static const struct {
        const char *magic;
        size_t n, at;
        enum image_type type;
        bool (*size)(struct str bytes, struct image *out);
    } formats[] = {
        {"\x89PNG\r\n\x1a\n", 8, 0, IMAGE_PNG, png_size},
        {"\xff\xd8\xff", 3, 0, IMAGE_JPEG, jpeg_size},
        {"GIF87a", 6, 0, IMAGE_GIF, gif_size},
        {"GIF89a", 6, 0, IMAGE_GIF, gif_size},
        {"WEBP", 4, 8, IMAGE_WEBP, webp_size},
    };
    *out = (struct image){0};
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (!holds(bytes, formats[i].at, (struct str){formats[i].magic, formats[i].n}))
            continue;
        if (formats[i].type == IMAGE_WEBP && !holds(bytes, 0, STR("RIFF")))
            continue;
        out->type = formats[i].type;
        return formats[i].size(bytes, out);
    }
    return false;
}

bool image_size_base64(struct str base64, struct image *out)
{
    // A JPEG from a camera has a small picture, or colour tables, before its size.
    static const size_t steps[] = {512, 1 << 17, 1 << 21};
    *out = (struct image){0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        ARENA(a);
        bool all = base64.n <= steps[i];
        struct str bytes = base64_bytes(a, (struct str){base64.p, all ? base64.n : steps[i]});
        if (!bytes.p)
            return false;
        if (image_size(bytes, out))
            return true;
        if (all || out->type != IMAGE_JPEG)
            return false;
    }
    return false;
}

bool data_url_split(struct str url, struct data_url *out)
{
    *out = (struct data_url){.mime = STR("text/plain")};
    const char *comma = url.n ? memchr(url.p, ',', url.n) : NULL;
    if (url.n < 5 || !str_is_nocase((struct str){url.p, 5}, "data:") || !comma)
        return false;
    struct str head = str_skip((struct str){url.p, (size_t)(comma - url.p)}, 5), part;
    out->payload = str_skip(url, (size_t)(comma - url.p) + 1);
    for (bool first = true; str_next(&head, ';', &part); first = false) {
        if (first && part.n)
            out->mime = str_trim(part);
        out->base64 = !first && str_is_nocase(str_trim(part), "base64"); // only as the last
    }
    return true;
}
