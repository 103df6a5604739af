// Which channel and key will serve a request.

#pragma once
#include "service/snapshot.h"

enum { TRIED_MOST = 32 };

// What has failed this request already.
struct tried {
    const struct health *keys[TRIED_MOST]; // single keys
    int64_t channels[TRIED_MOST];          // whole channels
    int key_count, channel_count;
};

struct choice {
    const struct snapshot_channel *channel;
    const struct snapshot_key *key;
    int64_t full_channel;
    struct limit_refusal full; // wait_ms 0, or of the channel at its limit that is soonest free
};

struct choosing {
    const struct tried *tried;
    int64_t tokens;   // estimated
    int64_t now_ms;   // clock_steady_ms
    uint64_t session; // not 0: whoever asks with the same number gets the same choice, while it is
                      // there (rendezvous hashing): prompt caches and sealed reasoning are a key's
};

// Priority tiers from high to low; within a tier weighted by chance; in the channel a key by
// chance. Keys out of service are never taken, resting ones only when no other is left anywhere.
// A channel at its limit for a request of so many tokens is passed over.
bool choose_channel(const struct candidates *c, const struct choosing *how, struct choice *out);
void tried_channel(struct tried *t, int64_t channel_id);
void tried_key(struct tried *t, const struct health *key);
