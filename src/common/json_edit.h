// Changing a few members of a JSON object without writing it anew: the rest of the bytes stays as
// it was, in pieces that point into the original.

#pragma once
#include "common/json.h"
#include "common/json_outline.h"

struct arena;

// An object as text and as values that know where in the text they stand.
struct json_text {
    struct str text;
    yyjson_val *root;
    const char *pool; // yyjson's copy of what it read: strings in it stand at the same offsets
    struct outline outline; // of a large text, this was read: .text.p is NULL when it was the text
};

struct json_edit {
    const char *key;  // of the outermost object
    struct str value; // JSON text; replaces the member's value, or is added when there is none
};

// As json_read, for an object; of a text of JSON_TEXT_LARGE and more, long strings may be cut in
// the values (json_outline.h). err_json_invalid, err_json_too_deep; err_body_invalid if it is not
// an object.
enum { JSON_TEXT_LARGE = 32 << 10 };
struct err *json_text_read(struct arena *a, struct str text, struct json_text *out);

// Reads it again where strings were cut. The values of before stay as they are.
struct err *json_text_read_whole(struct arena *a, struct json_text *t);

enum { JSON_EDITS_MOST = 64 };

// The text with the edits made (the last one, where several name the same member), as at most
// `most` pieces; joined in the arena when there would be more. Returns how many.
size_t json_text_edit(struct arena *a, const struct json_text *t, const struct json_edit *edits,
                      size_t count, struct str *pieces, size_t most);
