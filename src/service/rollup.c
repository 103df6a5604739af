// Small hash tables of sums; written in one order everywhere, so that nodes do not deadlock.

#include "service/rollup.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

struct rollup {
    struct usage_hour *sums;
    int count, last; // last: whose key the newest row had
    int *slots;      // index + 1 of sums; 0 = free
    unsigned mask;
};

struct rollup *rollup_new(struct arena *a, int most)
{
    struct rollup *r = NEW(a, struct rollup);
    unsigned size = 16;
    while (size < (unsigned)most * 2)
        size *= 2;
    r->sums = arena_raw(a, sizeof(*r->sums) * (size_t)most);
    r->slots = NEW_ARRAY(a, int, size);
    r->mask = size - 1;
    return r;
}

// Collisions only cost time here: a batch is small.
static uint64_t add_text(uint64_t sum, const char *text)
{
    for (; *text; text++)
        sum = (sum ^ (unsigned char)*text) * 0x100000001b3u;
    return sum;
}

static uint64_t hash_of(const struct usage_hour *k)
{
    uint64_t sum = add_text(0xcbf29ce484222325u, k->model_name);
    sum = (sum ^ (uint64_t)k->hour) * 0x9e3779b97f4a7c15u;
    sum = (sum ^ (uint64_t)k->token_id) * 0x9e3779b97f4a7c15u;
    sum = (sum ^ (uint64_t)k->channel_id) * 0x9e3779b97f4a7c15u;
    sum = (sum ^ (uint64_t)k->user_id) * 0x9e3779b97f4a7c15u;
    return sum ^ sum >> 32;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_key(const void *a, const void *b)
{
    const struct usage_hour *x = a, *y = b;
    int by = compare_numbers(x->hour, y->hour);
    by = by ? by : compare_numbers(x->user_id, y->user_id);
    by = by ? by : compare_numbers(x->token_id, y->token_id);
    by = by ? by : compare_numbers(x->channel_id, y->channel_id);
    by = by ? by : strcmp(x->model_name, y->model_name);
    by = by ? by : strcmp(x->username, y->username);
    return by ? by : strcmp(x->token_name, y->token_name);
}

static struct usage_hour only_key(const struct usage_hour *h)
{
    return (struct usage_hour){.hour = h->hour,
                               .user_id = h->user_id,
                               .token_id = h->token_id,
                               .channel_id = h->channel_id,
                               .model_name = h->model_name,
                               .username = h->username,
                               .token_name = h->token_name};
}

static struct usage_hour *sum_of(struct rollup *r, const struct usage_hour *key)
{
    if (r->count && !by_key(&r->sums[r->last], key))
        return &r->sums[r->last]; // most come in runs
    unsigned at = (unsigned)hash_of(key) & r->mask;
    while (r->slots[at] && by_key(&r->sums[r->slots[at] - 1], key))
        at = (at + 1) & r->mask;
    if (!r->slots[at]) {
        r->sums[r->count] = only_key(key);
        r->slots[at] = ++r->count;
    }
    r->last = r->slots[at] - 1;
    return &r->sums[r->last];
}

static void add(struct rollup *r, const struct usage_hour *key, const struct usage_hour *h)
{
    struct usage_hour *sum = sum_of(r, key);
    sum->others |= h->others;
    sum->requests += h->requests;
    sum->errors += h->errors;
    sum->prompt_tokens += h->prompt_tokens;
    sum->completion_tokens += h->completion_tokens;
    sum->cached_tokens += h->cached_tokens;
    sum->quota += h->quota;
    sum->use_time_ms += h->use_time_ms;
    sum->first_token_ms += h->first_token_ms;
}

void rollup_add_hour(struct rollup *r, const struct usage_hour *hour)
{
    add(r, hour, hour);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

void rollup_add(struct rollup *r, const struct log_row *row)
{
    struct usage_hour h = {.hour = row->created_at - row->created_at % USAGE_HOUR,
                           .user_id = row->user_id,
                           .token_id = row->token_id,
                           .channel_id = row->channel_id,
                           .model_name = text_or_empty(row->model_name),
                           .username = text_or_empty(row->username),
                           .token_name = text_or_empty(row->token_name)};
    h.requests = row->type == LOG_TYPE_CONSUME;
    h.errors = row->type == LOG_TYPE_ERROR;
    h.others = !h.requests && !h.errors;
    if (!h.others) {
        h.prompt_tokens = row->prompt_tokens;
        h.completion_tokens = row->completion_tokens;
        h.cached_tokens = row->cached_tokens;
        h.quota = row->quota;
    }
    h.use_time_ms = h.requests ? row->use_time_ms : 0;
    h.first_token_ms = h.requests ? row->first_token_ms : 0;
    add(r, &h, &h);
}

// --- writing ------------------------------------------------------------------------------

static struct err *write_sums(struct db *db, struct arena *a, const struct table *t,
                              struct rollup *r, const char *unique)
{
    qsort(r->sums, (size_t)r->count, sizeof(*r->sums), by_key);
    return db_upsert_all(db, a, t, r->sums, (size_t)r->count, unique);
}

static struct usage_hour user_key(const struct usage_hour *h)
{
    return (struct usage_hour){.hour = h->hour - h->hour % USAGE_DAY,
                               .user_id = h->user_id,
                               .username = h->username,
                               .model_name = "",
                               .token_name = ""};
}

static struct usage_hour model_key(const struct usage_hour *h)
{
    return (struct usage_hour){
        .hour = h->hour, .model_name = h->model_name, .username = "", .token_name = ""};
}

static const struct {
    const struct table *table;
    const char *unique;
    struct usage_hour (*key)(const struct usage_hour *h);
} sums_of_sums[] = {
    {&usage_user_table, usage_user_unique, user_key},
    {&usage_model_table, usage_model_unique, model_key},
};

struct err *rollup_write(struct db *db, struct arena *a, struct rollup *r)
{
    TRY(write_sums(db, a, &usage_table, r, usage_unique));
    for (size_t i = 0; i < sizeof(sums_of_sums) / sizeof(*sums_of_sums); i++) {
        struct rollup *fewer = rollup_new(a, r->count);
        for (int k = 0; k < r->count; k++) {
            struct usage_hour key = sums_of_sums[i].key(&r->sums[k]);
            if (r->sums[k].requests + r->sums[k].errors)
                add(fewer, &key, &r->sums[k]);
        }
        TRY(write_sums(db, a, sums_of_sums[i].table, fewer, sums_of_sums[i].unique));
    }
    return NULL;
}
