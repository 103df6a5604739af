// What operators can change while we run: groups of options, each a struct with a field table.
//
// The keys are those of existing gateways where they have the same meaning. Values are stored as
// text in the configs table; a change is checked as a whole group, and readers see immutable
// snapshots (service/snapshot.h).

#pragma once
#include "common/db/db.h"

struct ratio_setting {
    const char *model_ratio, *completion_ratio, *model_price; // {"model": number}
    const char *cache_ratio, *create_cache_ratio, *create_cache_1h_ratio;
    const char *group_ratio;        // {"group": number}
    const char *group_group_ratio;  // {"user's group": {"used group": number}}
    const char *user_usable_groups; // {"group": "what people read"}
    bool self_use_mode;             // unpriced models are served, for nothing
};

struct relay_setting {
    int retry_times;
    const char *retry_status_codes;   // "100-199,500-503"
    const char *disable_status_codes; // an upstream's answer that takes its key out of service
    const char *disable_keywords;     // a line each, in its error text
    bool disable_enabled, enable_enabled;
    int probe_seconds;    // how often disabled channels are tried again
    int breaker_failures; // in a row, before a key rests
    int breaker_rest_seconds;
    int kept_days; // replies that requests may refer to; 0 = none is kept
    int kept_per_user, kept_megabytes_per_user; // the oldest go beyond that
    bool media_enabled, media_private; // addresses in requests are fetched; private ones too
    int media_megabytes;               // of one request
    int silence_seconds;               // of a stream, before a sign of life; 0 = none is given
    bool affinity;                     // a conversation stays with its channel
    int pre_consumed_tokens;           // reserved for the answer when the request names no limit
    bool error_log_enabled;
};

struct user_setting {
    bool register_enabled, password_login_enabled;
    int64_t quota_for_new_user;
    int max_user_tokens;
    int login_attempts; // wrong ones per name and address in a quarter of an hour
    int session_hours;
};

struct site_setting {
    const char *system_name, *logo, *footer, *notice, *server_address;
    int log_retention_days, usage_retention_days; // 0 = for ever
};

// {"rpm","tpm","rpd","concurrency"}: what is absent or 0 is not limited (docs/limits.md).
struct limit_setting {
    const char *global, *address, *api; // one of those; api: an address at the management API
    const char *users;                  // {"group": one for each of its users, "*": of the others}
    const char *models;                 // {"model": one, "*": one for each other model}
};

struct settings {
    struct ratio_setting ratio;
    struct relay_setting relay;
    struct user_setting user;
    struct site_setting site;
    struct limit_setting limit;
};

struct setting_group {
    const char *name;
    const struct field *fields;
    size_t at;                        // offset in struct settings
    void (*fill)(struct settings *s); // defaults that are more than a text; may be NULL
    struct err *(*check)(struct arena *a, const struct settings *s); // NULL: the fields say it all
};
enum { SETTING_RATIO_MAX = 100000 }; // of every ratio and price: what price arithmetic can hold
enum { SETTING_LIMIT_MAX = 1000000000 };
#define SETTING_RATIO_LEAST 0.000001 // of those that are not 0

extern const struct setting_group setting_groups[]; // ends with {0}

// The field behind a key and where its struct is; NULL if there is no such key.
const struct field *setting_find(const char *key, const struct setting_group **group);

void settings_default(struct arena *a, struct settings *out);
// Defaults, overlaid with what is stored. A stored value that no longer fits its field is skipped
// and named in *odd (comma-separated, "" if none).
struct err *settings_load(struct db *db, struct arena *a, struct settings *out, const char **odd);

// Checks and stores one value given as text. err_not_found for an unknown key, err_field_invalid.
struct err *setting_set(struct db *db, struct arena *a, const char *key, const char *value);

// [{"key","value","group","type","default"}] of all but secret values, into *j.
void settings_write(const struct settings *s, struct json *j);
// The text form of one setting's value, as it is stored.
const char *setting_text(struct arena *a, const struct settings *s, const char *key);

// "100-199,429": does it hold this status? Malformed pieces hold nothing.
bool status_list_has(const char *list, int status);
bool status_list_valid(const char *list);
