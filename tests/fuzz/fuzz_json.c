// Editing JSON in place: the result parses, edited members have their new values, the others are as
// they were, byte for byte.

#include <string.h>

#include "common/arena.h"
#include "common/json_edit.h"
#include "input.h"

static const char *const keys[] = {"model", "stream_options", "a", "", "\"quoted\"", "\xc3\xa9"};
static const char *const values[] = {"\"m\"",   "{\"include_usage\":true}", "1", "[]", "null",
                                     "\"\\\"\""};

enum { KEYS = sizeof(keys) / sizeof(*keys), PIECES = 16 };

static bool is_edited(const char *key, unsigned which)
{
    for (size_t i = 0; i < KEYS; i++)
        if ((which >> i & 1) && !strcmp(keys[i], key))
            return true;
    return false;
}

static void expect_rest(yyjson_val *before, yyjson_val *after, unsigned which)
{
    yyjson_val *key, *value;
    size_t i, max;
    yyjson_obj_foreach(before, i, max, key, value)
    {
        if (strlen(yyjson_get_str(key)) != yyjson_get_len(key) ||
            is_edited(yyjson_get_str(key), which))
            continue;
        HOLDS(yyjson_equals(value, yyjson_obj_get(after, yyjson_get_str(key))));
    }
}

static void edit(struct arena *a, const struct json_text *t, unsigned which, size_t most)
{
    struct json_edit edits[KEYS + 1];
    struct str pieces[PIECES];
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++)
        if (which >> i & 1)
            edits[count++] = (struct json_edit){keys[i], str_of(values[i])};
    if (which & 64 && count) { // named twice: the last one counts
        edits[count] = edits[0];
        edits[0].value = STR("\"not this one\"");
        count++;
    }
    size_t n = json_text_edit(a, t, edits, count, pieces, most);
    HOLDS(n >= 1 && n <= most);
    BUF_HERE(out, 64 << 20);
    for (size_t i = 0; i < n; i++)
        buf_str(&out, pieces[i]);
    yyjson_val *root = NULL, *wanted = NULL;
    HOLDS(!json_read(a, buf_view(&out), &root));
    for (size_t i = 0; i < KEYS; i++) {
        if (!(which >> i & 1))
            continue;
        HOLDS(!json_read(a, str_of(values[i]), &wanted));
        HOLDS(yyjson_equals(yyjson_obj_get(root, keys[i]), wanted));
    }
    expect_rest(t->root, root, which);
    HOLDS(!json_no_duplicates(a, root));
}

// What is written from a value reads as the same value.
static void rewrite(struct arena *a, yyjson_val *root)
{
    yyjson_val *again = NULL;
    BUF_HERE(out, 64 << 20);
    struct json j = {.out = &out};
    json_val(&j, NULL, root);
    HOLDS(!json_read(a, buf_view(&out), &again));
    HOLDS(yyjson_equals(root, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned which = input_byte(&in), most = input_byte(&in);
    ARENA(a);
    struct json_text t;
    if (json_text_read(a, in.text, &t))
        return 0;
    rewrite(a, t.root);
    if (!json_no_duplicates(a, t.root))
        edit(a, &t, which, most % PIECES + 1);
    return 0;
}
