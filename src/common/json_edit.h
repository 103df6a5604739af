// Changing a few members of a JSON object without writing it anew: the rest of the bytes stays as
// it was, in pieces that point into the original.

#pragma once
#include "common/json.h"

struct arena;

// An object as text and as values that know where in the text they stand.
struct json_text {
    struct str text;
    yyjson_val *root;
    const char *pool; // yyjson's copy of the text: strings in it stand at the same offsets
};

struct json_edit {
    const char *key;  // of the outermost object
    struct str value; // JSON text; replaces the member's value, or is added when there is none
};

// As json_read, for an object. err_json_invalid, err_json_too_deep; err_body_invalid if it is not
// an object.
struct err *json_text_read(struct arena *a, struct str text, struct json_text *out);

enum { JSON_EDITS_MOST = 64 };

// The text with the edits made (the last one, where several name the same member), as at most
// `most` pieces; joined in the arena when there would be more. Returns how many.
size_t json_text_edit(struct arena *a, const struct json_text *t, const struct json_edit *edits,
                      size_t count, struct str *pieces, size_t most);
