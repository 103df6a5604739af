// Headers of picture formats, every read checked against the length; then a price rule per family.

#include "common/image.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/tokenizer/tokenizer.h"

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

struct rule {
    const char *prefix; // of the model's name; the first that fits counts
    int64_t (*tokens)(const struct rule *rule, double width, double height,
                      enum image_detail detail);
    int base, tile; // tiles: tokens per picture, and per tile of 512 pixels
    int percent;    // patches: tokens per hundred of them
    int edge, most; // Claude: longest edge, most tokens
};

// OpenAI's tiles: fitted into 2048 x 2048, then the shortest side brought down to 768, then a price
// per square of 512. Low detail is the base price.
static int64_t tiles(const struct rule *rule, double width, double height, enum image_detail detail)
{
    if (detail == DETAIL_LOW)
        return rule->base;
    double scale = fmin(1, 2048 / fmax(width, height));
    scale *= fmin(1, 768 / (fmin(width, height) * scale));
    // Rounded first, so that 1024 scaled by 0.75 is 768 and not a hair more.
    double across = ceil(fmax(1, round(width * scale)) / 512);
    double down = ceil(fmax(1, round(height * scale)) / 512);
    return rule->base + (int64_t)(across * down) * rule->tile;
}

// OpenAI's patches: squares of 32 pixels. A picture of more than 1536 is scaled down so that they
// cover it, and whole ones in one direction. The detail does not count.
static int64_t patches(const struct rule *rule, double width, double height,
                       enum image_detail detail)
{
    enum { SIDE = 32, MOST = 1536 };
    (void)detail;
    double across = ceil(width / SIDE), down = ceil(height / SIDE);
    if (across * down > MOST) {
        double scale = sqrt((double)SIDE * SIDE * MOST / (width * height));
        double w = width * scale / SIDE, h = height * scale / SIDE;
        scale *= fmin(fmax(1, floor(w)) / w, fmax(1, floor(h)) / h);
        across = ceil(round(width * scale * 1000 / SIDE) / 1000);
        down = ceil(round(height * scale * 1000 / SIDE) / 1000);
    }
    double count = fmin(MOST, fmax(1, across) * fmax(1, down));
    return ((int64_t)count * rule->percent + 99) / 100;
}

// Claude: squares of 28 pixels (which is the older "width x height / 750"), after scaling down to
// the longest edge and the most tokens that the model admits.
static int64_t claude(const struct rule *rule, double width, double height,
                      enum image_detail detail)
{
    enum { SIDE = 28 };
    (void)detail;
    double scale = fmin(1, rule->edge / fmax(width, height));
    double across = ceil(width * scale / SIDE), down = ceil(height * scale / SIDE);
    return (int64_t)fmin(rule->most, fmax(1, across) * fmax(1, down));
}

// Gemini up to 2.5: 258 for a small picture, else for each tile of 768 pixels, after scaling down
// to 3072 pixels a side.
static int64_t gemini(const struct rule *rule, double width, double height,
                      enum image_detail detail)
{
    (void)detail;
    if (width <= 384 && height <= 384)
        return rule->base;
    double scale = fmin(1, 3072 / fmax(width, height));
    return rule->base * (int64_t)(ceil(width * scale / 768) * ceil(height * scale / 768));
}

static int64_t flat(const struct rule *rule, double width, double height, enum image_detail detail)
{
    (void)width, (void)height, (void)detail;
    return rule->base;
}

// OpenAI's documentation says so; users measure fewer tokens for gpt-5-mini and -nano (1.20
// and 1.50 per patch). Claude's higher resolution came with Opus 4.7; its successors are taken to
// have it.
static const struct rule rules[] = {
    {"gpt-4o-mini", tiles, .base = 2833, .tile = 5667},
    {"gpt-4.1-mini", patches, .percent = 162},
    {"gpt-4.1-nano", patches, .percent = 246},
    {"gpt-5-mini", patches, .percent = 162},
    {"gpt-5-nano", patches, .percent = 246},
    {"o4-mini", patches, .percent = 172},
    {"gpt-5", tiles, .base = 70, .tile = 140},
    {"o1", tiles, .base = 75, .tile = 150},
    {"o3", tiles, .base = 75, .tile = 150},
    {"computer-use-preview", tiles, .base = 65, .tile = 129},
    {"gpt-image", tiles, .base = 65, .tile = 129},
    {"gpt-", tiles, .base = 85, .tile = 170}, // 4o, 4.1, 4.5, 4-turbo
    {"chatgpt-4o", tiles, .base = 85, .tile = 170},
    {"claude-opus-4-7", claude, .edge = 2576, .most = 4784},
    {"claude-opus-4-8", claude, .edge = 2576, .most = 4784},
    {"claude-opus-5", claude, .edge = 2576, .most = 4784},
    {"claude-sonnet-5", claude, .edge = 2576, .most = 4784},
    {"claude", claude, .edge = 1568, .most = 1568},
    {"gemini-3", flat, .base = 1120}, // the default media_resolution, whatever the size
    {"gemini", gemini, .base = 258},
    {"", flat, .base = IMAGE_DEFAULT_TOKENS},
};

int64_t image_tokens(const char *model, int64_t width, int64_t height, enum image_detail detail)
{
    const char *name = tokenizer_family_name(model);
    bool known = width > 0 && height > 0;
    double w = known ? (double)width : IMAGE_DEFAULT_SIZE;
    double h = known ? (double)height : IMAGE_DEFAULT_SIZE;
    const struct rule *rule = rules;
    while (strncasecmp(name, rule->prefix, strlen(rule->prefix)) != 0)
        rule++;
    return rule->tokens(rule, w, h, detail);
}
