// Items of the Responses API, of what is kept here (kept.c).

#pragma once
#include "common/json.h"

struct arena;

// Does it only name another item? Its type may be left out.
bool item_is_reference(yyjson_val *item);
// Of a reference: the id of the reply that the item is part of. NULL if it is not called as we call
// the items of our replies: "msg_" or another kind, what the reply is called behind "resp_", a
// number.
const char *item_reply(struct arena *a, yyjson_val *item);

// An item of a list for people; `id` for one that has none, NULL leaves ids out: providers look for
// what they are given.
void item_put(struct json *j, yyjson_val *item, const char *id);
// What a user said.
void item_put_said(struct json *j, struct str text);
// The items of an input, which may be one text.
void items_put(struct json *j, yyjson_val *input);
