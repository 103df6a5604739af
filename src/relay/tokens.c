// How many tokens a request has, asked by callers that plan with it: by the provider where it
// speaks the caller's dialect and can tell, else by our own count.

#include "common/arena.h"
#include "relay/state.h"

enum { ANSWER_MOST = 4096 };

bool relay_counts_itself(struct relay *r)
{
    if (r->route->mode != MODE_TOKENS)
        return false;
    const struct provider *p = provider_of(r->choice.channel->row.type);
    if (relay_pinned(r))
        return false; // what its provider keeps we cannot count
    return !p || provider_dialect(p, MODE_TOKENS) != r->route->speaks || !p->path[MODE_TOKENS] ||
           chat_carries(r->body.root);
}

void relay_count_tokens(struct job *job)
{
    struct relay *r = (struct relay *)job;
    r->failed = relay_parse(r);
    if (r->failed)
        return;
    r->own_answer = true;
    r->out.limit = ANSWER_MOST;
    r->route->speaks->write_tokens(&r->out, count_prompt(&r->request, r->head.model));
}
