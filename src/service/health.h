// The health of each channel key: a circuit breaker in memory, and what is kept in SQL when a key
// or a channel is taken out of service.
//
// Failures in a row open the breaker: the key rests, then one request may try it (half open); its
// success closes the breaker, its failure makes it rest again. Resting keys are used only when
// nothing else is left. Keys are known by a digest of their text, so editing the list of keys
// does not mix them up.

#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/db/db.h"
#include "model/channel.h"

struct settings;

struct health {
    int64_t channel_id;
    char key_id[17];               // hex
    _Atomic int failures;          // in a row
    _Atomic int64_t rest_until_ms; // clock_steady_ms
    _Atomic bool probing;          // half open: one request is trying
    _Atomic bool off;              // taken out of service (channels.key_states)
    struct health *next;
};

// One per channel and key, for ever: survives new snapshots.
struct health *health_of(int64_t channel_id, const char *key);

bool health_usable(const struct health *h, int64_t now_ms); // neither off nor resting
void health_begin(struct health *h);                        // an attempt; one of these follows:
void health_good(struct health *h);
void health_unsaid(struct health *h); // it proved nothing: cancelled, or the caller's own fault
void health_bad(struct health *h, int failures_most, int rest_seconds, int64_t now_ms);

// Should this answer of an upstream take its key out of service?
bool health_is_fatal(const struct settings *s, int status, const char *message);

// On a worker: notes in SQL that a key is out of service; when it was the channel's last one, the
// channel goes to STATUS_AUTO_OFF and its abilities are disabled. Publishes the change.
struct err *health_disable(struct db *db, struct arena *a, int64_t channel_id, const char *key_id,
                           const char *reason);
// One key is in service again, and so is its channel if it went off by itself; err_not_found when
// that key is not out of service. The key's breaker is closed.
struct err *health_enable_key(struct db *db, struct arena *a, int64_t channel_id,
                              const char *key_id);
// The other way round, after a successful probe: all keys and the channel are in service again.
struct err *health_enable(struct db *db, struct arena *a, int64_t channel_id);
