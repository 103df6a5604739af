// A small hash table of sums; written in one order everywhere, so that nodes do not deadlock.

#include "service/rollup.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "model/usage.h"

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

static struct usage_hour *sum_of(struct rollup *r, const struct usage_hour *key)
{
    if (r->count && !by_key(&r->sums[r->last], key))
        return &r->sums[r->last]; // most come in runs
    unsigned at = (unsigned)hash_of(key) & r->mask;
    while (r->slots[at] && by_key(&r->sums[r->slots[at] - 1], key))
        at = (at + 1) & r->mask;
    if (!r->slots[at]) {
        r->sums[r->count] = *key;
        r->slots[at] = ++r->count;
    }
    r->last = r->slots[at] - 1;
    return &r->sums[r->last];
}

static struct usage_hour key_of(const struct log_row *row)
{
    return (struct usage_hour){.hour = row->created_at - row->created_at % USAGE_HOUR,
                               .user_id = row->user_id,
                               .token_id = row->token_id,
                               .channel_id = row->channel_id,
                               .model_name = row->model_name ? row->model_name : "",
                               .username = row->username ? row->username : "",
                               .token_name = row->token_name ? row->token_name : ""};
}

void rollup_add(struct rollup *r, const struct log_row *row)
{
    struct usage_hour key = key_of(row), *sum = sum_of(r, &key);
    bool request = row->type == LOG_TYPE_CONSUME;
    if (!request && row->type != LOG_TYPE_ERROR) {
        sum->others = 1;
        return;
    }
    sum->requests += request;
    sum->errors += !request;
    sum->prompt_tokens += row->prompt_tokens;
    sum->completion_tokens += row->completion_tokens;
    sum->cached_tokens += row->cached_tokens;
    sum->quota += row->quota;
    sum->use_time_ms += request ? row->use_time_ms : 0;
    sum->first_token_ms += request ? row->first_token_ms : 0;
}

struct err *rollup_write(struct db *db, struct arena *a, struct rollup *r)
{
    qsort(r->sums, (size_t)r->count, sizeof(*r->sums), by_key);
    return db_upsert_all(db, a, &usage_table, r->sums, (size_t)r->count, usage_unique);
}
