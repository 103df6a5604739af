// Every option: a row in its group, with default and range.

#include "setting/setting.h"

#include <string.h>

#include "common/arena.h"
#include "setting/prices.h"

#define RATIO(member, name, ...)                                                                   \
    FIELD_AS(struct ratio_setting, member, name, .flags = JSON_TEXT, .max = 1 << 20, __VA_ARGS__)

static const struct field ratio_fields[] = {
    RATIO(model_ratio, "ModelRatio"),
    RATIO(completion_ratio, "CompletionRatio"),
    RATIO(model_price, "ModelPrice", .def = "{}"),
    RATIO(cache_ratio, "CacheRatio"),
    RATIO(create_cache_ratio, "CreateCacheRatio"),
    RATIO(create_cache_1h_ratio, "CreateCache1hRatio"),
    RATIO(group_ratio, "GroupRatio", .def = "{\"default\":1,\"vip\":1,\"svip\":1}"),
    RATIO(group_group_ratio, "GroupGroupRatio", .def = "{}"),
    RATIO(user_usable_groups, "UserUsableGroups",
          .def = "{\"default\":\"Default\",\"vip\":\"VIP\"}"),
    FIELD_AS(struct ratio_setting, self_use_mode, "SelfUseModeEnabled"),
    {0},
};

static const struct field relay_fields[] = {
    FIELD_AS(struct relay_setting, retry_times, "RetryTimes", .min = 0, .max = 20, .def = "2"),
    FIELD_AS(struct relay_setting, retry_status_codes, "AutomaticRetryStatusCodes", .max = 512,
             .def = "100-199,300-399,401-403,408-409,429-429,500-599"),
    FIELD_AS(struct relay_setting, disable_enabled, "AutomaticDisableChannelEnabled"),
    FIELD_AS(struct relay_setting, enable_enabled, "AutomaticEnableChannelEnabled", .def = "true"),
    FIELD_AS(struct relay_setting, disable_status_codes, "AutomaticDisableStatusCodes", .max = 512,
             .def = "401"),
    FIELD_AS(struct relay_setting, disable_keywords, "AutomaticDisableKeywords", .max = 8192,
             .def = "Your credit balance is too low\nThis organization has been disabled.\n"
                    "You exceeded your current quota\nYour account is not authorized"),
    FIELD_AS(struct relay_setting, probe_seconds, "ChannelProbeSeconds", .min = 1, .max = 604800,
             .def = "600"),
    FIELD_AS(struct relay_setting, breaker_failures, "BreakerFailures", .min = 1, .max = 1000,
             .def = "5"),
    FIELD_AS(struct relay_setting, breaker_rest_seconds, "BreakerRestSeconds", .min = 1,
             .max = 86400, .def = "30"),
    FIELD_AS(struct relay_setting, silence_seconds, "StreamKeepAliveSeconds", .min = 0, .max = 3600,
             .def = "15"),
    FIELD_AS(struct relay_setting, kept_days, "StoredResponseDays", .min = 0, .max = 3650,
             .def = "30"),
    FIELD_AS(struct relay_setting, kept_per_user, "StoredResponsesPerUser", .min = 1,
             .max = 10000000, .def = "10000"),
    FIELD_AS(struct relay_setting, kept_megabytes_per_user, "StoredMegabytesPerUser", .min = 1,
             .max = 1000000, .def = "256"),
    FIELD_AS(struct relay_setting, media_enabled, "MediaFetchEnabled", .def = "true"),
    FIELD_AS(struct relay_setting, media_private, "MediaFetchPrivateAddresses"),
    FIELD_AS(struct relay_setting, media_megabytes, "MediaFetchMegabytes", .min = 1, .max = 100,
             .def = "20"),
    FIELD_AS(struct relay_setting, affinity, "ChannelAffinityEnabled", .def = "true"),
    FIELD_AS(struct relay_setting, pre_consumed_tokens, "PreConsumedQuota", .min = 0,
             .max = 1000000, .def = "500"),
    FIELD_AS(struct relay_setting, error_log_enabled, "ErrorLogEnabled", .def = "true"),
    {0},
};

static const struct field user_fields[] = {
    FIELD_AS(struct user_setting, register_enabled, "RegisterEnabled"),
    FIELD_AS(struct user_setting, password_login_enabled, "PasswordLoginEnabled", .def = "true"),
    FIELD_AS(struct user_setting, quota_for_new_user, "QuotaForNewUser", .min = 0, .max = 1e15),
    FIELD_AS(struct user_setting, max_user_tokens, "MaxUserTokens", .min = 1, .max = 1000000,
             .def = "1000"),
    FIELD_AS(struct user_setting, login_attempts, "LoginAttempts", .min = 1, .max = 10, .def = "5"),
    FIELD_AS(struct user_setting, session_hours, "SessionHours", .min = 1, .max = 8760,
             .def = "168"),
    {0},
};

static const struct field site_fields[] = {
    FIELD_AS(struct site_setting, system_name, "SystemName", .min = 1, .max = 64,
             .def = "Token Factory"),
    FIELD_AS(struct site_setting, logo, "Logo", .max = 1024),
    FIELD_AS(struct site_setting, footer, "Footer", .max = 8192),
    FIELD_AS(struct site_setting, notice, "Notice", .max = 1 << 16),
    FIELD_AS(struct site_setting, server_address, "ServerAddress", .max = 512),
    FIELD_AS(struct site_setting, log_retention_days, "LogRetentionDays", .min = 0, .max = 36500),
    FIELD_AS(struct site_setting, usage_retention_days, "UsageRetentionDays", .min = 0,
             .max = 36500),
    {0},
};

#define LIMIT(member, name, ...)                                                                   \
    FIELD_AS(struct limit_setting, member, name, .flags = JSON_TEXT, .max = 1 << 18, __VA_ARGS__)

static const struct field limit_fields[] = {
    LIMIT(global, "GlobalRateLimit", .def = "{}"),
    LIMIT(address, "AddressRateLimit", .def = "{}"),
    LIMIT(api, "ApiAddressRateLimit", .def = "{\"rpm\":6000}"),
    LIMIT(users, "UserRateLimits", .def = "{}"),
    LIMIT(models, "ModelRateLimits", .def = "{}"),
    {0},
};

static struct err *check_names(struct arena *a, const char *key, yyjson_val *map)
{
    struct err *e = json_no_duplicates(a, map);
    return e ? err_new(a, &err_field_invalid, "%s: %s twice", key, e->detail) : NULL;
}

// A map's values must all be numbers that price arithmetic can hold: six digits behind the point,
// and what is not free must not become so.
static struct err *check_numbers(struct arena *a, const char *key, yyjson_val *map)
{
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(map, i, max, name, value)
    {
        double v = yyjson_get_num(value);
        bool fits = v == 0 || (v >= SETTING_RATIO_LEAST && v <= SETTING_RATIO_MAX);
        if (!yyjson_is_num(value) || !fits)
            return err_new(a, &err_field_invalid, "%s: %s", key, yyjson_get_str(name));
    }
    return check_names(a, key, map);
}

static struct err *check_texts(struct arena *a, const char *key, yyjson_val *map)
{
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(map, i, max, name, value)
    {
        if (!yyjson_is_str(value))
            return err_new(a, &err_field_invalid, "%s: %s", key, yyjson_get_str(name));
    }
    return check_names(a, key, map);
}

static struct err *check_nested(struct arena *a, const char *key, yyjson_val *map)
{
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(map, i, max, name, value)
    {
        if (!yyjson_is_obj(value))
            return err_new(a, &err_field_invalid, "%s: %s", key, yyjson_get_str(name));
        TRY(check_numbers(a, key, value));
    }
    return check_names(a, key, map);
}

// A setting that is a map, and what must hold of it.
struct map_check {
    const char *key, *text;
    struct err *(*check)(struct arena *a, const char *key, yyjson_val *map);
};

static struct err *check_maps(struct arena *a, const struct map_check *maps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yyjson_val *root;
        if (text_is_empty(maps[i].text))
            return err_new(a, &err_field_invalid, "%s", maps[i].key);
        TRY(json_read(a, str_of(maps[i].text), &root));
        TRY(maps[i].check(a, maps[i].key, root));
    }
    return NULL;
}

static struct err *check_ratio(struct arena *a, const struct settings *s)
{
    const struct map_check maps[] = {
        {"ModelRatio", s->ratio.model_ratio, check_numbers},
        {"CompletionRatio", s->ratio.completion_ratio, check_numbers},
        {"ModelPrice", s->ratio.model_price, check_numbers},
        {"CacheRatio", s->ratio.cache_ratio, check_numbers},
        {"CreateCacheRatio", s->ratio.create_cache_ratio, check_numbers},
        {"CreateCache1hRatio", s->ratio.create_cache_1h_ratio, check_numbers},
        {"GroupRatio", s->ratio.group_ratio, check_numbers},
        {"GroupGroupRatio", s->ratio.group_group_ratio, check_nested},
        {"UserUsableGroups", s->ratio.user_usable_groups, check_texts},
    };
    return check_maps(a, maps, sizeof(maps) / sizeof(*maps));
}

static struct err *check_relay(struct arena *a, const struct settings *s)
{
    if (!status_list_valid(s->relay.retry_status_codes))
        return err_new(a, &err_field_invalid, "AutomaticRetryStatusCodes");
    if (!status_list_valid(s->relay.disable_status_codes))
        return err_new(a, &err_field_invalid, "AutomaticDisableStatusCodes");
    return NULL;
}

static struct err *check_limits(struct arena *a, const char *key, yyjson_val *map)
{
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(map, i, max, name, value)
    {
        bool known = list_has("rpm,tpm,rpd,concurrency", yyjson_get_str(name));
        if (!known || !yyjson_is_uint(value) || yyjson_get_uint(value) > SETTING_LIMIT_MAX)
            return err_new(a, &err_field_invalid, "%s: %s", key, yyjson_get_str(name));
    }
    return check_names(a, key, map);
}

static struct err *check_limits_of(struct arena *a, const char *key, yyjson_val *map)
{
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(map, i, max, name, value)
    {
        if (!yyjson_is_obj(value))
            return err_new(a, &err_field_invalid, "%s: %s", key, yyjson_get_str(name));
        TRY(check_limits(a, key, value));
    }
    return check_names(a, key, map);
}

static struct err *check_limit(struct arena *a, const struct settings *s)
{
    const struct map_check maps[] = {
        {"GlobalRateLimit", s->limit.global, check_limits},
        {"AddressRateLimit", s->limit.address, check_limits},
        {"ApiAddressRateLimit", s->limit.api, check_limits},
        {"UserRateLimits", s->limit.users, check_limits_of},
        {"ModelRateLimits", s->limit.models, check_limits_of},
    };
    return check_maps(a, maps, sizeof(maps) / sizeof(*maps));
}

// Searches in the log go by the roll-up: it must not be deleted first.
static struct err *check_site(struct arena *a, const struct settings *s)
{
    int logs = s->site.log_retention_days, usage = s->site.usage_retention_days;
    bool longer = usage == 0 || (logs != 0 && usage >= logs);
    return longer ? NULL : err_new(a, &err_field_invalid, "UsageRetentionDays");
}

const struct setting_group setting_groups[] = {
    {"ratio", ratio_fields, offsetof(struct settings, ratio), prices_default, check_ratio},
    {"relay", relay_fields, offsetof(struct settings, relay), NULL, check_relay},
    {"user", user_fields, offsetof(struct settings, user), NULL, NULL},
    {"site", site_fields, offsetof(struct settings, site), NULL, check_site},
    {"limit", limit_fields, offsetof(struct settings, limit), NULL, check_limit},
    {0},
};
