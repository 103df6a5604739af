// The statements of db.h, on each database: what goes in comes out, and what must fail fails as it
// should.

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "unit/common/db/fixture.h"

static int set_up(void **state)
{
    static struct fixture x;
    fixture_open(&x);
    *state = &x;
    return 0;
}

static int tear_down(void **state)
{
    fixture_close(*state);
    return 0;
}

static int64_t count(struct fixture *x, const char *table)
{
    int64_t n;
    assert_fine(db_int(x->db, x->a, &n, arena_printf(x->a, "SELECT COUNT(*) FROM [%s]", table)));
    return n;
}

// --- rows ---------------------------------------------------------------------

static void what_is_inserted_is_found(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(7, "漢字 'quoted' \"x\" [y] ?"), out;
    in.email = "a@b.c";
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_int_equal(in.id, 1);
    memset(&out, 0xee, sizeof(out));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "[name] = ?", P(in.name)));
    assert_int_equal(out.id, 1);
    assert_int_equal(out.user_id, 7);
    assert_int_equal(out.made_at, 1700000007);
    assert_string_equal(out.name, in.name);
    assert_string_equal(out.email, "a@b.c");
    assert_string_equal(out.secret, "s3cret");
    assert_int_equal(out.level, 2);
    assert_true(out.on);
    assert_true(out.ratio == 1.25);
    assert_null(out.shown); // no column: zeroed, whatever was there
    assert_int_equal(out.plain, 0);
}

static void numbers_keep_every_bit(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(INT64_MIN, "n"), out;
    in.made_at = INT64_MAX;
    in.level = INT32_MIN;
    in.ratio = 0.1 + 0.2;
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(in.id)));
    assert_true(out.user_id == INT64_MIN && out.made_at == INT64_MAX);
    assert_true(out.level == INT32_MIN && out.ratio == 0.1 + 0.2);
}

static void nothing_found(void **state)
{
    struct fixture *x = *state;
    struct item out = {.plain = 5};
    assert_err(not_found, db_find(x->db, x->a, &item_table, &out, "id = ?", P(9)));
    assert_int_equal(out.plain, 5);
    struct rows rows = {&out, 3};
    assert_fine(db_list(x->db, x->a, &item_table, &rows, "id = ?", P(9)));
    assert_int_equal(rows.count, 0);
}

static void empty_texts(void **state)
{
    struct fixture *x = *state;
    struct item one = {.user_id = 1}, two = {.user_id = 2, .email = ""}, out;
    assert_fine(db_insert(x->db, x->a, &item_table, &one)); // NULL members are "" ...
    assert_fine(db_insert(x->db, x->a, &item_table, &two)); // ... and two empty e-mails may be
    int64_t n;
    assert_fine(db_int(x->db, x->a, &n, "SELECT COUNT(*) FROM items WHERE email IS NULL"));
    assert_int_equal(n, 2);
    assert_fine(db_int(x->db, x->a, &n, "SELECT COUNT(*) FROM items WHERE [name] = ?", P("")));
    assert_int_equal(n, 2);
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(one.id)));
    assert_string_equal(out.email, "");
    assert_string_equal(out.name, "");
    assert_string_equal(out.secret, "");
}

static void sealed_at_rest(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "n"), out;
    int64_t n;
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_string_equal(in.secret, "s3cret");
    static const char sealed[] = "SELECT COUNT(*) FROM items WHERE secret LIKE 'tf1.%'";
    assert_fine(db_int(x->db, x->a, &n, sealed));
    assert_int_equal(n, 1);
    in.secret = "another";
    assert_fine(db_update_only(x->db, x->a, &item_table, &in, "secret", NULL));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(in.id)));
    assert_string_equal(out.secret, "another");
    in.secret = "third";
    assert_fine(db_update(x->db, x->a, &item_table, &in));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(in.id)));
    assert_string_equal(out.secret, "third");
    assert_fine(db_int(x->db, x->a, &n, sealed));
    assert_int_equal(n, 1);
    assert_fine(db_exec(x->db, x->a, NULL, "UPDATE items SET secret = 'plain'"));
    assert_err(sealed_unreadable, db_find(x->db, x->a, &item_table, &out, "id = ?", P(in.id)));
}

static void updates_by_key(void **state)
{
    struct fixture *x = *state;
    struct item one = fixture_item(1, "one"), two = fixture_item(2, "two"), out;
    assert_fine(db_insert(x->db, x->a, &item_table, &one));
    assert_fine(db_insert(x->db, x->a, &item_table, &two));
    one.name = "changed";
    one.level = 99;
    assert_fine(db_update_only(x->db, x->a, &item_table, &one, "name", NULL));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(one.id)));
    assert_string_equal(out.name, "changed");
    assert_int_equal(out.level, 2);
    assert_fine(db_update(x->db, x->a, &item_table, &one));
    assert_fine(db_update(x->db, x->a, &item_table, &one)); // the same again still counts as found
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(one.id)));
    assert_int_equal(out.level, 99);
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(two.id)));
    assert_string_equal(out.name, "two");
    one.id = 77;
    assert_err(not_found, db_update(x->db, x->a, &item_table, &one));
    assert_err(not_found, db_update_only(x->db, x->a, &item_table, &one, "level", NULL));
    assert_err(db_failed, db_update_only(x->db, x->a, &item_table, &one, "nope", NULL));
    assert_err(db_failed, db_update_only(x->db, x->a, &item_table, &one, "id", NULL));
    assert_err(db_failed, db_update_only(x->db, x->a, &item_table, &one, "shown", NULL));
}

// Two names in another order than the fields': values must go with their columns.
static void update_only_keeps_columns_apart(void **state)
{
    struct fixture *x = *state;
    struct item one = fixture_item(1, "one"), out;
    assert_fine(db_insert(x->db, x->a, &item_table, &one));
    one.made_at = 11;
    one.level = 22;
    assert_fine(db_update_only(x->db, x->a, &item_table, &one, "level", "made_at", NULL));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(one.id)));
    assert_int_equal(out.made_at, 11);
    assert_int_equal(out.level, 22);
}

static void upserts(void **state)
{
    struct fixture *x = *state;
    struct item row = fixture_item(1, "one"), out;
    assert_fine(db_upsert(x->db, x->a, &item_table, &row, "user_id, name"));
    row.level = 50;
    row.secret = "new";
    assert_fine(db_upsert(x->db, x->a, &item_table, &row, "user_id, name"));
    assert_int_equal(count(x, "items"), 1);
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(1)));
    assert_int_equal(out.level, 50);
    assert_string_equal(out.secret, "new");
    row.name = "two";
    assert_fine(db_upsert(x->db, x->a, &item_table, &row, "user_id, name"));
    assert_int_equal(count(x, "items"), 2);
}

static struct item *many(struct arena *a, size_t n)
{
    struct item *rows = NEW_ARRAY(a, struct item, n);
    for (size_t i = 0; i < n; i++)
        rows[i] = fixture_item((int64_t)i, arena_printf(a, "row %zu", i));
    return rows;
}

enum { EACH = 87 }; // 64 + 16 + 4 + 1 + 1 + 1 in statements

// Row by row as if each had been updated alone; one is not there, one is another user's.
static void updates_each(void **state)
{
    struct fixture *x = *state;
    int64_t numbers[EACH * 3], changed, n = 0;
    for (int i = 0; i < EACH - 1; i++) {
        struct item item = fixture_item(i == 70 ? 2 : 1, arena_printf(x->a, "item %d", i));
        assert_fine(db_insert(x->db, x->a, &item_table, &item));
    }
    for (int64_t i = 0; i < EACH; i++) {
        numbers[n++] = i + 1;
        numbers[n++] = (i + 1) * 1000000007;
        numbers[n++] = i % 5;
    }
    struct db_each each = {"items",
                           "id",
                           {{"made_at", "made_at + ?"}, {"level", "?"}},
                           .shared = true,
                           .where = DB_WHERE("user_id = ?", P(1))};
    struct rows before, after;
    assert_fine(db_list(x->db, x->a, &item_table, &before, "ORDER BY id"));
    assert_fine(db_update_each(x->db, x->a, &changed, &each, numbers, EACH));
    assert_int_equal(changed, EACH - 2);
    assert_fine(db_list(x->db, x->a, &item_table, &after, "ORDER BY id"));
    for (int i = 0; i < EACH - 1; i++) {
        const struct item *was = (const struct item *)before.items + i;
        const struct item *is = (const struct item *)after.items + i;
        bool his = was->user_id == 1;
        assert_int_equal(is->made_at, was->made_at + (his ? numbers[i * 3 + 1] : 0));
        assert_int_equal(is->level, his ? numbers[i * 3 + 2] : was->level);
        assert_string_equal(is->name, was->name);
    }
    assert_fine(db_update_each(x->db, x->a, &changed, &each, numbers, 0));
    assert_int_equal(changed, 0);
}

static void inserts_many(void **state)
{
    struct fixture *x = *state;
    enum { N = 64 * 3 + 16 + 4 * 2 + 3 };
    struct item *in = many(x->a, N);
    int64_t before = x->db->statements.misses;
    assert_fine(db_insert_all(x->db, x->a, &item_table, in, N));
    assert_int_equal(x->db->statements.misses - before, 4); // chunks of 64, 16, 4 and 1
    assert_fine(db_insert_all(x->db, x->a, &item_table, NULL, 0));
    struct rows rows;
    assert_fine(db_list(x->db, x->a, &item_table, &rows, "ORDER BY id"));
    assert_int_equal(rows.count, N);
    const struct item *out = rows.items;
    for (size_t i = 0; i < N; i++) {
        assert_string_equal(out[i].name, in[i].name);
        assert_string_equal(out[i].secret, "s3cret");
        assert_int_equal(out[i].user_id, i);
    }
}

static void inserts_all_or_none(void **state)
{
    struct fixture *x = *state;
    struct item *in = many(x->a, 100);
    in[99] = in[0];
    assert_err(db_duplicate, db_insert_all(x->db, x->a, &item_table, in, 100));
    assert_int_equal(count(x, "items"), 0);
    assert_false(x->db->in_tx);
}

static void lists_without_waste(void **state)
{
    struct fixture *x = *state;
    enum { N = 10000 };
    ARENA(made);
    assert_fine(db_insert_all(x->db, made, &item_table, many(made, N), N));
    ARENA(a);
    struct rows rows;
    assert_fine(db_list(x->db, a, &item_table, &rows, "ORDER BY id"));
    assert_int_equal(rows.count, N);
    assert_string_equal(((struct item *)rows.items)[N - 1].name, "row 9999");
    // each row once, and its texts with what opening the sealed one takes
    assert_true(arena_size(a) < N * (sizeof(struct item) + 350));
}

// --- statements -------------------------------------------------------------------

static void counts_changes(void **state)
{
    struct fixture *x = *state;
    int64_t n = -1;
    assert_fine(db_insert_all(x->db, x->a, &item_table, many(x->a, 5), 5));
    assert_fine(db_exec(x->db, x->a, &n, "UPDATE items SET level = 2 WHERE user_id < ?", P(3)));
    assert_int_equal(n, 3); // also those that were 2 before
    assert_fine(db_exec(x->db, x->a, &n, "UPDATE items SET level = 5 WHERE user_id = ?", P(77)));
    assert_int_equal(n, 0);
    assert_fine(db_exec(x->db, x->a, &n, "DELETE FROM items WHERE user_id >= ?", P(3)));
    assert_int_equal(n, 2);
    assert_fine(db_exec(x->db, x->a, &n, "CREATE TABLE other (a INTEGER)"));
    assert_int_equal(n, 0);
}

static void sums(void **state)
{
    struct fixture *x = *state;
    int64_t n = 5;
    assert_fine(db_int(x->db, x->a, &n, "SELECT SUM(level) FROM items"));
    assert_int_equal(n, 0); // NULL
    n = 5;
    assert_fine(db_int(x->db, x->a, &n, "SELECT level FROM items"));
    assert_int_equal(n, 0); // no row
    assert_fine(db_insert_all(x->db, x->a, &item_table, many(x->a, 4), 4));
    assert_fine(db_int(x->db, x->a, &n, "SELECT SUM(ratio) FROM items"));
    assert_int_equal(n, 5); // 4 * 1.25
    assert_err(db_failed, db_int(x->db, x->a, &n, "SELECT ratio FROM items"));
    assert_err(db_failed, db_int(x->db, x->a, &n, "SELECT [name] FROM items"));
    assert_fine(db_exec(x->db, x->a, NULL, "UPDATE items SET made_at = ?", P(INT64_MAX)));
    assert_err(db_failed, db_int(x->db, x->a, &n, "SELECT SUM(made_at) FROM items"));
    assert_fine(db_int(x->db, x->a, &n, "SELECT MAX(made_at) FROM items"));
    assert_true(n == INT64_MAX);
}

static void overflow_is_an_error(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "n"), out;
    in.made_at = INT64_MAX;
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "UPDATE items SET made_at = made_at + 1"));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "UPDATE items SET made_at = 'x'"));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(1)));
    assert_true(out.made_at == INT64_MAX);
    // what SQLite's column holds but the member does not
    struct err *e = db_exec(x->db, x->a, NULL, "UPDATE items SET level = ?", P((int64_t)1 << 40));
    assert_err(db_failed, e ? e : db_find(x->db, x->a, &item_table, &out, "id = ?", P(1)));
    in.ratio = NAN;
    in.level = 0;
    assert_err(db_failed, db_update(x->db, x->a, &item_table, &in));
}

struct total {
    const char *name;
    int64_t sum;
};
static const struct field total_fields[] = {
    FIELD(struct total, name),
    FIELD(struct total, sum),
    {0},
};
static const struct table total_table = TABLE("totals", struct total, total_fields);

static void queries_of_ones_own(void **state)
{
    struct fixture *x = *state;
    assert_fine(db_insert_all(x->db, x->a, &item_table, many(x->a, 6), 6));
    struct rows rows;
    assert_fine(db_query(x->db, x->a, &total_table, &rows,
                         "SELECT CASE WHEN user_id < ? THEN 'low' ELSE 'high' END, SUM(user_id) "
                         "FROM items GROUP BY 1 ORDER BY 1",
                         P(2)));
    assert_int_equal(rows.count, 2);
    const struct total *t = rows.items;
    assert_string_equal(t[0].name, "high");
    assert_int_equal(t[0].sum, 14);
    assert_string_equal(t[1].name, "low");
    assert_int_equal(t[1].sum, 1);
    assert_err(db_failed, db_query(x->db, x->a, &total_table, &rows, "SELECT id FROM items"));
}

static void wrong_statements(void **state)
{
    struct fixture *x = *state;
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "SELEKT 1"));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "SELECT ?"));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "SELECT ?", P(1), P(2)));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "SELECT 1; SELECT 2"));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, ""));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "SELECT [nope] FROM items"));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "SELECT 'open"));
    assert_fine(db_exec(x->db, x->a, NULL, "SELECT 1;"));
}

static void errors_show_no_values(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "tell-nobody");
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    struct err *e = db_insert(x->db, x->a, &item_table, &in);
    assert_err(db_duplicate, e);
    assert_non_null(strstr(e->detail, "INSERT INTO \"items\""));
    assert_null(strstr(e->detail, "tell-nobody"));
    e = db_exec(x->db, x->a, NULL, "UPDATE items SET level = ?", P("tell-nobody"));
    assert_err(db_failed, e);
    assert_non_null(strstr(e->detail, "UPDATE items SET level = "));
    assert_null(strstr(e->detail, "tell-nobody"));
    struct item out;
    e = db_find(x->db, x->a, &item_table, &out, "[name] = ?", P("tell-nobody-else"));
    assert_err(not_found, e);
    assert_null(strstr(e->detail, "tell-nobody"));
}

static void null_is_null(void **state)
{
    struct fixture *x = *state;
    int64_t n;
    assert_fine(db_int(x->db, x->a, &n, "SELECT ? IS NULL", P((const char *)NULL)));
    assert_int_equal(n, 1);
    assert_fine(db_int(x->db, x->a, &n, "SELECT ? IS NULL", P("")));
    assert_int_equal(n, 0);
}

static void foreign_keys_hold(void **state)
{
    struct fixture *x = *state;
    assert_fine(db_exec(x->db, x->a, NULL,
                        "CREATE TABLE child (parent BIGINT, FOREIGN KEY (parent) REFERENCES items "
                        "(id))"));
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "INSERT INTO child VALUES (?)", P(5)));
}

// --- transactions -------------------------------------------------------------------

static struct err *insert_in_tx(struct fixture *x, bool commit)
{
    TX tx = tx_begin(x->db, x->a);
    TRY(tx.failed);
    struct item in = fixture_item(1, "n");
    TRY(db_insert(x->db, x->a, &item_table, &in));
    if (!commit)
        return err_new(x->a, &err_conflict, "changed my mind");
    return tx_commit(&tx, x->a);
}

static void transactions(void **state)
{
    struct fixture *x = *state;
    assert_err(conflict, insert_in_tx(x, false));
    assert_int_equal(count(x, "items"), 0);
    assert_fine(insert_in_tx(x, true));
    assert_int_equal(count(x, "items"), 1);
    assert_err(db_duplicate, insert_in_tx(x, true));
    assert_int_equal(count(x, "items"), 1);
    assert_false(x->db->in_tx);
}

static void no_transaction_inside_another(void **state)
{
    struct fixture *x = *state;
    TX tx = tx_begin(x->db, x->a);
    assert_fine(tx.failed);
    {
        TX inner = tx_begin(x->db, x->a);
        assert_err(db_failed, inner.failed);
        assert_err(db_failed, tx_commit(&inner, x->a));
    }
    assert_true(x->db->in_tx); // the inner one's end is not ours
    struct item in = fixture_item(1, "n");
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_fine(tx_commit(&tx, x->a));
    assert_int_equal(count(x, "items"), 1);
}

// Some databases roll back, some would go on: here nothing goes on.
static void failures_end_transactions(void **state)
{
    struct fixture *x = *state;
    {
        TX tx = tx_begin(x->db, x->a);
        assert_fine(tx.failed);
        struct item in = fixture_item(1, "n"), other = fixture_item(2, "n");
        assert_fine(db_insert(x->db, x->a, &item_table, &in));
        assert_err(db_duplicate, db_insert(x->db, x->a, &item_table, &in));
        assert_err(db_failed, db_insert(x->db, x->a, &item_table, &other));
        assert_err(db_failed, tx_commit(&tx, x->a));
    }
    assert_int_equal(count(x, "items"), 0);
    assert_fine(insert_in_tx(x, true));
}

static void locked_rows(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "n"), out;
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_err(db_failed, db_lock(x->db, x->a, &item_table, &out, "id = ?", P(in.id)));
    TX tx = tx_begin(x->db, x->a);
    assert_fine(tx.failed);
    assert_fine(db_lock(x->db, x->a, &item_table, &out, "id = ?", P(in.id)));
    assert_string_equal(out.secret, "s3cret");
    assert_err(not_found, db_lock(x->db, x->a, &item_table, &out, "id = ?", P(in.id + 1)));
    assert_fine(db_alone(x->db, x->a));
    assert_fine(tx_commit(&tx, x->a)); // what is not found is no failure
}

struct tries {
    int count, busy;
    struct err *then;
};

static struct err *fail_some_times(struct db *db, struct arena *a, void *arg)
{
    struct tries *t = arg;
    (void)db;
    return ++t->count <= t->busy ? err_new(a, &err_db_busy, "deadlock") : t->then;
}

static void retries(void **state)
{
    struct fixture *x = *state;
    struct tries t = {.busy = 3}, other = {.then = err_new(x->a, &err_db_failed, "no")};
    assert_fine(db_retry(x->db, x->a, fail_some_times, &t));
    assert_int_equal(t.count, 4);
    assert_err(db_failed, db_retry(x->db, x->a, fail_some_times, &other));
    assert_int_equal(other.count, 1);
    t = (struct tries){.busy = 1000000};
    assert_err(db_busy, db_retry(x->db, x->a, fail_some_times, &t));
    assert_true(t.count > 4 && t.count < 100);
}

// --- the cache ------------------------------------------------------------------------

static void statements_are_kept(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(0, "n"), out;
    int64_t misses = x->db->statements.misses, hits = x->db->statements.hits;
    for (int i = 0; i < 10; i++) {
        in.user_id = i;
        char where[16] = "id = ?"; // another address, the same text
        assert_fine(db_insert(x->db, x->a, &item_table, &in));
        assert_fine(db_find(x->db, x->a, &item_table, &out, where, P(in.id)));
        assert_fine(db_update(x->db, x->a, &item_table, &in));
    }
    assert_int_equal(x->db->statements.misses - misses, 3);
    assert_int_equal(x->db->statements.hits - hits, 27);
}

// The same address with another text is another statement.
static void content_decides(void **state)
{
    struct fixture *x = *state;
    char sql[16] = "SELECT 1";
    int64_t n;
    assert_fine(db_int(x->db, x->a, &n, sql));
    assert_int_equal(n, 1);
    sql[7] = '2';
    assert_fine(db_int(x->db, x->a, &n, sql));
    assert_int_equal(n, 2);
}

static void oldest_goes_first(void **state)
{
    struct fixture *x = *state;
    int64_t n, misses = x->db->statements.misses;
    for (int i = 0; i < STATEMENTS_MAX + 50; i++) {
        assert_fine(db_int(x->db, x->a, &n, arena_printf(x->a, "SELECT %d", i)));
        assert_int_equal(n, i);
        assert_fine(db_int(x->db, x->a, &n, "SELECT -1")); // in use all the time
    }
    assert_int_equal(x->db->statements.count, STATEMENTS_MAX);
    assert_int_equal(x->db->statements.misses - misses, STATEMENTS_MAX + 51);
    misses = x->db->statements.misses;
    assert_fine(db_int(x->db, x->a, &n, "SELECT -1"));
    assert_fine(db_int(x->db, x->a, &n, arena_printf(x->a, "SELECT %d", STATEMENTS_MAX + 49)));
    assert_int_equal(x->db->statements.misses, misses);
    assert_fine(db_int(x->db, x->a, &n, "SELECT 0"));
    assert_int_equal(x->db->statements.misses, misses + 1);
}

// A statement prepared before its table changed still works.
static void survives_schema_changes(void **state)
{
    struct fixture *x = *state;
    struct item out;
    assert_err(not_found, db_find(x->db, x->a, &item_table, &out, "id = ?", P(1)));
    assert_fine(db_exec(x->db, x->a, NULL, "ALTER TABLE items ADD COLUMN more INTEGER"));
    struct item in = fixture_item(1, "n");
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "id = ?", P(1)));
    assert_string_equal(out.name, "n");
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_inserted_is_found),
        T(numbers_keep_every_bit),
        T(nothing_found),
        T(empty_texts),
        T(sealed_at_rest),
        T(updates_by_key),
        T(update_only_keeps_columns_apart),
        T(upserts),
        T(updates_each),
        T(inserts_many),
        T(inserts_all_or_none),
        T(lists_without_waste),
        T(counts_changes),
        T(sums),
        T(overflow_is_an_error),
        T(queries_of_ones_own),
        T(wrong_statements),
        T(errors_show_no_values),
        T(null_is_null),
        T(foreign_keys_hold),
        T(transactions),
        T(no_transaction_inside_another),
        T(failures_end_transactions),
        T(locked_rows),
        T(retries),
        T(statements_are_kept),
        T(content_decides),
        T(oldest_goes_first),
        T(survives_schema_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
