// All channels of a tag as one: how many there are and how they do, and one change for all of them,
// in one transaction.

#include "controller/channel_tag.h"

#include <string.h>

#include "common/arena.h"
#include "controller/channel_change.h"

enum { TAGS_MOST = 1000, TAGGED_MOST = 1000 };

// What the channels of a tag have in common; minimum and maximum say whether they agree.
struct tag_sum {
    const char *tag;
    int64_t channels, on, off, auto_off, used_quota;
    int64_t priority_min, priority_max, weight_min, weight_max;
    int64_t models; // different ones
};

static const struct field tag_sum_fields[] = {
    FIELD(struct tag_sum, tag),          FIELD(struct tag_sum, channels),
    FIELD(struct tag_sum, on),           FIELD(struct tag_sum, off),
    FIELD(struct tag_sum, auto_off),     FIELD(struct tag_sum, used_quota),
    FIELD(struct tag_sum, priority_min), FIELD(struct tag_sum, priority_max),
    FIELD(struct tag_sum, weight_min),   FIELD(struct tag_sum, weight_max),
    FIELD(struct tag_sum, models),       {0},
};
static const struct table tag_sum_table = TABLE("tags", struct tag_sum, tag_sum_fields);

struct err *api_channel_tag_list(struct http *x)
{
    struct rows rows;
    TRY(db_query(x->db, x->arena, &tag_sum_table, &rows,
                 "SELECT tag, COUNT(*), SUM(CASE WHEN status = 1 THEN 1 ELSE 0 END),"
                 " SUM(CASE WHEN status = 2 THEN 1 ELSE 0 END),"
                 " SUM(CASE WHEN status = 3 THEN 1 ELSE 0 END), SUM(used_quota), MIN(priority),"
                 " MAX(priority), MIN(weight), MAX(weight),"
                 " (SELECT COUNT(DISTINCT a.model) FROM abilities a"
                 " JOIN channels c ON c.id = a.channel_id WHERE c.tag = channels.tag)"
                 " FROM channels WHERE tag <> '' GROUP BY tag ORDER BY tag LIMIT ?",
                 P((int64_t)TAGS_MOST)));
    const struct tag_sum *sums = rows.items;
    struct json j = http_data(x);
    json_arr(&j, "data");
    for (size_t i = 0; i < rows.count; i++) {
        json_obj(&j, NULL);
        fields_write(tag_sum_fields, &sums[i], &j, http_audience(x));
        json_end(&j);
    }
    return http_done(x, &j);
}

struct tag_target {
    const char *tag, *new_tag;
    // members of channels, for the description of the API: their own fields check them
    int status, weight;
    int64_t priority;
    const char *group, *models, *model_mapping;
};

const struct field channel_tag_fields[] = {
    FIELD(struct tag_target, tag, .flags = REQUIRED, .min = 1, .max = 64),
    FIELD(struct tag_target, new_tag, .max = 64),
    FIELD(struct tag_target, status),
    FIELD(struct tag_target, priority),
    FIELD(struct tag_target, weight),
    FIELD(struct tag_target, group),
    FIELD(struct tag_target, models),
    FIELD(struct tag_target, model_mapping),
    {0},
};

static struct err *tagged(struct http *x, struct tag_target *t, struct rows *rows)
{
    TRY(http_body(x, channel_tag_fields, t));
    TRY(db_list(x->db, x->arena, &channel_table, rows, "tag = ? ORDER BY id LIMIT ?", P(t->tag),
                P((int64_t)TAGGED_MOST + 1)));
    if (!rows->count)
        return err_new(x->arena, &err_not_found, "tag %s", t->tag);
    return rows->count <= TAGGED_MOST ? NULL : err_new(x->arena, &err_field_invalid, "tag");
}

// The change of the body; what makes a channel itself stays its own.
static struct err *patch(struct http *x, const struct tag_target *t, const struct channel *before,
                         struct channel *c)
{
    *c = *before;
    TRY(http_patch(x, channel_table.fields, c));
    c->id = before->id;
    c->type = before->type;
    c->name = before->name;
    c->key = before->key;
    c->base_url = before->base_url;
    c->tag = http_has(x, "new_tag") ? t->new_tag : before->tag;
    return NULL;
}

// `status` 0: as the body says.
static struct err *change_all(struct http *x, int status)
{
    struct tag_target t = {0};
    struct rows rows;
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(tagged(x, &t, &rows));
    const struct channel *before = rows.items;
    for (size_t i = 0; i < rows.count; i++) {
        struct channel c = before[i];
        if (status)
            c.status = status;
        else
            TRY(patch(x, &t, &before[i], &c));
        TRY(channel_change(x, &before[i], &c));
    }
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_CHANNELS, before[0].id);
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_int(&j, "channels", (int64_t)rows.count);
    return http_done(x, &j);
}

struct err *api_channel_tag_update(struct http *x)
{
    return change_all(x, 0);
}

struct err *api_channel_tag_enable(struct http *x)
{
    return change_all(x, STATUS_ON);
}

struct err *api_channel_tag_disable(struct http *x)
{
    return change_all(x, STATUS_OFF);
}
