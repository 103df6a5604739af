// JSON: a streaming writer into a buffer, and yyjson for reading.
//
// Writing: json_obj(&j, NULL); json_str(&j, "type", "ping"); json_end(&j);
// The key is NULL for members of arrays and for the outermost value. Text must be UTF-8.

#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "common/buf.h"
#include "common/err.h"

struct arena;

// yyjson's own steps from NULL to NULL + 1 where there is no object.
#undef yyjson_obj_foreach
#define yyjson_obj_foreach(obj, idx, max, key, val)                                                \
    for ((idx) = 0, (max) = yyjson_obj_size(obj),                                                  \
        (key) = (max) ? unsafe_yyjson_get_first(obj) : NULL, (val) = (key) ? (key) + 1 : NULL;     \
         (idx) < (max); (idx)++, (key) = unsafe_yyjson_get_next(val), (val) = (key) + 1)

enum { JSON_DEPTH_MAX = 64 }; // nesting we accept and write

struct json {
    struct buf *out;
    uint64_t arrays; // bit n: is the n-th open container an array?
    int depth;
    bool comma;
};

void json_obj(struct json *j, const char *key);
void json_arr(struct json *j, const char *key);
void json_end(struct json *j);                                 // closes the innermost
void json_end_all(struct json *j);                             // closes whatever is open
void json_str(struct json *j, const char *key, const char *s); // NULL writes null
void json_strn(struct json *j, const char *key, struct str s); // s.p NULL writes null
void json_int(struct json *j, const char *key, int64_t v);
void json_real(struct json *j, const char *key, double v); // integral values without a fraction
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);
void json_raw(struct json *j, const char *key, struct str text); // text is JSON already
void json_val(struct json *j, const char *key, yyjson_val *v);   // NULL writes null

// Just the quoted, escaped text, for pieces assembled by hand.
void json_quote(struct buf *out, struct str s);

// Reads a whole document; the values live in the arena. Refuses what is not strict JSON in valid
// UTF-8 (err_json_invalid, the detail says where) and nesting beyond JSON_DEPTH_MAX
// (err_json_too_deep).
struct err *json_read(struct arena *a, struct str text, yyjson_val **root);

// The same; *pool is the reader's copy of the text, in which every string of the values stands at
// the offset it has in the text (json_edit.h).
struct err *json_read_pooled(struct arena *a, struct str text, yyjson_val **root,
                             const char **pool);

// The same, reading strings in place: `bytes` must be followed by at least 4 writable bytes
// (YYJSON_PADDING_SIZE), is changed, and must outlive the values.
struct err *json_read_in_place(struct arena *a, char *bytes, size_t n, yyjson_val **root);

// err_json_duplicate_key if a member of this object stands twice: readers disagree on which one
// counts, and the difference has let requests past model and price checks.
struct err *json_no_duplicates(struct arena *a, yyjson_val *object);

// Members by name; the fallback when absent or of another type.
const char *json_text_at(yyjson_val *object, const char *key); // NULL if there is none
struct str json_str_at(yyjson_val *object, const char *key);   // .p NULL if there is none
int64_t json_int_at(yyjson_val *object, const char *key, int64_t fallback);
bool json_bool_at(yyjson_val *object, const char *key, bool fallback);

// The compact text of a value.
struct str json_text_of(struct arena *a, yyjson_val *v);
