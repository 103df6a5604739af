// Compared by everything that an address or a header is made from.

#include "relay/prepared.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "relay/state.h"

enum { ASKED_MOST = 4, ASKED_BYTES = 256 };

struct prepared {
    struct derived derived; // first
    enum relay_mode mode;
    bool stream, array, translated, accepts;
    const char *model;            // NULL: it is not part of the address
    struct str asked[ASKED_MOST]; // what the caller sent of the provider's headers
    struct url url;
    struct str headers;
    char texts[];
};

// What a request's caller has to say in the headers that the provider's row names. False if that is
// too much to compare.
static bool ask_caller(struct relay *r, struct str *asked)
{
    const struct provider_header *h = r->attempt.provider->headers;
    for (int i = 0; h && h->name; h++, i++) {
        if (i == ASKED_MOST)
            return false;
        if (r->attempt.caller_header)
            asked[i] = r->attempt.caller_header(&r->attempt, h->name);
        if (asked[i].n > ASKED_BYTES)
            return false;
    }
    return true;
}

static bool model_matters(const struct provider *p, enum relay_mode mode)
{
    return p->fix_url || (p->path[mode] && strchr(p->path[mode], '{'));
}

static bool fits(const struct prepared *p, const struct relay *r, const struct str *asked)
{
    if (p->mode != r->attempt.mode || p->stream != r->attempt.stream ||
        p->array != r->attempt.array || p->translated != (r->attempt.caller_header == NULL) ||
        (p->model && strcmp(p->model, r->attempt.model) != 0))
        return false;
    for (int i = 0; i < ASKED_MOST; i++)
        if (!str_eq(p->asked[i], asked[i]))
            return false;
    return true;
}

bool prepared_use(struct relay *r)
{
    struct str asked[ASKED_MOST] = {{0}};
    struct derived *item =
        atomic_load_explicit(&r->choice.key->derived->first, memory_order_acquire);
    if (!item || r->attempt.tail || !ask_caller(r, asked)) // a tail is one reply's own address
        return false;
    for (; item; item = item->next) {
        const struct prepared *p = (struct prepared *)item;
        if (!fits(p, r, asked))
            continue;
        r->call->url = p->url;
        r->call->headers = p->headers;
        r->call->accepts = p->accepts;
        r->call->checked = true;
        return true;
    }
    return false;
}

static const char *put(char **to, struct str s)
{
    char *at = *to;
    if (s.n)
        memcpy(at, s.p, s.n);
    at[s.n] = '\0';
    *to += s.n + 1;
    return at;
}

static struct str put_str(char **to, struct str s)
{
    return (struct str){put(to, s), s.n};
}

static size_t room_of(const struct url *u, struct str headers, const struct str *asked,
                      const char *model)
{
    const char *const texts[] = {u->scheme, u->host, u->path, u->user, u->password, model};
    size_t n = headers.n + 1;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        n += str_of(texts[i]).n + 1;
    for (int i = 0; i < ASKED_MOST; i++)
        n += asked[i].n + 1;
    return n;
}

void prepared_keep(struct relay *r)
{
    const struct provider *provider = r->attempt.provider;
    struct str asked[ASKED_MOST] = {{0}};
    if (provider->log_in || provider->sign || r->attempt.tail || !ask_caller(r, asked))
        return;
    const struct url *u = &r->call->url;
    const char *model = model_matters(provider, r->attempt.mode) ? r->attempt.model : NULL;
    size_t room = room_of(u, r->call->headers, asked, model);
    struct prepared *p = mem_new(sizeof(*p) + room);
    char *to = p->texts;
    p->mode = r->attempt.mode;
    p->stream = r->attempt.stream;
    p->array = r->attempt.array;
    p->translated = r->attempt.caller_header == NULL;
    p->accepts = r->call->accepts;
    p->model = model ? put(&to, str_of(model)) : NULL;
    p->url = *u;
    p->url.scheme = put(&to, str_of(u->scheme));
    p->url.host = put(&to, str_of(u->host));
    p->url.path = put(&to, str_of(u->path));
    p->url.user = put(&to, str_of(u->user));
    p->url.password = put(&to, str_of(u->password));
    p->headers = put_str(&to, r->call->headers);
    for (int i = 0; i < ASKED_MOST; i++)
        p->asked[i] = put_str(&to, asked[i]);
    if (!snapshot_keep(r->choice.key->derived, &p->derived))
        free(p);
}
