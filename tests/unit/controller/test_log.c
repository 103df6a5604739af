// Logs: who sees what, filters, and pages by cursor.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "model/log.h"
#include "service/rollup.h"
#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)

static void add_rows_at(int64_t at, int64_t user_id, const char *username, int count)
{
    struct rollup *r = rollup_new(gateway.a, count);
    DB(db);
    assert_null(db_lease(gateway.pool, gateway.a, &db));
    for (int i = 0; i < count; i++) {
        struct log_row row;
        fields_default(gateway.a, log_table.fields, &row);
        row.type = LOG_TYPE_CONSUME;
        row.user_id = user_id;
        row.username = username;
        row.model_name = i % 2 ? "odd" : "even";
        row.request_id = text_of("%s-%d", username, i);
        row.created_at = at + i;
        row.channel_id = 33;
        row.other = "{\"model_ratio\":1.5,\"admin_info\":{\"use_channel\":[33]},\"z\":[1]}";
        assert_null(db_insert(db, gateway.a, &log_table, &row));
        rollup_add(r, &row);
    }
    assert_null(rollup_write(db, gateway.a, r));
}

static void add_rows(int64_t user_id, const char *username, int count)
{
    add_rows_at(1000, user_id, username, count);
}

static void users_see_their_own_and_no_channels(void **state)
{
    (void)state;
    struct asking me;
    int64_t id = gateway_user("logger", 1, &me);
    add_rows(id, "logger", 1);
    add_rows(id + 1000, "foreign", 1);
    struct answer x = ask_for(200, &me, "GET", "/api/log/self?type=2", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    assert_null(strstr(x.text.p, "admin_info"));
    assert_null(strstr(x.text.p, "channel"));
    assert_null(strstr(x.text.p, "33"));
    yyjson_val *item = yyjson_arr_get(yyjson_obj_get(x.data, "items"), 0);
    assert_string_equal(json_text_at(item, "other"), "{\"model_ratio\":1.5,\"z\":[1]}");
    x = ask_for(200, &me, "GET", text_of("/api/log/self?user_id=%lld", (long long)id + 1000), NULL);
    assert_int_equal(data_int(&x, "total"), 0);
    x = ask_for(200, &me, "GET", "/api/log/self?type=2&channel_id=34", NULL);
    assert_int_equal(data_int(&x, "total"), 1); // not a filter of his
    ask_for(403, &me, "GET", "/api/logs", NULL);
    ask_for(403, &me, "GET", "/api/log/search?keyword=x", NULL);
    x = ask_for(200, &as_root, "GET", "/api/logs?username=logger&type=2&channel_id=33", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    assert_non_null(strstr(x.text.p, "use_channel"));
}

static void filters(void **state)
{
    (void)state;
    add_rows(7777, "filtered", 6);
    struct answer x =
        ask_for(200, &as_root, "GET", "/api/log/?username=filtered&model_name=odd", NULL);
    assert_int_equal(data_int(&x, "total"), 3);
    x = ask_for(200, &as_root, "GET",
                "/api/logs?username=filtered&start_timestamp=1001&end_timestamp=1003", NULL);
    assert_int_equal(data_int(&x, "total"), 3);
    x = ask_for(200, &as_root, "GET", "/api/logs?request_id=filtered-4", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    x = ask_for(200, &as_root, "GET", "/api/log/search?keyword=filtered&type=2", NULL);
    assert_int_equal(data_int(&x, "total"), 6);
    x = ask_for(200, &as_root, "GET", "/api/log/search?keyword=even&username=filtered", NULL);
    assert_int_equal(data_int(&x, "total"), 3);
    x = ask_for(200, &as_root, "GET", "/api/log/search?keyword=filtered-4", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    assert_false(json_bool_at(x.data, "total_more", true));
    x = ask_for(200, &as_root, "GET", "/api/log/search?keyword=filter", NULL);
    assert_int_equal(data_int(&x, "total"), 0); // whole words only
    ask_for(200, &as_root, "GET", "/api/logs?sort=-created_at", NULL);
    ask_for(400, &as_root, "GET", "/api/logs?sort=created_at", NULL);
    ask_for(200, &as_root, "GET", "/api/logs?p=100&page_size=100", NULL);
    ask_for(400, &as_root, "GET", "/api/logs?p=101&page_size=100", NULL);
    ask_for(400, &as_root, "GET", "/api/logs?start_timestamp=x", NULL);
    ask_for(400, &as_root, "GET", "/api/logs?cursor=x", NULL);
    static const char *const cursors[] = {"-1", "5", "5.", ".5", "0.1", "5.-1", "5.1.1", "5.x"};
    for (size_t i = 0; i < sizeof(cursors) / sizeof(*cursors); i++)
        ask_for(400, &as_root, "GET", text_of("/api/logs?cursor=%s", cursors[i]), NULL);
}

static void cursors_neither_skip_nor_repeat(void **state)
{
    (void)state;
    add_rows(8888, "cursor", 7);
    const char *cursor = "";
    int64_t last = INT64_MAX, seen = 0;
    do {
        struct answer x =
            ask_for(200, &as_root, "GET",
                    text_of("/api/logs?username=cursor&page_size=3&cursor=%s", cursor), NULL);
        yyjson_val *items = yyjson_obj_get(x.data, "items"), *item;
        size_t i, max;
        yyjson_arr_foreach(items, i, max, item)
        {
            assert_true(json_int_at(item, "id", 0) < last);
            last = json_int_at(item, "id", 0);
            seen++;
        }
        add_rows_at(5000, 8888, "cursor",
                    1); // what comes meanwhile belongs to none of the next pages
        cursor = data_text(&x, "next_cursor");
    } while (*cursor && seen < 50);
    assert_int_equal(seen, 7);
}

static void deleting_leaves_a_trace(void **state)
{
    (void)state;
    struct asking admin;
    gateway_user("log admin", 10, &admin);
    add_rows(9999, "doomed", 1);
    struct answer x = ask_for(200, &as_root, "GET", "/api/logs?username=doomed", NULL);
    int64_t id = json_int_at(yyjson_arr_get(yyjson_obj_get(x.data, "items"), 0), "id", 0);
    const char *path = text_of("/api/log/%lld", (long long)id);
    ask_for(403, &admin, "DELETE", path, NULL);
    ask_for(200, &as_root, "DELETE", path, NULL);
    ask_for(404, &as_root, "DELETE", path, NULL);
    x = ask_for(200, &as_root, "GET", "/api/logs?type=3&page_size=1", NULL);
    assert_non_null(strstr(x.text.p, "request doomed-0"));
    x = ask_for(200, &as_root, "GET", "/api/logs?username=doomed", NULL);
    assert_int_equal(data_int(&x, "total"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(users_see_their_own_and_no_channels),
        T(filters),
        T(cursors_neither_skip_nor_repeat),
        T(deleting_leaves_a_trace),
    };
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
