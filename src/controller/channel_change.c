// One way to change a channel, for one alone and for all of a tag.

#include "controller/channel_change.h"

#include "common/arena.h"
#include "common/clock.h"
#include "controller/channel_rules.h"
#include "model/ability.h"
#include "service/audit.h"

struct err *channel_note(struct http *x, const struct channel *c, const char *what)
{
    const char *content =
        arena_printf(x->arena, "Channel %lld (%s) %s", (long long)c->id, c->name, what);
    struct audit entry = {LOG_TYPE_MANAGE, x->exchange->request_id, x->ip, x->user, NULL, content};
    return audit_write(x->db, x->arena, &entry);
}

// By hand a channel goes on or off; that it went off by itself can only be left as it is. Switched
// on again, all its keys get another chance.
static struct err *apply_status(struct http *x, const struct channel *before, struct channel *c)
{
    if (c->status == before->status)
        return NULL;
    if (c->status == STATUS_AUTO_OFF)
        return err_new(x->arena, &err_field_invalid, "status");
    c->status_reason = "";
    c->status_time = clock_now();
    if (c->status == STATUS_ON)
        c->key_states = "";
    return NULL;
}

struct err *channel_change(struct http *x, const struct channel *before, struct channel *c)
{
    TRY(apply_status(x, before, c));
    TRY(channel_unmask(x->arena, before->proxy, &c->proxy));
    TRY(channel_check(x->arena, c));
    TRY(db_update_only(x->db, x->arena, &channel_table, c, "type", "name", "key", "base_url",
                       "models", "group", "model_mapping", "priority", "weight", "status",
                       "auto_ban", "tag", "remark", "proxy", "other", "header_override",
                       "param_override", "system_prompt", "test_model", "status_reason",
                       "status_time", "key_states", "rpm", "tpm", "rpd", "concurrency", NULL));
    TRY(ability_rebuild(x->db, x->arena, c));
    return channel_note(x, c, "changed");
}
