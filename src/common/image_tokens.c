// What providers charge for a picture, a rule per family of models.

#include <math.h>
#include <string.h>
#include <strings.h>

#include "common/image.h"
#include "common/tokenizer/tokenizer.h"

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
    while (strncasecmp(name, rule->prefix, strlen(rule->prefix)))
        rule++;
    return rule->tokens(rule, w, h, detail);
}
