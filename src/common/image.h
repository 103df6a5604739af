// Pictures in requests: their size from their first bytes, and the tokens they cost.
//
// The rules are the published ones (OpenAI: developers.openai.com/api/docs/guides/images-vision;
// Anthropic: platform.claude.com/docs/en/build-with-claude/vision; Google:
// ai.google.dev/gemini-api/docs/tokens), used only when an upstream gives no usage.

#pragma once
#include <stdbool.h>

#include "common/str.h"

enum image_type { IMAGE_UNKNOWN, IMAGE_PNG, IMAGE_JPEG, IMAGE_GIF, IMAGE_WEBP };

struct image {
    enum image_type type;
    int64_t width, height; // 0 when not known
};

// Reads the type and the size of a picture of which at least the beginning is here. False when the
// size cannot be told; the type is set all the same if it can be.
bool image_size(struct str bytes, struct image *out);

// The same for base64, of which it decodes no more than it needs.
bool image_size_base64(struct str base64, struct image *out);

// "data:image/png;base64,iVBO...": views into the URL. False when it is no data URL.
struct data_url {
    struct str mime;    // without parameters; "text/plain" when it says none
    struct str payload; // what follows the comma
    bool base64;        // else percent-encoded
};
bool data_url_split(struct str url, struct data_url *out);

// OpenAI's "detail"; AUTO counts as HIGH.
enum image_detail { DETAIL_AUTO, DETAIL_LOW, DETAIL_HIGH };

// What one picture costs, by the beginning of the model's name as in tokenizer_for(). A width or
// height of 0 or less stands for "not known", and counts as IMAGE_DEFAULT_SIZE squared. Families
// without a published rule cost IMAGE_DEFAULT_TOKENS whatever the size.
enum { IMAGE_DEFAULT_SIZE = 1024, IMAGE_DEFAULT_TOKENS = 520 };
int64_t image_tokens(const char *model, int64_t width, int64_t height, enum image_detail detail);
