// Pages: filters, keyword, order, totals, keyset, and what callers may not ask for.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "unit/common/db/fixture.h"

enum { N = 45 };

// 45 rows: user_id 0..44, level user_id % 3, on for even ones, three special names.
static int set_up(void **state)
{
    static struct fixture x;
    fixture_open(&x);
    for (int i = 0; i < N; i++) {
        struct item item = fixture_item(i, i == 3 ? "100% SURE_thing!" : "name");
        item.level = i % 3;
        item.on = i % 2 == 0;
        if (i == 10)
            item.email = "Anna.Lytics@Example.com";
        if (i == 11)
            item.name = "anna";
        assert_fine(db_insert(x.db, x.a, &item_table, &item));
    }
    *state = &x;
    return 0;
}

static int tear_down(void **state)
{
    fixture_close(*state);
    return 0;
}

static struct rows get(struct fixture *x, struct db_page *page)
{
    struct rows rows;
    assert_fine(db_page(x->db, x->a, &item_table, &rows, page, ""));
    return rows;
}

static int64_t user_at(struct rows rows, size_t i)
{
    assert_true(i < rows.count);
    return ((struct item *)rows.items)[i].user_id;
}

static void newest_first(void **state)
{
    struct db_page page = {0};
    struct rows rows = get(*state, &page);
    assert_int_equal(rows.count, DB_PAGE_DEFAULT);
    assert_int_equal(page.total, N);
    assert_int_equal(page.next, 0);
    assert_int_equal(user_at(rows, 0), 44);
    assert_int_equal(user_at(rows, 19), 25);
}

static void numbered(void **state)
{
    struct db_page page = {.page = 3, .size = 20, .ascending = true};
    struct rows rows = get(*state, &page);
    assert_int_equal(rows.count, 5);
    assert_int_equal(user_at(rows, 0), 40);
    page.page = 4;
    assert_int_equal(get(*state, &page).count, 0);
    assert_int_equal(page.total, N);
    page.page = -3;
    assert_int_equal(user_at(get(*state, &page), 0), 0);
    page.size = 1000;
    assert_int_equal(get(*state, &page).count, N);
    page.size = -1;
    assert_int_equal(get(*state, &page).count, DB_PAGE_DEFAULT);
}

static void sizes_are_bounded(void **state)
{
    struct fixture *x = *state;
    struct db_page page = {.size = INT64_MAX};
    ARENA(a);
    struct item *more = NEW_ARRAY(a, struct item, 100);
    for (int i = 0; i < 100; i++)
        more[i] = fixture_item(1000 + i, "more");
    assert_fine(db_insert_all(x->db, a, &item_table, more, 100));
    assert_int_equal(get(x, &page).count, DB_PAGE_MAX);
    assert_int_equal(page.total, N + 100);
    struct rows rows;
    page = (struct db_page){.page = INT64_MAX, .size = 100};
    assert_err(field_invalid, db_page(x->db, x->a, &item_table, &rows, &page, ""));
    page.page = INT64_MAX / 100;
    assert_int_equal(get(x, &page).count, 0);
}

static int64_t total_of(struct fixture *x, const struct db_filter *filters, size_t n)
{
    struct db_page page = {.filters = filters, .filter_count = n, .size = 100};
    struct rows rows = get(x, &page);
    assert_int_equal(rows.count, page.total);
    return page.total;
}
#define TOTAL(x, ...)                                                                              \
    total_of((x), (struct db_filter[]){__VA_ARGS__},                                               \
             sizeof((struct db_filter[]){__VA_ARGS__}) / sizeof(struct db_filter))

static void filters(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(TOTAL(x, {"level", DB_IS, P(1)}), 15);
    assert_int_equal(TOTAL(x, {"level", DB_IS, P(1)}, {"on", DB_IS, P(true)}), 7);
    assert_int_equal(TOTAL(x, {"user_id", DB_FROM, P(40)}), 5);
    assert_int_equal(TOTAL(x, {"user_id", DB_TO, P(4)}), 5);
    assert_int_equal(TOTAL(x, {"user_id", DB_FROM, P(4)}, {"user_id", DB_TO, P(4)}), 1);
    assert_int_equal(TOTAL(x, {"name", DB_IS, P("anna")}), 1);
    assert_int_equal(TOTAL(x, {"name", DB_IS, P("ANNA")}), 0);
    assert_int_equal(TOTAL(x, {"ratio", DB_FROM, P(1.25)}), N);
    assert_int_equal(TOTAL(x, {"ratio", DB_FROM, P(2)}), 0);
    assert_int_equal(TOTAL(x, {"email", DB_IS, P("")}), N - 1); // NULL in the database
}

static void contains(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("NN")}), 1);
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("sure_T")}), 1);
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("")}), N);
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("%")}), 1); // not wildcards
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("_")}), 1);
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("!")}), 1);
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("n%m")}), 0);
    assert_int_equal(TOTAL(x, {"name", DB_CONTAINS, P("' OR 1 = 1 --")}), 0);
}

static void keyword(void **state)
{
    struct fixture *x = *state;
    struct db_page page = {.keyword = "ANNA", .keyword_in = "name, email"};
    struct rows rows = get(x, &page);
    assert_int_equal(page.total, 2);
    assert_int_equal(user_at(rows, 0), 11);
    assert_int_equal(user_at(rows, 1), 10);
    struct db_filter on[] = {{"on", DB_IS, P(true)}};
    page.filters = on;
    page.filter_count = 1;
    assert_int_equal(get(x, &page).count, 1); // the OR is in parentheses
    page = (struct db_page){.keyword = "", .keyword_in = "name"};
    get(x, &page);
    assert_int_equal(page.total, N);
}

static void with_a_condition(void **state)
{
    struct fixture *x = *state;
    struct db_filter level[] = {{"level", DB_IS, P(0)}};
    struct db_page page = {.filters = level, .filter_count = 1};
    struct rows rows;
    assert_fine(
        db_page(x->db, x->a, &item_table, &rows, &page, "user_id = ? OR user_id = ?", P(4), P(3)));
    assert_int_equal(page.total, 1);
    assert_int_equal(user_at(rows, 0), 3);
}

// Equal values: in the order of ids, so that no row stands on two pages or on none.
static void sorted(void **state)
{
    struct fixture *x = *state;
    struct db_page page = {.sort = "level", .size = 10};
    bool seen[N] = {0};
    int last = 2;
    for (page.page = 1; page.page <= 5; page.page++) {
        struct rows rows = get(x, &page);
        const struct item *items = rows.items;
        for (size_t i = 0; i < rows.count; i++) {
            assert_true(items[i].level <= last);
            last = items[i].level;
            assert_false(seen[items[i].user_id]);
            seen[items[i].user_id] = true;
        }
    }
    for (int i = 0; i < N; i++)
        assert_true(seen[i]);
    page = (struct db_page){.sort = "name", .ascending = true};
    assert_int_equal(user_at(get(x, &page), 0), 3);
    page = (struct db_page){.sort = "id", .ascending = true};
    assert_int_equal(user_at(get(x, &page), 0), 0);
}

static void by_keyset(void **state)
{
    struct fixture *x = *state;
    struct db_filter even[] = {{"on", DB_IS, P(true)}};
    struct db_page page = {.keyset = true, .size = 10, .filters = even, .filter_count = 1};
    size_t pages = 0, count = 0;
    int64_t last = 1000;
    do {
        struct rows rows = get(x, &page);
        for (size_t i = 0; i < rows.count; i++) {
            assert_true(user_at(rows, i) < last);
            last = user_at(rows, i);
        }
        count += rows.count;
        pages++;
        page.after = page.next;
    } while (page.next);
    assert_int_equal(count, 23);
    assert_int_equal(pages, 3);
    page = (struct db_page){.keyset = true, .size = 5, .after = 40, .ascending = true};
    assert_int_equal(user_at(get(x, &page), 0), 40); // ids begin at 1
    assert_int_equal(page.next, 0);                  // exactly five are left
}

static void what_may_not_be_asked(void **state)
{
    struct fixture *x = *state;
    struct db_filter wrong[] = {
        {"nope", DB_IS, P(1)},          {"shown", DB_IS, P("x")},   {"id", DB_IS, P(1)},
        {"secret", DB_CONTAINS, P("")}, {"level", DB_IS, P("1")},   {"name", DB_IS, P(1)},
        {"level", DB_CONTAINS, P("1")}, {"level", DB_FROM, P(1.5)}, {"a] = 1 --", DB_IS, P(1)},
    };
    struct rows rows;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct db_page page = {.filters = &wrong[i], .filter_count = 1};
        struct err *e = db_page(x->db, x->a, &item_table, &rows, &page, "");
        assert_err(field_invalid, e);
        assert_string_equal(e->detail, wrong[i].field);
    }
    static const char *const sorts[] = {"nope", "email", "secret", "shown", "id; DROP TABLE items"};
    for (size_t i = 0; i < sizeof(sorts) / sizeof(*sorts); i++) {
        struct db_page page = {.sort = sorts[i]};
        assert_err(field_invalid, db_page(x->db, x->a, &item_table, &rows, &page, ""));
    }
    struct db_page page = {.keyword = "x", .keyword_in = "name,secret"};
    assert_err(field_invalid, db_page(x->db, x->a, &item_table, &rows, &page, ""));
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(newest_first), T(numbered), T(sizes_are_bounded), T(filters),   T(contains),
        T(keyword),      T(sorted),   T(with_a_condition),  T(by_keyset), T(what_may_not_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
