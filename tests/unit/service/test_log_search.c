// Searching the log: whatever is asked, page by page, is what one big query says.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "common/rand.h"
#include "model/usage.h"
#include "service/log_search.h"
#include "service/rollup.h"
#include "unit/service/books.h"

enum { ROWS = 4000, HOURS = 40, ASKED = 250, BEGAN = 1700000000 };

static const char *const models[] = {"common", "usual", "rare", "unheard of"};
static const char *const names[] = {"ann", "bob", "common", "zoe"};

static struct log_row random_row(struct arena *a, int number)
{
    static const int types[] = {2, 2, 2, 2, 2, 2, 5, 3, 7, 1};
    int64_t user = (int64_t)rand_below(4), token = user * 10 + (int64_t)rand_below(3);
    bool used = rand_below(10) < 8;
    struct log_row row = {.request_id = arena_printf(a, "req%d", number),
                          .created_at = BEGAN + (int64_t)rand_below(HOURS * 3600),
                          .type = types[rand_below(10)],
                          .user_id = user + 1,
                          .username = names[user],
                          .is_stream = rand_below(2) == 0,
                          .quota = (int64_t)rand_below(100)};
    if (rand_below(3) == 0) // many in one second
        row.created_at = BEGAN + 7200 + (int64_t)rand_below(3);
    if (!used && row.type != LOG_TYPE_CONSUME)
        return row;
    row.token_id = token + 1;
    row.token_name = arena_printf(a, "t%d", (int)token);
    row.channel_id = 1 + (int64_t)rand_below(3);
    row.model_name = models[rand_below(40) == 0 ? 2 : rand_below(2)];
    return row;
}

static void fill(struct books *b)
{
    struct log_row *rows = NEW_ARRAY(b->a, struct log_row, ROWS);
    struct rollup *r = rollup_new(b->a, ROWS);
    for (int i = 0; i < ROWS; i++) {
        rows[i] = random_row(b->a, i);
        rollup_add(r, &rows[i]);
    }
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    TX tx = tx_begin(db, b->a);
    assert_fine(db_insert_all(db, b->a, &log_table, rows, ROWS));
    assert_fine(rollup_write(db, b->a, r));
    assert_fine(tx_commit(&tx, b->a));
    books_rolled_up(b);
}

// --- asking both ways ---------------------------------------------------------------------

struct asked {
    struct db_filter filters[8];
    size_t count;
    int64_t from, to;
    const char *keyword;
};

static void and_is(struct asked *q, const char *field, struct field_value v)
{
    q->filters[q->count++] = (struct db_filter){field, DB_IS, v};
}

static struct field_value yes_or_no(void)
{
    return (struct field_value){FIELD_BOOL, {.i = rand_below(2) == 0}};
}

static struct asked random_question(struct arena *a)
{
    static const int types[] = {1, 2, 3, 4, 5, 7};
    struct asked q = {0};
    if (rand_below(3) == 0)
        and_is(&q, "user_id", P((int64_t)rand_below(5) + 1));
    if (rand_below(3) == 0)
        and_is(&q, "type", P(types[rand_below(6)]));
    if (rand_below(3) == 0)
        and_is(&q, "model_name", P(models[rand_below(4)]));
    if (rand_below(5) == 0)
        and_is(&q, "username", P(names[rand_below(4)]));
    if (rand_below(5) == 0)
        and_is(&q, "token_name", P((const char *)arena_printf(a, "t%d", (int)rand_below(40))));
    if (rand_below(6) == 0)
        and_is(&q, "channel_id", P((int64_t)rand_below(4)));
    if (rand_below(4) == 0)
        and_is(&q, "is_stream", yes_or_no());
    if (rand_below(4) == 0)
        q.keyword = rand_below(2) ? "common" : arena_printf(a, "req%d", (int)rand_below(ROWS * 2));
    if (rand_below(3) == 0)
        q.from = BEGAN + (int64_t)rand_below(HOURS * 3600);
    if (rand_below(3) == 0)
        q.to = BEGAN + (int64_t)rand_below(HOURS * 3600);
    return q;
}

// The keyword as the API describes it, in plain words.
static struct db_where plainly(struct arena *a, const struct asked *q, bool is_request)
{
    struct db_where w;
    assert_fine(db_filter_sql(a, &log_table, q->filters, q->count, &w));
    const char *word = !q->keyword  ? "? = ''"
                       : is_request ? "request_id = ?"
                                    : "? IN (username, token_name, model_name)";
    struct field_value *params = NEW_ARRAY(a, struct field_value, w.count + 3);
    if (w.count)
        memcpy(params, w.params, w.count * sizeof(*params));
    params[w.count] = P(q->keyword ? q->keyword : "");
    params[w.count + 1] = P(q->from);
    params[w.count + 2] = P(q->to ? q->to : INT64_MAX);
    const char *sql = arena_printf(a,
                                   "%s%s%s AND created_at >= ? AND created_at <= ?"
                                   " ORDER BY created_at DESC, id DESC",
                                   w.sql, w.count ? " AND " : "", word);
    return (struct db_where){sql, w.count + 3, params};
}

// All pages; each next one from where the last one ended or came to.
static size_t collect(struct db *db, struct arena *a, const struct asked *q, int64_t *ids)
{
    struct log_search s = {.filters = q->filters,
                           .filter_count = q->count,
                           .keyword = q->keyword,
                           .from = q->from,
                           .to = q->to,
                           .want = 1 + rand_below(60),
                           .step_rows = 1 + (int)rand_below(300)};
    size_t n = 0, pages = 0;
    do {
        assert_true(pages++ < 20 * ROWS); // it does get on
        assert_fine(log_search(db, a, &s));
        assert_true(n + s.count <= ROWS);
        for (size_t i = 0; i < s.count; i++)
            ids[n++] = s.found[i].id;
        s.after = s.count == s.want ? s.found[s.count - 1] : s.reached;
    } while (!s.complete);
    return n;
}

static void compare(struct db *db, struct arena *a, const struct asked *q)
{
    struct rows rows;
    int64_t *ids = NEW_ARRAY(a, int64_t, ROWS + 1), number = 0;
    bool is_request = q->keyword && !strncmp(q->keyword, "req", 3);
    if (is_request)
        assert_fine(db_int(db, a, &number, "SELECT COUNT(*) FROM logs WHERE request_id = ?",
                           P(q->keyword)));
    assert_fine(db_list_(db, a, &log_table, &rows, plainly(a, q, is_request)));
    size_t n = collect(db, a, q, ids);
    const struct log_row *want = rows.items;
    assert_int_equal(n, rows.count);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i], want[i].id);
}

static void whatever_is_asked(void **state)
{
    struct books *b = *state;
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    for (int i = 0; i < ASKED; i++) {
        ARENA(a);
        struct asked q = random_question(a);
        compare(db, a, &q);
    }
}

// --- whole rows ------------------------------------------------------------------------------

static void rows_in_their_order(void **state)
{
    struct books *b = *state;
    struct log_search s = {.want = 37};
    struct rows rows;
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(log_search(db, b->a, &s));
    assert_int_equal(s.count, 37);
    assert_fine(log_rows(db, b->a, s.found, s.count, &rows));
    assert_int_equal(rows.count, 37);
    for (size_t i = 0; i < rows.count; i++)
        assert_int_equal(((const struct log_row *)rows.items)[i].id, s.found[i].id);
    s.found[3].id = 999999; // has gone
    assert_fine(log_rows(db, b->a, s.found, s.count, &rows));
    assert_int_equal(rows.count, 36);
}

// --- retention -------------------------------------------------------------------------------

static void old_rows_go_in_steps(void **state)
{
    struct books *b = *state;
    int64_t before = BEGAN + 30 * 3600, changed = 1, steps = 0, left;
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(
        db_int(db, b->a, &left, "SELECT COUNT(*) FROM logs WHERE created_at >= ?", P(before)));
    for (; changed; steps++) {
        assert_fine(log_delete_step(db, b->a, before, &changed));
        assert_true(changed <= 1000 + ROWS / 8); // the crowded seconds are deleted whole
    }
    assert_true(steps > 2);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM logs"), left);
    assert_fine(
        db_int(db, b->a, &left, "SELECT COUNT(*) FROM logs WHERE created_at < ?", P(before)));
    assert_int_equal(left, 0);
    for (changed = 1, steps = 0; changed; steps++)
        assert_fine(usage_delete_step(db, b->a, before, &changed));
    assert_true(steps > 10);
    int64_t day = before - before % 86400; // whole days only: usage_users has no hours
    assert_int_equal(books_int(b, "SELECT MIN(hour) FROM usage_hours"), day);
    assert_int_equal(books_int(b, "SELECT MIN(hour) FROM usage_models"), day);
    assert_int_equal(books_int(b, "SELECT MIN(day) FROM usage_users"), day);
    assert_int_equal(books_int(b, "SELECT SUM(requests) FROM usage_hours"),
                     books_int(b, "SELECT SUM(requests) FROM usage_users"));
    assert_int_equal(books_int(b, "SELECT SUM(quota) FROM usage_hours"),
                     books_int(b, "SELECT SUM(quota) FROM usage_models"));
}

static int set_up(void **state)
{
    static struct books b;
    books_make(&b);
    fill(&b);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    books_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_asked), cmocka_unit_test(rows_in_their_order),
        cmocka_unit_test(old_rows_go_in_steps), // the last: it deletes
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
