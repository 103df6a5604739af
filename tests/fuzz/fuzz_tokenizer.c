// Counting tokens: a text in pieces counts as the whole, and no exact count has more tokens than
// bytes.

#include "common/image.h"
#include "common/tokenizer/tokenizer.h"
#include "input.h"

static void count(enum tokenizer which, struct str text, size_t step)
{
    struct tokenizer_state s;
    int64_t whole = tokenizer_count(which, text);
    bool exact = which == TOKENIZER_O200K || which == TOKENIZER_CL100K;
    HOLDS(whole >= 0 && whole <= (int64_t)text.n * (exact ? 1 : 4));
    tokenizer_start(&s, which);
    for (size_t at = 0; at < text.n; at += step)
        tokenizer_feed(&s, (struct str){text.p + at, at + step < text.n ? step : text.n - at});
    HOLDS(tokenizer_finish(&s) == whole);
}

static void look_at_picture(struct str text)
{
    struct image image;
    struct data_url url;
    if (image_size(text, &image))
        HOLDS(image.width > 0 && image.height > 0);
    image_size_base64(text, &image);
    if (data_url_split(text, &url) && url.base64)
        image_size_base64(url.payload, &image);
    HOLDS(image_tokens("gpt-4o", image.width, image.height, DETAIL_HIGH) >= 0);
    HOLDS(image_tokens("claude-x", image.width, image.height, DETAIL_LOW) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned which = input_byte(&in), step = input_byte(&in);
    if (which & 8)
        look_at_picture(in.text);
    else
        count((enum tokenizer)(which % (TOKENIZER_APPROX_OTHER + 1)), in.text, step + 1);
    return 0;
}
