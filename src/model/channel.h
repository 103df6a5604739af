// Channels: how an upstream is reached, with which keys, for which models and groups.

#pragma once
#include "common/db/db.h"
#include "model/user.h"

struct channel {
    int64_t id;
    int type; // relay/channel/provider.h
    const char *name;
    const char *key;                       // one or several, a line each; sealed at rest
    const char *base_url, *models, *group; // lists are comma-separated
    const char *model_mapping;             // {"asked for": "sent"}
    int64_t priority;
    int weight;
    int status; // STATUS_ON, STATUS_OFF (by hand), STATUS_AUTO_OFF
    bool auto_ban;
    const char *tag, *remark, *proxy, *other;
    const char *header_override, *param_override; // JSON objects
    const char *system_prompt, *test_model;
    int64_t rpm, tpm, rpd, concurrency; // limits (service/limit.h); 0 = none
    int64_t response_time;              // ms of the last test
    int64_t used_quota;
    double balance; // USD, as the upstream said
    const char *status_reason;
    int64_t status_time;
    const char *key_states; // {"<key id>": {"status":3,"reason":"…","time":…}}; absent = fine
    int64_t created_time, test_time;
};

extern const struct table channel_table;

struct err *channel_by_id(struct db *db, struct arena *a, int64_t id, struct channel *out);

// Sets status, reason and time; true in *changed if it was another status before.
struct err *channel_set_status(struct db *db, struct arena *a, int64_t id, int status,
                               const char *reason, bool *changed);
