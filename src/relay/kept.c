// Replies that later requests refer to (POST /v1/responses with previous_response_id, and
// /v1/responses/{id}).
//
// Where the provider keeps its replies we know which channel and key to ask; all others are kept
// here, and their conversation is put into the request that follows them.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "relay/items.h"
#include "relay/state.h"

enum {
    CHAIN_MOST = 512,            // replies that follow each other
    CHAIN_BYTES_MOST = 32 << 20, // of a conversation that is put together
    KEPT_BYTES_MOST = 8 << 20,   // of one request and its reply
    SOUGHT_MOST = 32,            // items that one request looks for
    LIST_USUAL = 20,
    LIST_MOST = 100,
    DAY_SECONDS = 86400
};

// --- whether ------------------------------------------------------------------------------

// /v1/responses/{id}[/cancel|/input_items]
void relay_read_kept_path(struct relay *r)
{
    static const char folder[] = "/v1/responses/";
    struct str rest = str_skip(r->x->path, sizeof(folder) - 1), id = {0}, what = {0};
    str_next(&rest, '/', &id);
    str_next(&rest, '/', &what);
    struct str name = url_decode(r->arena, id, false);
    r->kept_id = name.p && name.n <= KEPT_NAME_MAX ? arena_str(r->arena, name) : "";
    r->kept_action = str_is(what, "cancel")           ? KEPT_CANCEL
                     : str_is(what, "input_items")    ? KEPT_INPUT
                     : str_is(r->x->method, "DELETE") ? KEPT_DELETE
                                                      : KEPT_SHOW;
    struct str stream = url_query(r->arena, r->x->query, "stream");
    r->head.stream = r->kept_action == KEPT_SHOW && str_is(stream, "true");
    r->head.keeps = false;
}

static const char *named(const struct relay *r)
{
    return r->kept_id ? r->kept_id : r->head.previous;
}

static bool refers_to_items(const struct relay *r)
{
    size_t i, max;
    yyjson_val *item;
    if (r->items_recalled || r->route->speaks != &responses_dialect)
        return false;
    yyjson_arr_foreach(yyjson_obj_get(r->body.root, "input"), i, max, item)
    {
        if (item_reply(r->arena, item))
            return true;
    }
    return false;
}

static bool is_name(const char *text)
{
    return !text_is_empty(text) && strlen(text) <= KEPT_NAME_MAX;
}

// Known on this node, and kept by its provider: no worker need look.
static bool peek(struct relay *r, int kind, const char *name)
{
    struct kept *row = NEW(r->arena, struct kept);
    bool here = keep_peek(r->arena, r->caller->user_id, kind, name, row) && row->channel_id &&
                row->expires_at > clock_now();
    if (here)
        r->kept = row;
    return here;
}

// The names of items that are not here, the last one first: the newest is known longest.
static size_t named_items(const struct relay *r, const char *names[SOUGHT_MOST])
{
    const char *last[SOUGHT_MOST];
    size_t i, max, seen = 0;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(r->body.root, "input"), i, max, item)
    {
        const char *name = item_is_reference(item) ? json_text_at(item, "id") : NULL;
        if (is_name(name))
            last[seen++ % SOUGHT_MOST] = name;
    }
    size_t count = seen < SOUGHT_MOST ? seen : SOUGHT_MOST;
    for (i = 0; i < count; i++)
        names[i] = last[(seen - 1 - i) % SOUGHT_MOST];
    return count;
}

static bool seeks_items(struct relay *r)
{
    const char *names[SOUGHT_MOST];
    if (r->items_sought || r->kept || r->route->speaks != &responses_dialect ||
        !named_items(r, names))
        return false;
    return !peek(r, KEPT_ITEM, names[0]);
}

bool relay_must_recall(struct relay *r)
{
    const char *id = named(r);
    if (refers_to_items(r))
        return true;
    if (!id)
        return seeks_items(r);
    if (r->kept)
        return false;
    if (!peek(r, KEPT_REPLY, id))
        return true;
    if (r->kept_id)
        r->head.model = r->kept->model;
    return false;
}

bool relay_pinned(const struct relay *r)
{
    return r->kept && r->kept->channel_id;
}

bool relay_keeps_here(const struct relay *r)
{
    const struct attempt *t = &r->attempt;
    return r->route->mode == MODE_RESPONSES && r->head.keeps &&
           r->snapshot->settings.relay.kept_days &&
           (t->dialect != &responses_dialect || t->provider->quirks & STATELESS);
}

// --- where it is kept by its provider ---------------------------------------------------------

static const struct snapshot_channel *channel_of(const struct relay *r)
{
    if (r->kept_id) { // no model is asked for: whoever made it may see it
        for (int i = 0; i < r->snapshot->channel_count; i++)
            if (r->snapshot->channels[i].row.id == r->kept->channel_id &&
                r->snapshot->channels[i].row.status == STATUS_ON)
                return &r->snapshot->channels[i];
        return NULL;
    }
    for (int i = 0; r->candidates && i < r->candidates->count; i++)
        if (r->candidates->items[i].channel->row.id == r->kept->channel_id)
            return r->candidates->items[i].channel;
    return NULL;
}

bool relay_choose_pinned(struct relay *r)
{
    const struct snapshot_channel *c = r->failed ? NULL : channel_of(r);
    for (int i = 0; c && i < c->key_count; i++) {
        if (strcmp(c->keys[i].health->key_id, r->kept->key_id) != 0)
            continue;
        r->choice = (struct choice){.channel = c, .key = &c->keys[i]};
        return r->kept_id || relay_limit_pinned(r);
    }
    if (!r->failed)
        r->failed = err_new(r->arena, &err_response_gone, "%s", r->kept->name);
    return false;
}

const char *relay_kept_method(const struct relay *r)
{
    return r->kept_action == KEPT_DELETE   ? "DELETE"
           : r->kept_action == KEPT_CANCEL ? "POST"
                                           : "GET";
}

const char *relay_kept_tail(struct relay *r)
{
    static const char *const folders[] = {[KEPT_SHOW] = "",
                                          [KEPT_DELETE] = "",
                                          [KEPT_CANCEL] = "/cancel",
                                          [KEPT_INPUT] = "/input_items"};
    BUF_HERE(out, 16384);
    buf_puts(&out, "/");
    attempt_escape(&out, r->kept_id);
    buf_puts(&out, folders[r->kept_action]);
    if (r->x->query.n)
        buf_printf(&out, "?%.*s", STR_ARGS(r->x->query));
    return arena_str(r->arena, buf_view(&out));
}

// --- where it is kept here: what was said before ------------------------------------------------

struct chain {
    struct kept rows[CHAIN_MOST]; // the last one first
    yyjson_val *documents[CHAIN_MOST];
    int count;
    size_t bytes;
};

static struct err *not_found(struct relay *r, const char *id)
{
    return err_new(r->arena, r->kept_id ? &err_response_not_found : &err_previous_not_found, "%s",
                   id);
}

static struct err *load(struct relay *r, struct db *db, struct arena *a, const char *id,
                        struct kept *out)
{
    if (!is_name(id))
        return not_found(r, "");
    struct err *e = keep_find(db, a, r->caller->user_id, KEPT_REPLY, id, out);
    return e && e->kind == &err_not_found ? not_found(r, id) : e;
}

static struct err *load_chain(struct relay *r, struct db *db, struct arena *a, struct chain *c)
{
    c->rows[0] = *r->kept;
    for (c->count = 1;; c->count++) {
        const struct kept *last = &c->rows[c->count - 1];
        TRY(json_read(a, str_of(last->document), &c->documents[c->count - 1]));
        c->bytes += (size_t)last->size;
        if (text_is_empty(last->previous))
            return NULL;
        if (c->count == CHAIN_MOST || c->bytes > CHAIN_BYTES_MOST)
            return err_new(r->arena, &err_body_too_large, "previous responses");
        TRY(load(r, db, a, last->previous, &c->rows[c->count]));
    }
}

static yyjson_val *input_of(yyjson_val *document)
{
    return yyjson_obj_get(yyjson_obj_get(document, "request"), "input");
}

static yyjson_val *output_of(yyjson_val *document)
{
    return yyjson_obj_get(yyjson_obj_get(document, "response"), "output");
}

// The request with another input; `alone`: which follows no other reply any more.
static struct err *replace_input(struct relay *r, const struct buf *input, bool alone)
{
    struct buf *all = NEW(r->arena, struct buf);
    *all = BUF((size_t)CHAIN_BYTES_MOST * 2);
    arena_defer_buf(r->arena, all);
    struct json_edit edits[] = {{"input", buf_view(input)}, {"previous_response_id", STR("null")}};
    struct str pieces[CALL_PIECES];
    size_t n = json_text_edit(r->arena, &r->body, edits, alone ? 2 : 1, pieces, CALL_PIECES);
    for (size_t k = 0; k < n; k++)
        buf_str(all, pieces[k]);
    if (input->overflow || all->overflow)
        return err_new(r->arena, &err_body_too_large, "previous responses");
    return json_text_read(r->document, buf_view(all), &r->body);
}

// The request with all that was said before in its input, and no reply that it follows.
static struct err *put_together(struct relay *r, const struct chain *c)
{
    struct buf *input = NEW(r->arena, struct buf);
    struct json j = {.out = input};
    TRY(json_text_read_whole(r->document, &r->body));
    *input = BUF((size_t)CHAIN_BYTES_MOST * 2);
    arena_defer_buf(r->arena, input);
    json_arr(&j, NULL);
    for (int i = c->count - 1; i >= 0; i--) {
        items_put(&j, input_of(c->documents[i]));
        items_put(&j, output_of(c->documents[i]));
    }
    yyjson_val *now = yyjson_obj_get(r->body.root, "input");
    if (yyjson_is_str(now))
        item_put_said(&j, (struct str){yyjson_get_str(now), yyjson_get_len(now)});
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(now, i, max, item) json_val(&j, NULL, item);
    json_end(&j);
    return replace_input(r, input, true);
}

// --- where it is kept here: items that are named instead of told
// -----------------------------------

struct referred {
    struct referred *next;
    const char *reply;
    yyjson_val *output; // NULL: it is not here
    int count;          // of all so far
};

static struct err *find_reply(struct relay *r, struct db *db, struct arena *a, const char *reply,
                              struct referred **known, struct referred **out)
{
    struct kept row;
    for (*out = *known; *out && strcmp((*out)->reply, reply) != 0;)
        *out = (*out)->next;
    if (*out)
        return NULL;
    struct referred *made = *out = NEW(a, struct referred);
    *made = (struct referred){.next = *known, .reply = reply, .count = 1};
    made->count += *known ? (*known)->count : 0;
    *known = made;
    if (made->count > CHAIN_MOST)
        return err_new(r->arena, &err_body_too_large, "previous responses");
    struct err *e = keep_find(db, a, r->caller->user_id, KEPT_REPLY, reply, &row);
    if (e)
        return e->kind == &err_not_found ? NULL : e;
    r->recalled_bytes += (size_t)row.size;
    if (r->recalled_bytes > CHAIN_BYTES_MOST)
        return err_new(r->arena, &err_body_too_large, "previous responses");
    yyjson_val *document = NULL;
    if (row.size)
        TRY(json_read(a, str_of(row.document), &document));
    made->output = output_of(document);
    return NULL;
}

// The item that `item` names, or itself.
static struct err *find_item(struct relay *r, struct db *db, struct arena *a, yyjson_val *item,
                             struct referred **known, yyjson_val **out)
{
    size_t i, max;
    yyjson_val *other;
    struct referred *from;
    const char *reply = item_reply(a, item);
    *out = item;
    if (!reply)
        return NULL;
    TRY(find_reply(r, db, a, reply, known, &from));
    yyjson_arr_foreach(from->output, i, max, other)
    {
        if (text_eq(json_text_at(other, "id"), json_text_at(item, "id")))
            *out = other;
    }
    return NULL;
}

// Puts the items themselves where they are named. What is not ours stays a name, which its
// provider may know.
static struct err *recall_items(struct relay *r, struct db *db, struct arena *a)
{
    struct buf *input = NEW(r->arena, struct buf);
    struct json j = {.out = input};
    struct referred *known = NULL;
    size_t i, max;
    yyjson_val *item, *found;
    r->items_recalled = true;
    TRY(json_text_read_whole(r->document, &r->body));
    *input = BUF((size_t)CHAIN_BYTES_MOST * 2);
    arena_defer_buf(r->arena, input);
    json_arr(&j, NULL);
    yyjson_arr_foreach(yyjson_obj_get(r->body.root, "input"), i, max, item)
    {
        TRY(find_item(r, db, a, item, &known, &found));
        if (found != item)
            item_put(&j, found, NULL);
        else
            json_val(&j, NULL, item);
    }
    json_end(&j);
    return replace_input(r, input, false);
}

// --- where it is kept here: what may be asked of it ----------------------------------------------

struct listing {
    yyjson_val **items;
    const char **ids;
    size_t count, most;
};

static void list_items(struct arena *a, yyjson_val *from, const char *base, struct listing *to)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(from, i, max, item)
    {
        if (to->count == to->most)
            return;
        const char *own = json_text_at(item, "id");
        to->ids[to->count] = own ? own : arena_printf(a, "msg_in_%s_%zu", base, i);
        to->items[to->count++] = item;
    }
}

static yyjson_val *as_items(struct arena *a, yyjson_val *input)
{
    yyjson_val *items = NULL;
    if (!yyjson_is_str(input))
        return input;
    BUF_HERE(text, SIZE_MAX / 4);
    struct json j = {.out = &text};
    json_arr(&j, NULL);
    item_put_said(&j, (struct str){yyjson_get_str(input), yyjson_get_len(input)});
    json_end(&j);
    return json_read(a, buf_view(&text), &items) ? NULL : items;
}

static struct listing all_items(struct arena *a, const struct chain *c)
{
    struct listing l = {.most = 1};
    for (int i = 0; i < c->count; i++)
        l.most += yyjson_arr_size(input_of(c->documents[i])) + 1 +
                  yyjson_arr_size(output_of(c->documents[i]));
    l.items = NEW_ARRAY(a, yyjson_val *, l.most);
    l.ids = NEW_ARRAY(a, const char *, l.most);
    for (int i = c->count - 1; i >= 0; i--) {
        const char *base = c->rows[i].name + (str_starts(str_of(c->rows[i].name), "resp_") ? 5 : 0);
        list_items(a, as_items(a, input_of(c->documents[i])), base, &l);
        if (i)
            list_items(a, output_of(c->documents[i]), base, &l);
    }
    return l;
}

static struct err *read_listing(struct relay *r, bool *ascending, size_t *limit, struct str *after)
{
    struct str count = url_query(r->arena, r->x->query, "limit"),
               order = url_query(r->arena, r->x->query, "order");
    int64_t n = LIST_USUAL;
    *after = url_query(r->arena, r->x->query, "after");
    *ascending = str_is(order, "asc");
    if (count.n && (!str_to_int(count, &n) || n < 1 || n > LIST_MOST))
        return err_new(r->arena, &err_field_invalid, "limit");
    if (order.n && !*ascending && !str_is(order, "desc"))
        return err_new(r->arena, &err_field_invalid, "order");
    *limit = (size_t)n;
    return NULL;
}

static struct err *write_list(struct relay *r, struct arena *a, const struct chain *c)
{
    struct listing l = all_items(a, c);
    struct json j = {.out = &r->out};
    bool ascending = false;
    size_t limit = LIST_USUAL, given = 0, i = 0, last = 0, first = 0;
    struct str after;
    TRY(read_listing(r, &ascending, &limit, &after));
    json_obj(&j, NULL);
    json_str(&j, "object", "list");
    json_arr(&j, "data");
    for (bool found = !after.n; i < l.count && given < limit; i++) {
        size_t at = ascending ? i : l.count - 1 - i;
        if (found) {
            item_put(&j, l.items[at], l.ids[at]);
            first = given++ ? first : at;
            last = at;
        }
        found = found || str_is(after, l.ids[at]);
    }
    json_end(&j);
    json_str(&j, "first_id", given ? l.ids[first] : NULL);
    json_str(&j, "last_id", given ? l.ids[last] : NULL);
    json_bool(&j, "has_more", given && i < l.count);
    json_end(&j);
    return NULL;
}

static void write_deleted(struct relay *r)
{
    struct json j = {.out = &r->out};
    json_obj(&j, NULL);
    json_str(&j, "id", r->kept_id);
    json_str(&j, "object", "response");
    json_bool(&j, "deleted", true);
    json_end(&j);
}

static struct err *answer(struct relay *r, struct db *db, struct arena *a)
{
    struct chain *c = NEW(a, struct chain);
    r->own_answer = true;
    r->out.limit = (size_t)CHAIN_BYTES_MOST * 2;
    switch (r->kept_action) {
    case KEPT_CANCEL: return err_new(r->arena, &err_cancel_unsupported, "%s", r->kept_id);
    case KEPT_DELETE:
        TRY(keep_drop(db, a, r->caller->user_id, KEPT_REPLY, r->kept_id));
        write_deleted(r);
        return NULL;
    case KEPT_INPUT: TRY(load_chain(r, db, a, c)); return write_list(r, a, c);
    default: break;
    }
    if (r->head.stream)
        return err_new(r->arena, &err_field_invalid, "stream");
    yyjson_val *document;
    TRY(json_read(a, str_of(r->kept->document), &document));
    struct json j = {.out = &r->out};
    json_val(&j, NULL, yyjson_obj_get(document, "response"));
    return NULL;
}

// --- on a worker --------------------------------------------------------------------------------

static struct err *recall_reply(struct relay *r, struct db *db, struct arena *a)
{
    struct kept *row = NEW(r->arena, struct kept);
    TRY(load(r, db, r->arena, named(r), row));
    r->kept = row;
    if (r->kept_id)
        r->head.model = row->model;
    if (row->channel_id)
        return NULL;
    if (r->kept_id)
        return answer(r, db, a);
    struct chain *c = NEW(a, struct chain);
    TRY(load_chain(r, db, a, c));
    return put_together(r, c);
}

// All of them are where the first is that is found: nobody else would know them.
static struct err *seek_items(struct relay *r, struct db *db)
{
    const char *names[SOUGHT_MOST];
    struct kept *row = NEW(r->arena, struct kept);
    r->items_sought = true;
    for (size_t i = 0, n = named_items(r, names); i < n && !r->kept; i++) {
        struct err *e = keep_find(db, r->arena, r->caller->user_id, KEPT_ITEM, names[i], row);
        if (e && e->kind != &err_not_found)
            return e;
        r->kept = e ? NULL : row;
    }
    return NULL;
}

static struct err *recall(struct relay *r, struct arena *a)
{
    DB(db);
    TRY(db_lease(relay_pool(), a, &db));
    if (named(r) && !r->kept)
        TRY(recall_reply(r, db, a));
    if (refers_to_items(r))
        TRY(recall_items(r, db, a));
    return seeks_items(r) ? seek_items(r, db) : NULL;
}

void relay_recall(struct job *job)
{
    struct relay *r = (struct relay *)job;
    ARENA(a);
    struct err *e = recall(r, a);
    r->failed = e ? err_new(r->arena, e->kind, "%s", e->detail) : NULL;
    if (e)
        r->own_answer = false;
}

// --- keeping ------------------------------------------------------------------------------------

void relay_keep(struct relay *r)
{
    const struct relay_setting *s = &r->snapshot->settings.relay;
    if (r->route->mode != MODE_RESPONSES || !r->head.keeps || !s->kept_days)
        return;
    struct kept row = {
        .user_id = r->caller->user_id,
        .kind = KEPT_REPLY,
        .model = r->head.model,
        .created_at = clock_now(),
        .expires_at = clock_now() + (int64_t)s->kept_days * DAY_SECONDS,
    };
    struct keep_limits limits = {s->kept_per_user, (int64_t)s->kept_megabytes_per_user << 20};
    struct str parts[] = {STR("{\"request\":"), r->x->body, STR(",\"response\":"),
                          buf_view(&r->keep), STR("}")};
    size_t count = 0;
    if (r->writer.keep) {
        if (r->keep.overflow || r->keep.n + r->x->body.n > KEPT_BYTES_MOST)
            return;
        row.name = r->writer.keep_id;
        row.previous = r->head.previous;
        count = sizeof(parts) / sizeof(*parts);
    } else {
        row.name = r->reader.id.p;
        row.channel_id = r->choice.channel->row.id;
        row.key_id = r->choice.key->health->key_id;
    }
    if (!is_name(row.name))
        return;
    keep_put(&row, parts, count, &limits);
    row.kind = KEPT_ITEM;
    for (int i = 0; r->reader.items && i < r->reader.items->count; i++) {
        row.name = r->reader.items->ids[i];
        if (is_name(row.name))
            keep_put(&row, NULL, 0, &limits);
    }
}
