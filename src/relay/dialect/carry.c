// Wrapping and unwrapping the state that belongs to a model's thinking.

#include "relay/dialect/carry.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"

static const char MARK[] = "tfr1.";
enum { STATE_MOST = 64 << 20 };

static const struct dialect *const makers[] = {&claude_dialect, &responses_dialect};

static const struct dialect *maker_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++)
        if (text_eq(makers[i]->name, name))
            return makers[i];
    return NULL;
}

struct str carry_wrap(struct arena *a, const struct dialect *maker, bool redacted, struct str state,
                      struct str text)
{
    BUF_HERE(inner, STATE_MOST);
    struct json j = {.out = &inner};
    json_obj(&j, NULL);
    json_str(&j, "v", maker->name);
    json_str(&j, "k", redacted ? "redacted" : "thinking");
    json_strn(&j, "d", state);
    if (text.n)
        json_strn(&j, "t", text);
    json_end(&j);
    return str_of(arena_printf(a, "%s%s", MARK, base64url(a, inner.p, inner.n)));
}

struct str carry_shown(struct arena *a, const struct dialect *speaks, const struct dialect *maker,
                       bool redacted, struct str state)
{
    if (!state.n || !maker || maker == speaks)
        return state;
    return carry_wrap(a, maker, redacted, state, (struct str){0});
}

static void unwrap(struct arena *a, struct chat_part *p, struct str wrapped)
{
    yyjson_val *root = NULL;
    struct str inner = base64_bytes(a, str_skip(wrapped, sizeof(MARK) - 1));
    if (!inner.p || json_read(a, inner, &root))
        return; // cut or made up: as if there were none
    struct str text = json_str_at(root, "t"), state = json_str_at(root, "d");
    p->maker = maker_by_name(json_text_at(root, "v"));
    if (!p->maker)
        return;
    *(text_eq(json_text_at(root, "k"), "redacted") ? &p->redacted : &p->signature) = state;
    if (text.n)
        p->text = text;
}

void carry_take(struct arena *a, struct chat_part *p, const struct dialect *speaks, struct str sent,
                bool redacted)
{
    if (str_starts(sent, MARK)) {
        unwrap(a, p, sent);
        return;
    }
    p->maker = speaks;
    *(redacted ? &p->redacted : &p->signature) = sent;
}

bool carry_fits(const struct chat_part *p, const struct dialect *maker)
{
    return p->maker == maker && (p->signature.n || p->redacted.n);
}
