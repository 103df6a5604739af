// The opaque state of one provider's thinking on its way through a client of another dialect. The
// client sends back what it was given; nobody but the provider's own dialect sees what is inside
// (conversion matrix 7.2).

#pragma once
#include "relay/chat.h"

// "tfr1." and base64url; `text` is the thinking itself where the provider wants it back.
struct str carry_wrap(struct arena *a, const struct dialect *owner, struct str state,
                      struct str text, bool redacted);
// What a writer gives to its client: its own provider's state as it is, anybody else's wrapped.
struct str carry_for(struct arena *a, const struct dialect *reader, const struct dialect *owner,
                     struct str state, bool redacted);
bool carry_is(struct str carried);
// Fills signature or redacted, owner, and text where it was carried too. False if it is none.
bool carry_open(struct arena *a, struct str carried, struct chat_part *out);
