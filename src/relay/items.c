// Items of the Responses API as they are kept and put together again.

#include "relay/items.h"

#include <string.h>

#include "common/arena.h"
#include "model/kept.h"

bool item_is_reference(yyjson_val *item)
{
    const char *type = json_text_at(item, "type");
    return type ? !strcmp(type, "item_reference")
                : json_text_at(item, "id") && !json_text_at(item, "role");
}

const char *item_reply(struct arena *a, yyjson_val *item)
{
    struct str id = json_str_at(item, "id");
    int64_t number;
    if (!id.n || id.n > KEPT_NAME_MAX || !item_is_reference(item))
        return NULL;
    const char *begin = memchr(id.p, '_', id.n), *end = memrchr(id.p, '_', id.n);
    if (!begin || end - begin < 2 || !str_to_int(str_skip(id, (size_t)(end + 1 - id.p)), &number))
        return NULL;
    return arena_printf(a, "resp_%.*s", (int)(end - begin - 1), begin + 1);
}

// Messages may be written in short.
static void put_content(struct json *j, yyjson_val *item)
{
    yyjson_val *content = yyjson_obj_get(item, "content");
    bool reply = text_eq(json_text_at(item, "role"), "assistant");
    if (!yyjson_is_str(content)) {
        if (content)
            json_val(j, "content", content);
        return;
    }
    json_arr(j, "content");
    json_obj(j, NULL);
    json_str(j, "type", reply ? "output_text" : "input_text");
    json_strn(j, "text", (struct str){yyjson_get_str(content), yyjson_get_len(content)});
    if (reply) {
        json_arr(j, "annotations");
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

void item_put(struct json *j, yyjson_val *item, const char *id)
{
    size_t i, max;
    yyjson_val *key, *value;
    json_obj(j, NULL);
    const char *own = json_text_at(item, "id");
    if (id)
        json_str(j, "id", own ? own : id);
    if (!json_text_at(item, "type"))
        json_str(j, "type", "message");
    yyjson_obj_foreach(item, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (strcmp(name, "id") != 0 && strcmp(name, "content") != 0)
            json_val(j, name, value);
    }
    put_content(j, item);
    json_end(j);
}

void item_put_said(struct json *j, struct str text)
{
    json_obj(j, NULL);
    json_str(j, "type", "message");
    json_str(j, "role", "user");
    json_strn(j, "content", text);
    json_end(j);
}

void items_put(struct json *j, yyjson_val *input)
{
    size_t i, max;
    yyjson_val *item;
    if (yyjson_is_str(input))
        item_put_said(j, (struct str){yyjson_get_str(input), yyjson_get_len(input)});
    yyjson_arr_foreach(input, i, max, item)
    {
        if (item_is_reference(item))
            json_val(j, NULL, item);
        else
            item_put(j, item, NULL);
    }
}
