// Breakers by channel and key; states of keys as JSON in the channel's row.

#include "service/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "model/ability.h"
#include "service/change.h"
#include "setting/setting.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct health *all;

static void key_id_of(const char *key, char out[17])
{
    unsigned char digest[SHA256_SIZE];
    hash_sha256(str_of(key), digest);
    for (int i = 0; i < 8; i++)
        snprintf(out + i * 2, 3, "%02x", digest[i]);
}

struct health *health_of(int64_t channel_id, const char *key)
{
    char id[17];
    key_id_of(key, id);
    pthread_mutex_lock(&lock);
    struct health *h = all;
    while (h && (h->channel_id != channel_id || strcmp(h->key_id, id) != 0))
        h = h->next;
    if (!h) {
        h = mem_new(sizeof(*h));
        h->channel_id = channel_id;
        memcpy(h->key_id, id, sizeof(id));
        h->next = all;
        all = h;
    }
    pthread_mutex_unlock(&lock);
    return h;
}

bool health_usable(const struct health *h, int64_t now_ms)
{
    return !atomic_load(&h->off) && atomic_load(&h->rest_until_ms) <= now_ms &&
           !atomic_load(&h->probing);
}

void health_begin(struct health *h)
{
    if (atomic_load_explicit(&h->rest_until_ms, memory_order_relaxed))
        atomic_store(&h->probing, true); // it has rested: this one finds out
}

void health_good(struct health *h)
{
    if (!atomic_load_explicit(&h->failures, memory_order_relaxed) &&
        !atomic_load_explicit(&h->probing, memory_order_relaxed)) // begun while another ended well
        return;
    atomic_store(&h->failures, 0);
    atomic_store(&h->rest_until_ms, 0);
    atomic_store(&h->probing, false);
}

void health_unsaid(struct health *h)
{
    if (atomic_load_explicit(&h->probing, memory_order_relaxed))
        atomic_store(&h->probing, false);
}

void health_bad(struct health *h, int failures_most, int rest_seconds, int64_t now_ms)
{
    if (atomic_fetch_add(&h->failures, 1) + 1 >= failures_most)
        atomic_store(&h->rest_until_ms, now_ms + (int64_t)rest_seconds * 1000);
    atomic_store(&h->probing, false);
}

static bool contains(const char *text, struct str piece)
{
    for (; *text; text++)
        if (!strncasecmp(text, piece.p, piece.n))
            return true;
    return false;
}

bool health_is_fatal(const struct settings *s, int status, const char *message)
{
    if (!s->relay.disable_enabled)
        return false;
    if (status_list_has(s->relay.disable_status_codes, status))
        return true;
    struct str lines = str_of(s->relay.disable_keywords), line;
    while (message && str_next(&lines, '\n', &line))
        if (str_trim(line).n && contains(message, str_trim(line)))
            return true;
    return false;
}

// --- in SQL -----------------------------------------------------------------------

// The states with this key's added or replaced; without a reason, with none for it.
static const char *states_with(struct arena *a, const char *states, const char *key_id,
                               const char *reason)
{
    BUF_HERE(out, 1 << 20);
    struct json j = {.out = &out};
    yyjson_val *root = NULL, *name, *value;
    size_t i, max;
    if (!text_is_empty(states) && json_read(a, str_of(states), &root))
        root = NULL; // unreadable: begin anew
    json_obj(&j, NULL);
    yyjson_obj_foreach(root, i, max, name, value)
    {
        if (strcmp(yyjson_get_str(name), key_id) != 0)
            json_val(&j, yyjson_get_str(name), value);
    }
    if (reason) {
        json_obj(&j, key_id);
        json_int(&j, "status", STATUS_AUTO_OFF);
        json_str(&j, "reason", reason);
        json_int(&j, "time", clock_now());
    }
    json_end_all(&j);
    return arena_str(a, buf_view(&out));
}

// Does a key of the channel remain that no state takes out of service?
static bool key_remains(struct arena *a, const struct channel *c, const char *states)
{
    yyjson_val *root = NULL;
    struct str keys = str_of(c->key), key;
    if (json_read(a, str_of(states), &root))
        return true;
    while (str_next(&keys, '\n', &key)) {
        char id[17];
        if (!str_trim(key).n)
            continue;
        key_id_of(arena_str(a, str_trim(key)), id);
        if (!yyjson_obj_get(root, id))
            return true;
    }
    return false;
}

struct err *health_disable(struct db *db, struct arena *a, int64_t channel_id, const char *key_id,
                           const char *reason)
{
    struct channel c;
    bool changed = false;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_lock(db, a, &channel_table, &c, "id = ?", P(channel_id)));
    c.key_states = states_with(a, c.key_states, key_id, arena_printf(a, "%.480s", reason));
    TRY(db_update_only(db, a, &channel_table, &c, "key_states", NULL));
    if (!key_remains(a, &c, c.key_states)) {
        TRY(channel_set_status(db, a, channel_id, STATUS_AUTO_OFF,
                               arena_printf(a, "%.480s", reason), &changed));
        TRY(ability_enable(db, a, channel_id, false));
    }
    TRY(tx_commit(&tx, a));
    log_warn("channel %lld: key %s is out of service%s: %s", (long long)channel_id, key_id,
             changed ? ", and so is the channel" : "", reason);
    change_publish(CHANGE_CHANNELS, channel_id);
    return NULL;
}

static bool is_off(struct arena *a, const char *states, const char *key_id)
{
    yyjson_val *root = NULL;
    return !text_is_empty(states) && !json_read(a, str_of(states), &root) &&
           yyjson_obj_get(root, key_id) != NULL;
}

static void close_breaker(int64_t channel_id, const char *key_id)
{
    pthread_mutex_lock(&lock);
    for (struct health *h = all; h; h = h->next)
        if (h->channel_id == channel_id && !strcmp(h->key_id, key_id))
            health_good(h);
    pthread_mutex_unlock(&lock);
}

struct err *health_enable_key(struct db *db, struct arena *a, int64_t channel_id,
                              const char *key_id)
{
    struct channel c;
    bool changed;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_lock(db, a, &channel_table, &c, "id = ?", P(channel_id)));
    if (!is_off(a, c.key_states, key_id))
        return err_new(a, &err_not_found, "key %.16s", key_id);
    const char *states = states_with(a, c.key_states, key_id, NULL);
    c.key_states = text_eq(states, "{}") ? "" : states;
    TRY(db_update_only(db, a, &channel_table, &c, "key_states", NULL));
    if (c.status == STATUS_AUTO_OFF) {
        TRY(channel_set_status(db, a, channel_id, STATUS_ON, "", &changed));
        TRY(ability_enable(db, a, channel_id, true));
    }
    TRY(tx_commit(&tx, a));
    close_breaker(channel_id, key_id);
    change_publish(CHANGE_CHANNELS, channel_id);
    return NULL;
}

struct err *health_enable(struct db *db, struct arena *a, int64_t channel_id)
{
    struct channel c;
    bool changed;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_lock(db, a, &channel_table, &c, "id = ?", P(channel_id)));
    c.key_states = "";
    TRY(db_update_only(db, a, &channel_table, &c, "key_states", NULL));
    TRY(channel_set_status(db, a, channel_id, STATUS_ON, "", &changed));
    TRY(ability_enable(db, a, channel_id, true));
    TRY(tx_commit(&tx, a));
    if (changed)
        log_info("channel %lld: back in service", (long long)channel_id);
    change_publish(CHANGE_CHANNELS, channel_id);
    return NULL;
}
