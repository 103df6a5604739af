// Channels. A change of row and abilities is one transaction; the next relay sees it.

#include "controller/channel.h"

#include <stdatomic.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "controller/channel_change.h"
#include "controller/channel_rules.h"
#include "middleware/list.h"
#include "model/ability.h"
#include "relay/channel/provider.h"
#include "relay/probe.h"
#include "service/health.h"

enum { BATCH_MOST = 1000, CALLS_MOST = 4 };

// --- showing ------------------------------------------------------------------------------

static int key_count(const char *keys)
{
    struct str rest = str_of(keys), line;
    int n = 0;
    while (str_next(&rest, '\n', &line))
        n += str_trim(line).n > 0;
    return n;
}

static void write_channel(struct http *x, struct json *j, const void *row)
{
    struct channel c = *(const struct channel *)row;
    c.proxy = channel_masked(x->arena, c.proxy);
    fields_write(channel_table.fields, &c, j, http_audience(x));
    json_int(j, "key_count", key_count(c.key));
}

static struct err *reply_channel(struct http *x, const struct channel *c)
{
    struct json j = http_data(x);
    json_obj(&j, "data");
    write_channel(x, &j, c);
    return http_done(x, &j);
}

struct err *api_channel_list(struct http *x)
{
    struct list l;
    TRY(list_begin(x, &channel_table, "", &l));
    TRY(list_run(x, &l, ""));
    return list_reply(x, &l, write_channel);
}

// ?group= and ?model= ask for one of a channel's groups and models.
struct err *api_channel_search(struct http *x)
{
    struct list l;
    const char *group = http_query(x, "group"), *model = http_query(x, "model");
    group = group ? group : "";
    model = model ? model : "";
    TRY(list_begin(x, &channel_table, "group", &l));
    l.page.keyword = http_query(x, "keyword");
    l.page.keyword_in = "name,base_url,models,tag,remark";
    TRY(list_run(x, &l,
                 "(? = '' OR id IN (SELECT channel_id FROM abilities WHERE [group] = ?))"
                 " AND (? = '' OR id IN (SELECT channel_id FROM abilities WHERE model = ?))",
                 P(group), P(group), P(model), P(model)));
    return list_reply(x, &l, write_channel);
}

static struct err *find(struct http *x, struct channel *out)
{
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    return channel_by_id(x->db, x->arena, id, out);
}

struct err *api_channel_show(struct http *x)
{
    struct channel c;
    TRY(find(x, &c));
    return reply_channel(x, &c);
}

static void write_type(struct json *j, int type, const struct provider *p)
{
    json_obj(j, NULL);
    json_int(j, "type", type);
    json_str(j, "name", p->name);
    json_str(j, "base_url", p->base_url ? p->base_url : "");
    json_bool(j, "needs_base_url", p->quirks & NEEDS_BASE_URL);
    json_str(j, "models", p->models ? p->models : "");
    json_str(j, "logo", p->logo ? p->logo : "");
    json_end(j);
}

struct err *api_channel_types(struct http *x)
{
    struct json j = http_data(x);
    json_arr(&j, "data");
    for (int type = 1; type < provider_types(); type++)
        if (provider_of(type))
            write_type(&j, type, provider_of(type));
    return http_done(x, &j);
}

// --- making -------------------------------------------------------------------------------

struct creation {
    const char *mode;
    struct channel row;
    struct channel *made; // one or, in mode batch, several
    size_t count;
};

static const struct field creation_fields[] = {
    FIELD(struct creation, mode, .max = 32),
    {0},
};

// The body is the channel, or {mode, channel}.
static struct err *read_creation(struct http *x, struct creation *in)
{
    in->mode = "single";
    yyjson_val *channel = yyjson_obj_get(x->body, "channel");
    if (yyjson_is_obj(channel)) {
        TRY(http_body(x, creation_fields, in));
        x->body = channel;
    }
    TRY(channel_read_type(x->arena, x->body));
    if (!http_has(x, "type"))
        return err_new(x->arena, &err_field_missing, "type");
    fields_default(x->arena, channel_table.fields, &in->row);
    TRY(http_body(x, channel_table.fields, &in->row));
    in->row.key = channel_clean_keys(x->arena, in->row.key);
    in->row.created_time = clock_now();
    TRY(channel_unmask(x->arena, "", &in->row.proxy));
    if (!*in->row.key)
        return err_new(x->arena, &err_field_missing, "key");
    if (in->row.status == STATUS_AUTO_OFF)
        return err_new(x->arena, &err_field_invalid, "status");
    return channel_check(x->arena, &in->row);
}

// One channel for each key; their names are numbered.
static struct err *split(struct http *x, struct creation *in)
{
    struct str rest = str_of(in->row.key), key;
    size_t room = (size_t)key_count(in->row.key);
    if (room > BATCH_MOST)
        return err_new(x->arena, &err_field_invalid, "key");
    in->made = NEW_ARRAY(x->arena, struct channel, room);
    while (str_next(&rest, '\n', &key)) {
        struct channel *c = &in->made[in->count++];
        *c = in->row;
        c->key = arena_str(x->arena, key);
        if (room > 1)
            c->name = arena_printf(x->arena, "%.*s-%zu", 120, in->row.name, in->count);
    }
    return NULL;
}

static struct err *apply_mode(struct http *x, struct creation *in)
{
    if (text_eq(in->mode, "batch"))
        return split(x, in);
    if (!text_eq(in->mode, "single") && !text_eq(in->mode, "multi_to_single"))
        return err_new(x->arena, &err_field_invalid, "mode");
    in->made = &in->row;
    in->count = 1;
    return NULL;
}

static struct err *store_new(struct http *x, const struct creation *in)
{
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    for (size_t i = 0; i < in->count; i++) {
        TRY(db_insert(x->db, x->arena, &channel_table, &in->made[i]));
        TRY(ability_rebuild(x->db, x->arena, &in->made[i]));
        TRY(channel_note(x, &in->made[i], "created"));
    }
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_CHANNELS, in->made[0].id);
    return NULL;
}

static struct err *reply_made(struct http *x, const struct creation *in)
{
    if (!text_eq(in->mode, "batch"))
        return reply_channel(x, in->made);
    struct json j = http_data(x);
    json_arr(&j, "data");
    for (size_t i = 0; i < in->count; i++) {
        json_obj(&j, NULL);
        write_channel(x, &j, &in->made[i]);
        json_end(&j);
    }
    return http_done(x, &j);
}

struct err *api_channel_create(struct http *x)
{
    struct creation in = {0};
    TRY(read_creation(x, &in));
    TRY(apply_mode(x, &in));
    TRY(store_new(x, &in));
    return reply_made(x, &in);
}

// --- changing -----------------------------------------------------------------------------

struct err *api_channel_update(struct http *x)
{
    struct channel before, c;
    int64_t id = 0;
    TRY(http_body_id(x, &id));
    TRY(channel_by_id(x->db, x->arena, id, &before));
    TRY(channel_read_type(x->arena, x->body));
    c = before;
    TRY(http_patch(x, channel_table.fields, &c));
    c.key = channel_clean_keys(x->arena, c.key);
    if (!*c.key)
        c.key = before.key;
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(channel_change(x, &before, &c));
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_CHANNELS, c.id);
    return reply_channel(x, &c);
}

struct err *api_channel_delete(struct http *x)
{
    struct channel c;
    TRY(find(x, &c));
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(ability_remove(x->db, x->arena, c.id));
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM channels WHERE id = ?", P(c.id)));
    TRY(channel_note(x, &c, "deleted"));
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_CHANNELS, c.id);
    return http_ok(x);
}

// --- calling the upstream -----------------------------------------------------------------

static struct err *reply_probe(struct http *x, const struct channel *c, const struct probe *p)
{
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_int(&j, "id", c->id);
    json_str(&j, "model", p->model);
    json_bool(&j, "ok", p->fine);
    json_int(&j, "response_time", p->ms);
    json_int(&j, "status", p->status);
    json_str(&j, "message", p->message ? p->message : "");
    return http_done(x, &j);
}

static struct err *keep_result(struct http *x, struct channel *c, const struct probe *p)
{
    c->response_time = p->ms;
    c->test_time = clock_now();
    TRY(db_update_only(x->db, x->arena, &channel_table, c, "response_time", "test_time", NULL));
    return p->fine && c->status == STATUS_AUTO_OFF ? health_enable(x->db, x->arena, c->id) : NULL;
}

// An upstream may take a minute to answer; most workers stay free for others.
static _Atomic int calling;

static struct err *call_begin(struct http *x)
{
    http_db_release(x);
    if (atomic_fetch_add(&calling, 1) < CALLS_MOST)
        return NULL;
    atomic_fetch_sub(&calling, 1);
    struct err *e = err_new(x->arena, &err_overloaded, "%d upstreams are being called", CALLS_MOST);
    e->retry_after = 1;
    return e;
}

static void call_end(void)
{
    atomic_fetch_sub(&calling, 1);
}

static struct err *test(struct http *x, int64_t id, const char *model)
{
    struct channel c;
    struct probe p = {.model = ""};
    TRY(channel_by_id(x->db, x->arena, id, &c));
    TRY(call_begin(x));
    struct err *e = probe_channel(x->arena, &c, model ? model : "", false, &p);
    call_end();
    TRY(e);
    TRY(http_db_take(x));
    TRY(keep_result(x, &c, &p));
    return reply_probe(x, &c, &p);
}

struct test_request {
    int64_t id;
    const char *model;
};

const struct field channel_test_fields[] = {
    FIELD(struct test_request, id, .flags = REQUIRED, .min = 1, .max = 9e18),
    FIELD(struct test_request, model, .max = 191),
    {0},
};

struct err *api_channel_test(struct http *x)
{
    struct test_request in = {0};
    TRY(http_body(x, channel_test_fields, &in));
    return test(x, in.id, in.model);
}

struct err *api_channel_test_one(struct http *x)
{
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    return test(x, id, http_query(x, "model"));
}

const struct field channel_fetch_fields[] = {
    FIELD(struct channel, type, .min = 1, .max = 9999),
    FIELD(struct channel, base_url, .max = 512),
    FIELD(struct channel, key, .max = 1 << 20),
    FIELD(struct channel, proxy, .max = 512),
    {0},
};

// A channel that is stored, one that is being edited, or one that is not stored yet.
static struct err *read_fetch(struct http *x, struct channel *c)
{
    int64_t id = 0;
    fields_default(x->arena, channel_table.fields, c);
    if (http_has(x, "id")) {
        TRY(http_body_id(x, &id));
        TRY(channel_by_id(x->db, x->arena, id, c));
    }
    const char *stored = c->key, *proxy = c->proxy;
    TRY(channel_read_type(x->arena, x->body));
    TRY(http_body(x, channel_fetch_fields, c));
    TRY(channel_unmask(x->arena, proxy, &c->proxy));
    c->key = channel_clean_keys(x->arena, c->key);
    if (!*c->key)
        c->key = stored;
    c->models = "-"; // nobody asks yet
    return channel_check(x->arena, c);
}

struct err *api_channel_fetch_models(struct http *x)
{
    struct channel c;
    const char *models = "";
    TRY(read_fetch(x, &c));
    TRY(call_begin(x));
    struct err *e = probe_models(x->arena, &c, &models);
    call_end();
    TRY(e);
    struct json j = http_data(x);
    struct str rest = str_of(models), model;
    json_arr(&j, "data");
    while (str_next(&rest, ',', &model))
        json_strn(&j, NULL, model);
    return http_done(x, &j);
}
