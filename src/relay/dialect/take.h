// Taking members out of a caller's request; null counts as absent, a wrong type is the caller's
// error.

#pragma once
#include "relay/chat.h"

struct err *take_real(struct arena *a, yyjson_val *body, const char *key, bool *has, double *out);
struct err *take_int(struct arena *a, yyjson_val *body, const char *key, bool *has, int64_t *out);
struct err *take_bool(struct arena *a, yyjson_val *body, const char *key, bool *out);
struct err *take_text(struct arena *a, yyjson_val *body, const char *key, const char **out);
// A text or an array of texts; blank ones are left out.
struct err *take_stops(struct arena *a, yyjson_val *body, const char *key, const char ***out);
// The array under `key`; *out NULL if absent.
struct err *take_list(struct arena *a, yyjson_val *body, const char *key, yyjson_val **out);
// model and stream, which every dialect with a JSON body has; refuses members that stand twice.
struct err *take_head(struct arena *a, yyjson_val *body, struct chat_head *out);

// OpenAI's names for it (struct chat_head); NULL if there is none.
const char *take_session(yyjson_val *body);

// How much may be left to chance, under the names that a dialect has for it (NULL: none).
struct sampling_names {
    const char *temperature, *top_p, *presence, *frequency, *top_k, *seed, *stop;
};
struct err *take_sampling(struct arena *a, yyjson_val *body, const struct sampling_names *names,
                          struct chat_request *out);
// "user", "assistant" or "system" of the `at`-th message.
struct err *take_role(struct arena *a, yyjson_val *message, size_t at, enum chat_role *out);
// A text, or an array of parts, each for `read`; `field` is named when it is neither. Empty texts
// are dropped: no other dialect accepts them (part_is_nothing tells such a part).
struct err *take_content(struct arena *a, yyjson_val *content, const char *field,
                         struct err *(*read)(struct arena *a, yyjson_val *in,
                                             struct chat_part ***end),
                         struct chat_part ***end);
bool part_is_nothing(yyjson_val *in);

// What parts there are, by their "type".
struct part_row {
    const char *type;
    enum part_kind kind;
    void (*read)(struct arena *a, yyjson_val *in, struct chat_part *p);
};
// A new part of `owner`'s; of a type that has no row (`rows` end with NULL) a raw one.
struct chat_part *part_read(struct arena *a, yyjson_val *in, const struct part_row *rows,
                            const struct dialect *owner, struct chat_part ***end);
struct chat_part *part_add(struct arena *a, struct chat_part ***end, enum part_kind kind);
struct chat_message *message_add(struct arena *a, struct chat_message ***end, enum chat_role role);
// A user's message that answers calls becomes two: the results, and what else it says.
void results_split(struct arena *a, struct chat_message *m, struct chat_message ***end);
// The texts of these parts with `between` them; .p NULL if there are none.
struct str parts_text(struct arena *a, const struct chat_part *parts, const char *between);
// What a search found, for models that have no form for it.
struct str found_text(struct arena *a, struct str title, struct str source,
                      const struct chat_part *content);
bool text_is_blank(struct str s);
struct str text_trimmed(struct str s); // without the white space at its end
// Claude Code's first system text: it differs with every build, would spoil the prompt caches of
// everybody but Anthropic, and says nothing to them.
bool text_is_billing(struct str s);
// Arguments of a call as a JSON object. They stay the text they are: large numbers and the order of
// keys survive. Nothing is {}, what is no object is wrapped: {"_raw": "..."}.
struct str object_text(struct arena *a, struct str arguments);

// What a same-dialect provider should see although we do not know it: members of `body` whose names
// are not in `known` (ends with NULL).
void ride_along(struct arena *a, struct json *j, yyjson_val *body, const char *const *known);
