// Wrapping and opening carried state. JSON inside: v = whose, d = the state, t = text, k = kind.

#include "relay/dialect/carry.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"

static const char MARK[] = "tfr1.";

enum { CARRIED_MOST = 16 << 20 };

// How the mark looks inside Gemini's signatures, which are base64.
static const char MARK_BASE64[] = "dGZyMS";

static const struct dialect *const owners[] = {&openai_dialect,    &claude_dialect,
                                               &gemini_dialect,    &bedrock_dialect,
                                               &responses_dialect, &cohere_dialect};

struct str carry_wrap(struct arena *a, const struct dialect *owner, struct str state,
                      struct str text, bool redacted)
{
    BUF_HERE(out, CARRIED_MOST);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    json_str(&j, "v", owner->name);
    if (redacted)
        json_str(&j, "k", "redacted");
    json_strn(&j, "d", state.p ? state : STR(""));
    if (text.n)
        json_strn(&j, "t", text);
    json_end(&j);
    return str_of(arena_printf(a, "%s%s", MARK, base64url(a, out.p, out.n)));
}

struct str carry_for(struct arena *a, const struct dialect *reader, const struct dialect *owner,
                     struct str state, bool redacted)
{
    if (!owner || owner == reader)
        return state;
    return carry_wrap(a, owner, state, (struct str){0}, redacted);
}

// What is carried is the whole of some text, and a document's values lie one after the other.
bool chat_carries(yyjson_val *root)
{
    yyjson_val *end = root ? unsafe_yyjson_get_next(root) : NULL;
    for (yyjson_val *v = root; v < end; v++) {
        if (!unsafe_yyjson_is_str(v))
            continue;
        struct str text = {unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)};
        if (str_starts(text, MARK) || str_starts(text, MARK_BASE64))
            return true;
    }
    return false;
}

bool carry_is(struct str carried)
{
    return str_starts(carried, MARK);
}

bool carry_open(struct arena *a, struct str carried, struct chat_part *out)
{
    yyjson_val *root = NULL;
    if (!carry_is(carried))
        return false;
    struct str json = base64_bytes(a, str_skip(carried, sizeof(MARK) - 1));
    if (!json.n || json_read(a, json, &root))
        return false;
    struct str whose = json_str_at(root, "v"), state = json_str_at(root, "d");
    for (size_t i = 0; i < sizeof(owners) / sizeof(*owners); i++) {
        if (!str_is(whose, owners[i]->name))
            continue;
        bool redacted = text_eq(json_text_at(root, "k"), "redacted");
        *(redacted ? &out->redacted : &out->signature) = state;
        out->text = json_str_at(root, "t");
        out->owner = owners[i];
        return state.n > 0;
    }
    return false;
}
