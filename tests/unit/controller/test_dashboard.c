// Statistics: whatever range and zone are asked for, what is shown is the sum of the log.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/rand.h"
#include "model/log.h"
#include "service/rollup.h"
#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)

enum { HOUR = 3600, DAY = 86400, DAYS = 7, ROWS = 3000, ASKED = 200, USERS = 4, BATCH = 100 };

static const int64_t began = 1700006400 - 5 * HOUR; // not a midnight
static const char *const models[] = {"m-a", "m-b", "m-c"};
static const char *const names[USERS] = {"dash-ann", "dash-bob", "dash-eve", "dash-zoe"};

static struct log_row rows[ROWS];

static struct log_row random_row(int number)
{
    static const int types[] = {2, 2, 2, 5, 3};
    struct log_row row;
    uint64_t user = rand_below(USERS);
    fields_default(gateway.a, log_table.fields, &row);
    row.request_id = text_of("dash-%d", number);
    row.created_at = began + (int64_t)rand_below(DAYS * DAY);
    row.type = types[rand_below(5)];
    row.user_id = 500 + (int64_t)user;
    row.username = names[user];
    row.token_id = (int64_t)rand_below(3);
    row.channel_id = (int64_t)rand_below(3);
    row.model_name = models[rand_below(3)];
    row.quota = row.type == LOG_TYPE_CONSUME ? (int64_t)rand_below(1000) : 0;
    row.prompt_tokens = (int64_t)rand_below(100);
    row.completion_tokens = (int64_t)rand_below(100);
    row.use_time_ms = (int64_t)rand_below(5000);
    return row;
}

static void fill(void)
{
    DB(db);
    assert_null(db_lease(gateway.pool, gateway.a, &db));
    for (int i = 0; i < ROWS; i += BATCH) {
        struct rollup *r = rollup_new(gateway.a, BATCH);
        for (int k = i; k < i + BATCH; k++) {
            rows[k] = random_row(k);
            rollup_add(r, &rows[k]);
        }
        TX tx = tx_begin(db, gateway.a);
        assert_null(db_insert_all(db, gateway.a, &log_table, rows + i, BATCH));
        assert_null(rollup_write(db, gateway.a, r));
        assert_null(tx_commit(&tx, gateway.a));
    }
}

struct sums {
    int64_t requests, errors, quota, prompt, completion, use_time;
};

static void add(struct sums *s, const struct log_row *row)
{
    if (row->type != LOG_TYPE_CONSUME && row->type != LOG_TYPE_ERROR)
        return;
    bool request = row->type == LOG_TYPE_CONSUME;
    s->requests += request;
    s->errors += !request;
    s->quota += row->quota;
    s->prompt += row->prompt_tokens;
    s->completion += row->completion_tokens;
    s->use_time += request ? row->use_time_ms : 0;
}

static void assert_item(yyjson_val *item, int64_t from, int64_t to, int64_t step, int64_t zone)
{
    struct sums want = {0};
    int64_t at = json_int_at(item, "at", 0);
    const char *model = json_text_at(item, "model");
    for (int i = 0; i < ROWS; i++) {
        int64_t hour = rows[i].created_at - rows[i].created_at % HOUR;
        if (hour >= from && hour < to && !strcmp(rows[i].model_name, model) &&
            hour - (hour + zone) % step == at)
            add(&want, &rows[i]);
    }
    assert_int_equal(json_int_at(item, "requests", -1), want.requests);
    assert_int_equal(json_int_at(item, "errors", -1), want.errors);
    assert_int_equal(json_int_at(item, "quota", -1), want.quota);
    assert_int_equal(json_int_at(item, "prompt_tokens", -1), want.prompt);
    assert_int_equal(json_int_at(item, "completion_tokens", -1), want.completion);
    assert_int_equal(json_int_at(item, "use_time_ms", -1), want.use_time);
}

static struct sums sum_of(const char *username, int64_t from, int64_t to)
{
    struct sums sum = {0};
    for (int i = 0; i < ROWS; i++)
        if (rows[i].created_at >= from && rows[i].created_at < to &&
            (!username || !strcmp(rows[i].username, username)))
            add(&sum, &rows[i]);
    return sum;
}

static void assert_users(yyjson_val *users, int64_t from, int64_t to)
{
    size_t i, max;
    int64_t last = INT64_MAX, shown = 0;
    yyjson_val *user;
    yyjson_arr_foreach(users, i, max, user)
    {
        struct sums want = sum_of(json_text_at(user, "username"), from, to);
        assert_int_equal(json_int_at(user, "requests", -1), want.requests + want.errors);
        assert_int_equal(json_int_at(user, "quota", -1), want.quota);
        assert_int_equal(json_int_at(user, "tokens", -1), want.prompt + want.completion);
        assert_true(want.quota <= last);
        last = want.quota;
        shown += want.requests + want.errors;
    }
    struct sums all = sum_of(NULL, from, to);
    assert_int_equal(shown, all.requests + all.errors); // there are less than ten
}

static int64_t up(int64_t at)
{
    return at + (HOUR - at % HOUR) % HOUR;
}

static void ask_once(int64_t start, int64_t end, int64_t zone_minutes)
{
    struct answer x = ask_for(200, &as_root, "GET",
                              text_of("/api/dashboard?all=1&start_timestamp=%lld&end_timestamp=%lld"
                                      "&zone_minutes=%lld",
                                      (long long)start, (long long)end, (long long)zone_minutes),
                              NULL);
    int64_t from = start - start % HOUR, to = up(end), step = data_int(&x, "step"), requests = 0;
    assert_int_equal(data_int(&x, "from"), from);
    assert_int_equal(data_int(&x, "to"), to);
    yyjson_val *items = yyjson_obj_get(x.data, "items"), *item;
    size_t i, max;
    yyjson_arr_foreach(items, i, max, item)
    {
        assert_item(item, from, to, step, step == DAY ? zone_minutes * 60 : 0);
        requests += json_int_at(item, "requests", 0);
    }
    assert_int_equal(requests, sum_of(NULL, from, to).requests);
    assert_users(yyjson_obj_get(x.data, "users"), from, to);
}

static void the_sum_of_the_log(void **state)
{
    (void)state;
    fill();
    ask_once(began - DAY, began + (DAYS + 1) * DAY, 0);
    ask_once(1700006400, 1700006400 + DAY, 0);             // a whole day
    ask_once(1700006400 + HOUR, 1700006400 + 2 * HOUR, 0); // within one
    ask_once(1700006400 - HOUR, 1700006400 + HOUR, 0);     // over a midnight
    for (int i = 0; i < ASKED; i++) {
        int64_t start = began - DAY + (int64_t)rand_below((DAYS + 2) * DAY);
        int64_t end = start + 1 + (int64_t)rand_below((DAYS + 2) * DAY);
        ask_once(start, end, (int64_t)rand_below(28 * 4 + 1) * 15 - 14 * 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(the_sum_of_the_log)};
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
