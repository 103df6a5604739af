// Kimi K3 has pinned sampling and three efforts; older models know no effort.

#include "relay/channel/moonshot.h"

#include <stddef.h>

#include "relay/channel/provider.h"

static enum effort k3_effort(enum effort e)
{
    if (e == EFFORT_UNSAID)
        return e;
    return e <= EFFORT_LOW ? EFFORT_LOW : e <= EFFORT_HIGH ? EFFORT_HIGH : EFFORT_MAX;
}

struct err *moonshot_fix_request(struct attempt *t, struct chat_request *request)
{
    bool k3 = str_starts(str_of(t->model), "kimi-k3");
    request->thinking_budget = 0;
    request->effort = k3 ? k3_effort(request->effort) : EFFORT_UNSAID;
    if (!k3)
        return NULL;
    request->has_temperature = request->has_top_p = false;
    request->has_presence = request->has_frequency = false;
    request->head.choices = 1;
    return NULL;
}
