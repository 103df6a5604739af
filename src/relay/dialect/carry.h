// Thinking's opaque state on its way through a caller who speaks another dialect than its maker.
//
// Such a caller is given W = "tfr1." + base64url({"v": maker's dialect, "k": "thinking" or
// "redacted", "d": the state, "t": the thinking's text}) and sends it back with the next turn
// (conversion matrix 7.2). Whoever made it gets it as it was; everybody else gets nothing.

#pragma once
#include "relay/chat.h"

struct str carry_wrap(struct arena *a, const struct dialect *maker, bool redacted, struct str state,
                      struct str text);
// The state as a caller of `speaks` may see it: its own as it is, another's wrapped.
struct str carry_shown(struct arena *a, const struct dialect *speaks, const struct dialect *maker,
                       bool redacted, struct str state);
// Fills signature or redacted, maker, and the text if W has one, from what a caller of `speaks`
// sent.
void carry_take(struct arena *a, struct chat_part *p, const struct dialect *speaks, struct str sent,
                bool redacted);
// The thinking of this part may be shown to a provider of that dialect: it has state made there.
bool carry_fits(const struct chat_part *p, const struct dialect *maker);
