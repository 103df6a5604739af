// Keys are told apart by a digest and their last characters; their health is this node's view.

#include "controller/channel_keys.h"

#include <stdatomic.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "controller/channel_change.h"
#include "service/health.h"

enum { SHOWN = 4, HIDDEN_LEAST = 12 }; // of a key: its end, if the rest is long enough

static struct err *find(struct http *x, struct channel *out)
{
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    return channel_by_id(x->db, x->arena, id, out);
}

static void write_key(struct json *j, const struct health *h, struct str key, yyjson_val *state)
{
    bool shown = key.n >= SHOWN + HIDDEN_LEAST;
    int64_t rest = atomic_load(&h->rest_until_ms) - clock_steady_ms();
    json_obj(j, NULL);
    json_str(j, "id", h->key_id);
    json_strn(j, "end", shown ? str_skip(key, key.n - SHOWN) : STR(""));
    json_int(j, "status", state ? json_int_at(state, "status", STATUS_AUTO_OFF) : STATUS_ON);
    json_strn(j, "reason", state ? json_str_at(state, "reason") : STR(""));
    json_int(j, "time", json_int_at(state, "time", 0));
    json_int(j, "failures", atomic_load(&h->failures));
    json_int(j, "resting_ms", rest > 0 ? rest : 0);
    json_end(j);
}

struct err *api_channel_keys(struct http *x)
{
    struct channel c;
    yyjson_val *states = NULL;
    TRY(find(x, &c));
    if (*c.key_states && json_read(x->arena, str_of(c.key_states), &states))
        states = NULL; // unreadable: nothing is known of any key
    struct json j = http_data(x);
    struct str rest = str_of(c.key), line;
    json_arr(&j, "data");
    while (str_next(&rest, '\n', &line)) {
        struct str key = str_trim(line);
        if (!key.n)
            continue;
        const struct health *h = health_of(c.id, arena_str(x->arena, key));
        write_key(&j, h, key, yyjson_obj_get(states, h->key_id));
    }
    return http_done(x, &j);
}

struct key_request {
    const char *key; // its id
};

const struct field channel_key_fields[] = {
    FIELD(struct key_request, key, .flags = REQUIRED, .min = 16, .max = 16),
    {0},
};

// Puts one key back into service, and the channel with it if it went off by itself.
struct err *api_channel_key_enable(struct http *x)
{
    struct channel c;
    struct key_request in = {0};
    TRY(find(x, &c));
    TRY(http_body(x, channel_key_fields, &in));
    TRY(health_enable_key(x->db, x->arena, c.id, in.key));
    TRY(channel_note(x, &c, arena_printf(x->arena, "key %s enabled", in.key)));
    return http_ok(x);
}
