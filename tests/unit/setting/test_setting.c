// Options: defaults that are right, changes that are checked, stored values that may be odd.

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "model/config.h"
#include "setting/setting.h"
#include "unit/service/books.h"

static int set_up(void **state)
{
    static struct books b;
    books_make(&b);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    books_remove(*state);
    return 0;
}

static struct settings load(struct books *b, const char *want_odd)
{
    struct settings s;
    const char *odd = NULL;
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(settings_load(db, b->a, &s, &odd));
    assert_string_equal(odd, want_odd);
    return s;
}

static struct err *set(struct books *b, const char *key, const char *value)
{
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    return setting_set(db, b->a, key, value);
}

static void store(struct books *b, const char *key, const char *value)
{
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(config_set(db, b->a, key, value));
}

// --- defaults ------------------------------------------------------------------------------

static void defaults_stand_their_own_checks(void **state)
{
    struct books *b = *state;
    struct settings s;
    settings_default(b->a, &s);
    for (const struct setting_group *g = setting_groups; g->name; g++) {
        if (g->check)
            assert_fine(g->check(b->a, &s));
        for (const struct field *f = g->fields; f->name; f++) {
            struct field_value v = field_get(f, (char *)&s + g->at);
            assert_fine(field_check(b->a, f, v));
            const struct setting_group *found;
            assert_ptr_equal(setting_find(f->name, &found), f); // no key twice
        }
    }
    assert_int_equal(s.relay.retry_times, 2);
    assert_true(s.user.password_login_enabled);
    assert_false(s.user.register_enabled);
    assert_string_equal(s.site.system_name, "Token Factory");
}

static const struct {
    const char *name;
    double input, output, read, write_5m, write_1h;
} prices[] = {
#define MODEL(name, input, output, read, write_5m, write_1h)                                       \
    {name, input, output, read, write_5m, write_1h},
#include "setting/prices.def"
#undef MODEL
};

// The ratio times what it is a ratio of is the price in the table, as exactly as six digits can be.
static void assert_ratio(struct arena *a, const char *map, const char *name, double price,
                         double base)
{
    yyjson_val *root;
    assert_fine(json_read(a, str_of(map), &root));
    yyjson_val *ratio = yyjson_obj_get(root, name);
    if (price == 0) {
        assert_null(ratio);
        return;
    }
    assert_true(yyjson_is_num(ratio));
    if (fabs(yyjson_get_num(ratio) * base - price) > 0.000000501 * base)
        fail_msg("%s: %.9f * %.9f is not %.9f", name, yyjson_get_num(ratio), base, price);
}

static void every_price_comes_back(void **state)
{
    struct books *b = *state;
    struct settings s;
    settings_default(b->a, &s);
    for (size_t i = 0; i < sizeof(prices) / sizeof(*prices); i++) {
        const char *name = prices[i].name;
        double input = prices[i].input;
        assert_true(input > 0);
        assert_ratio(b->a, s.ratio.model_ratio, name, input, 2);
        assert_ratio(b->a, s.ratio.completion_ratio, name, prices[i].output, input);
        assert_ratio(b->a, s.ratio.cache_ratio, name, prices[i].read, input);
        assert_ratio(b->a, s.ratio.create_cache_ratio, name, prices[i].write_5m, input);
        assert_ratio(b->a, s.ratio.create_cache_1h_ratio, name, prices[i].write_1h, input);
    }
}

static void no_model_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(prices) / sizeof(*prices); i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(prices[i].name, prices[k].name);
}

static void well_known_ratios(void **state)
{
    struct books *b = *state;
    struct settings s;
    settings_default(b->a, &s);
    assert_non_null(strstr(s.ratio.model_ratio, "\"gpt-4o\":1.25,"));
    assert_non_null(strstr(s.ratio.model_ratio, "\"gpt-4o-mini\":0.075,"));
    assert_non_null(strstr(s.ratio.completion_ratio, "\"gpt-4o\":4,"));
    assert_non_null(strstr(s.ratio.cache_ratio, "\"claude-sonnet-4-5\":0.1,"));
    assert_non_null(strstr(s.ratio.create_cache_ratio, "\"claude-sonnet-4-5\":1.25,"));
    assert_non_null(strstr(s.ratio.create_cache_1h_ratio, "\"claude-sonnet-4-5\":2,"));
}

// --- changing --------------------------------------------------------------------------------

static void what_is_set_is_loaded(void **state)
{
    struct books *b = *state;
    assert_int_equal(load(b, "").relay.retry_times, 2);
    assert_fine(set(b, "RetryTimes", "5"));
    assert_fine(set(b, "SystemName", "漢字"));
    assert_fine(set(b, "GroupRatio", "{\"default\":0.5,\"free\":0}"));
    assert_fine(set(b, "RetryTimes", "0"));
    assert_fine(set(b, "LogRetentionDays", "36500"));
    assert_err(field_invalid, set(b, "UsageRetentionDays", "400")); // the log's search needs it
    assert_fine(set(b, "LogRetentionDays", "90"));
    assert_fine(set(b, "UsageRetentionDays", "400"));
    assert_err(field_invalid, set(b, "LogRetentionDays", "401"));
    struct settings s = load(b, "");
    assert_int_equal(s.relay.retry_times, 0);
    assert_string_equal(s.site.system_name, "漢字");
    assert_string_equal(s.ratio.group_ratio, "{\"default\":0.5,\"free\":0}");
    assert_string_equal(setting_text(b->a, &s, "RetryTimes"), "0");
    assert_string_equal(setting_text(b->a, &s, "PasswordLoginEnabled"), "true");
    assert_null(setting_text(b->a, &s, "Nonsense"));
}

static void bad_values_change_nothing(void **state)
{
    static const struct {
        const char *key, *value;
    } rows[] = {
        {"RetryTimes", "21"},
        {"RetryTimes", "-1"},
        {"RetryTimes", "two"},
        {"RetryTimes", ""},
        {"RetryTimes", "99999999999999999999"},
        {"PasswordLoginEnabled", "yes"},
        {"SystemName", ""},
        {"SystemName", "\xff"},
        {"ModelRatio", ""},
        {"ModelRatio", "[]"},
        {"ModelRatio", "1"},
        {"ModelRatio", "{\"m\":1"},
        {"ModelRatio", "{\"m\":\"1\"}"},
        {"ModelRatio", "{\"m\":null}"},
        {"ModelRatio", "{\"m\":-1}"},
        {"ModelRatio", "{\"m\":100001}"},
        {"ModelRatio", "{\"m\":1e999}"},
        {"ModelRatio", "{\"m\":0.0000004}"}, // would be rounded to nothing
        {"ModelRatio", "{\"m\":1,\"m\":2}"},
        {"CompletionRatio", "{\"m\":true}"},
        {"ModelPrice", "{\"m\":[1]}"},
        {"CacheRatio", "{\"m\":{}}"},
        {"CreateCacheRatio", "{\"m\":-0.1}"},
        {"CreateCache1hRatio", "{\"m\":\"\"}"},
        {"GroupRatio", "{\"default\":\"one\"}"},
        {"GroupRatio", "{\"a\":1,\"a\":0}"},
        {"GroupGroupRatio", "{\"vip\":1}"},
        {"GroupGroupRatio", "{\"vip\":{\"default\":\"x\"}}"},
        {"GroupGroupRatio", "{\"vip\":{\"a\":1,\"a\":2}}"},
        {"GroupGroupRatio", "{\"vip\":{\"a\":1},\"vip\":{\"a\":2}}"},
        {"UserUsableGroups", "{\"default\":1}"},
        {"UserUsableGroups", ""},
        {"AutomaticRetryStatusCodes", "500-400"},
        {"AutomaticRetryStatusCodes", "abc"},
        {"AutomaticDisableStatusCodes", "401,,403"},
        {"AutomaticDisableStatusCodes", "99"},
        {"AutomaticDisableStatusCodes", "600"},
    };
    struct books *b = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct err *e = set(b, rows[i].key, rows[i].value);
        if (!e || e->kind != &err_field_invalid)
            fail_msg("%s = %s: %s", rows[i].key, rows[i].value, e ? e->kind->code : "accepted");
        assert_non_null(strstr(e->detail, rows[i].key)); // says which
    }
    assert_err(not_found, set(b, "Nonsense", "1"));
    assert_err(not_found, set(b, "", ""));
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM configs"), 0);
}

// What an older or newer program stored, or a hand in the database.
static void odd_values_are_skipped_and_named(void **state)
{
    struct books *b = *state;
    store(b, "Forgotten", "1");
    store(b, "RetryTimes", "many");
    store(b, "SessionHours", "24");
    store(b, "GroupRatio", "{\"default\":\"one\"}");
    store(b, "ModelPrice", "{\"m\":3}");
    struct settings s = load(b, "Forgotten,RetryTimes,GroupRatio");
    assert_int_equal(s.relay.retry_times, 2);
    assert_int_equal(s.user.session_hours, 24);
    assert_string_equal(s.ratio.model_price, "{\"m\":3}");
    assert_non_null(strstr(s.ratio.group_ratio, "\"default\":1"));
    assert_fine(set(b, "RetryTimes", "3")); // and can be mended
    assert_fine(set(b, "GroupRatio", "{\"default\":2}"));
    assert_int_equal(load(b, "Forgotten").relay.retry_times, 3);
}

static void the_list_has_everything(void **state)
{
    struct books *b = *state;
    struct settings s = load(b, "");
    BUF_HERE(out, 1 << 20);
    struct json j = {.out = &out};
    yyjson_val *root;
    s.relay.retry_times = 7;
    json_arr(&j, NULL);
    settings_write(&s, &j);
    json_end(&j);
    assert_fine(json_read(b->a, buf_view(&out), &root));
    size_t i, max, count = 0;
    yyjson_val *item;
    for (const struct setting_group *g = setting_groups; g->name; g++)
        for (const struct field *f = g->fields; f->name; f++)
            count += !(f->flags & SECRET);
    assert_int_equal(yyjson_arr_size(root), count);
    yyjson_arr_foreach(root, i, max, item)
    {
        if (!text_eq(json_text_at(item, "key"), "RetryTimes"))
            continue;
        assert_string_equal(json_text_at(item, "value"), "7");
        assert_string_equal(json_text_at(item, "default"), "2");
        assert_string_equal(json_text_at(item, "group"), "relay");
        assert_string_equal(json_text_at(item, "type"), "int");
    }
}

// --- lists of statuses -------------------------------------------------------------------------

static void status_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int status;
        bool has, valid;
    } rows[] = {
        {"", 500, false, true},
        {"500", 500, true, true},
        {"500", 501, false, true},
        {"100-199,429", 100, true, true},
        {"100-199,429", 199, true, true},
        {"100-199,429", 200, false, true},
        {"100-199,429", 429, true, true},
        {" 429 , 500 - 503 ", 503, true, true},
        {"401,", 401, true, true},
        {"x,429", 429, true, false},
        {"4 29", 429, false, false},
        {"503-500", 501, false, false},
        {"-500", 100, false, false},
        {"400-", 400, false, false},
        {"429-429", 429, true, true},
        {"100-599", 599, true, true},
        {"100-600", 599, true, false},
        {"99", 99, true, false},
        {"99999999999999999999", 99, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (status_list_has(rows[i].list, rows[i].status) != rows[i].has ||
            status_list_valid(rows[i].list) != rows[i].valid)
            fail_msg("\"%s\" with %d", rows[i].list, rows[i].status);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_stand_their_own_checks),
        TEST(every_price_comes_back),
        TEST(no_model_twice),
        TEST(well_known_ratios),
        TEST(what_is_set_is_loaded),
        TEST(bad_values_change_nothing),
        TEST(odd_values_are_skipped_and_named),
        TEST(the_list_has_everything),
        cmocka_unit_test(status_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
