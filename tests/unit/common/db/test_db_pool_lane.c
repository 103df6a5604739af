// The pool and writers side by side, from many threads: run under TSan, too.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "unit/common/db/fixture.h"

enum { THREADS = 6, TURNS = 60 };

static void with_items(struct fixture *x, int connections)
{
    const struct table *const tables[] = {&item_table, NULL};
    fixture_pool(x, connections);
    DB(db);
    assert_fine(db_lease(x->pool, x->a, &db));
    assert_fine(db_migrate(db, x->a, tables, NULL));
    struct item item = fixture_item(1, "n");
    item.level = 0;
    assert_fine(db_insert(db, x->a, &item_table, &item));
}

static int64_t ask(struct fixture *x, const char *sql)
{
    int64_t n = -1;
    DB(db);
    assert_fine(db_lease(x->pool, x->a, &db));
    assert_fine(db_int(db, x->a, &n, sql));
    return n;
}

static void leasing_and_returning(void **state)
{
    (void)state;
    struct fixture x;
    struct db *one, *two, *again;
    fixture_pool(&x, 2);
    assert_int_equal(db_pool_size(x.pool), 2);
    assert_int_equal(db_pool_busy(x.pool), 0);
    assert_fine(db_lease(x.pool, x.a, &one));
    assert_fine(db_lease(x.pool, x.a, &two));
    assert_ptr_not_equal(one, two);
    assert_int_equal(db_pool_busy(x.pool), 2);
    db_return(two);
    assert_int_equal(db_pool_busy(x.pool), 1);
    assert_fine(db_lease(x.pool, x.a, &again));
    assert_ptr_equal(again, two); // the warmest one
    db_return(again);
    db_return(one);
    db_return(NULL);
    assert_int_equal(db_pool_busy(x.pool), 0);
    fixture_close(&x);
}

static void nothing_free(void **state)
{
    (void)state;
    struct fixture x;
    struct db *one, *two;
    fixture_pool(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &one));
    int64_t began = clock_steady_ms();
    assert_err(db_busy, db_lease(x.pool, x.a, &two));
    assert_null(two);
    int64_t took = clock_steady_ms() - began;
    assert_true(took >= 2900 && took < 8000);
    assert_int_equal(db_pool_busy(x.pool), 1);
    db_return(one);
    assert_fine(db_lease(x.pool, x.a, &two)); // whoever gave up is not in the way
    db_return(two);
    fixture_close(&x);
}

struct visitor {
    struct fixture *x;
    struct arena *a;
    struct err *failed;
    pthread_t thread;
    atomic_int *order;
    int place;
    atomic_bool came;
    bool break_it;
};

static void *visit(void *arg)
{
    struct visitor *v = arg;
    DB(db);
    atomic_store(&v->came, true);
    v->failed = db_lease(v->x->pool, v->a, &db);
    v->place = atomic_fetch_add(v->order, 1);
    if (db && v->break_it)
        db->broken = true;
    return NULL;
}

static void queue_up(struct visitor *v, size_t n, struct fixture *x, atomic_int *order)
{
    for (size_t i = 0; i < n; i++) {
        v[i].x = x;
        v[i].order = order;
        v[i].a = arena_new();
        assert_int_equal(pthread_create(&v[i].thread, NULL, visit, &v[i]), 0);
        while (!atomic_load(&v[i].came))
            usleep(1000);
        usleep(100 * 1000); // time to get in line
    }
}

static void all_served(struct visitor *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pthread_join(v[i].thread, NULL);
        assert_fine(v[i].failed);
        assert_int_equal(v[i].place, i);
        arena_free(v[i].a);
    }
}

static void first_come_first_served(void **state)
{
    (void)state;
    struct fixture x;
    struct visitor v[5] = {0};
    atomic_int order = 0;
    fixture_pool(&x, 1);
    struct db *db;
    assert_fine(db_lease(x.pool, x.a, &db));
    queue_up(v, 5, &x, &order);
    assert_int_equal(atomic_load(&order), 0); // all of them wait
    db_return(db);
    all_served(v, 5);
    assert_int_equal(db_pool_busy(x.pool), 0);
    fixture_close(&x);
}

// A connection that breaks leaves its place to the next in line, who opens a new one.
static void broken_ones_are_replaced(void **state)
{
    (void)state;
    struct fixture x;
    struct visitor v[3] = {{.break_it = true}, {.break_it = true}, {0}};
    atomic_int order = 0;
    fixture_pool(&x, 1);
    struct db *db;
    assert_fine(db_lease(x.pool, x.a, &db));
    int64_t n;
    assert_fine(db_int(db, x.a, &n, "SELECT 1"));
    queue_up(v, 3, &x, &order);
    db->broken = true;
    db_return(db);
    all_served(v, 3);
    assert_fine(db_lease(x.pool, x.a, &db));
    assert_int_equal(db->statements.count, 0);
    assert_false(db->broken);
    db_return(db);
    fixture_close(&x);
}

// The database cannot be opened: an error, and the place is free again.
static void opening_fails(void **state)
{
    (void)state;
    struct fixture x;
    struct db *one, *two;
    fixture_pool(&x, 2);
    assert_fine(db_lease(x.pool, x.a, &one));
    unlink(x.path);
    assert_int_equal(mkdir(x.path, 0700), 0);
    for (int i = 0; i < 3; i++) {
        assert_err(db_unavailable, db_lease(x.pool, x.a, &two));
        assert_null(two);
        assert_int_equal(db_pool_busy(x.pool), 1);
    }
    assert_int_equal(rmdir(x.path), 0);
    assert_fine(db_lease(x.pool, x.a, &two));
    db_return(two);
    db_return(one);
    fixture_close(&x);
}

static int asked;
static bool never_alive(struct db *db)
{
    (void)db;
    asked++;
    return false;
}

static void idle_ones_are_asked(void **state)
{
    (void)state;
    struct fixture x;
    struct db *db;
    struct db_driver doubtful = sqlite_driver;
    doubtful.check_after_ms = 20;
    doubtful.alive = never_alive;
    fixture_pool(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &db));
    db->driver = &doubtful;
    db_return(db);
    assert_fine(db_lease(x.pool, x.a, &db));
    assert_ptr_equal(db->driver, &doubtful); // not idle for long: not asked
    assert_int_equal(asked, 0);
    db_return(db);
    usleep(60 * 1000);
    assert_fine(db_lease(x.pool, x.a, &db));
    assert_int_equal(asked, 1);
    assert_ptr_equal(db->driver, &sqlite_driver); // another one
    doubtful.check_after_ms = 0;
    doubtful.replace_after_ms = 20;
    db->driver = &doubtful;
    usleep(60 * 1000);
    db_return(db);
    assert_fine(db_lease(x.pool, x.a, &db));
    assert_ptr_equal(db->driver, &sqlite_driver); // too old
    db_return(db);
    fixture_close(&x);
}

static void returned_with_a_transaction(void **state)
{
    (void)state;
    struct fixture x;
    struct db *db;
    with_items(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &db));
    struct tx forgotten = tx_begin(db, x.a);
    assert_fine(forgotten.failed);
    assert_fine(db_exec(db, x.a, NULL, "DELETE FROM items"));
    db_return(db);
    assert_int_equal(ask(&x, "SELECT COUNT(*) FROM items"), 1);
    assert_fine(db_lease(x.pool, x.a, &db));
    struct tx tx = tx_begin(db, x.a); // and a new one can begin
    assert_fine(tx.failed);
    assert_fine(tx_commit(&tx, x.a));
    db_return(db);
    fixture_close(&x);
}

// --- writers side by side -----------------------------------------------------------

struct writer {
    struct fixture *x;
    struct err *failed;
    struct arena *a;
    pthread_t thread;
};

// Read, then write what was read plus one: exact only because nobody comes in between.
static struct err *add_one(struct writer *w)
{
    DB(db);
    TRY(db_lease(w->x->pool, w->a, &db));
    struct item item;
    TX tx = tx_begin(db, w->a);
    TRY(tx.failed);
    TRY(db_lock(db, w->a, &item_table, &item, "user_id = ?", P(1)));
    item.level++;
    TRY(db_update_only(db, w->a, &item_table, &item, "level", NULL));
    TRY(tx_commit(&tx, w->a));
    return db_exec(db, w->a, NULL, "UPDATE items SET made_at = made_at + 1");
}

static void *write_often(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < TURNS && !w->failed; i++)
        w->failed = add_one(w);
    return NULL;
}

static void write_side_by_side(int connections)
{
    struct fixture x;
    struct writer w[THREADS] = {0};
    with_items(&x, connections);
    int64_t before = ask(&x, "SELECT made_at FROM items");
    for (int i = 0; i < THREADS; i++) {
        w[i].x = &x;
        w[i].a = arena_new();
        assert_int_equal(pthread_create(&w[i].thread, NULL, write_often, &w[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(w[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_fine(w[i].failed);
        arena_free(w[i].a);
    }
    assert_int_equal(ask(&x, "SELECT level FROM items"), THREADS * TURNS);
    assert_int_equal(ask(&x, "SELECT made_at FROM items") - before, THREADS * TURNS);
    fixture_close(&x);
}

static void two_writers(void **state)
{
    (void)state;
    write_side_by_side(2);
}

static void a_connection_each(void **state)
{
    (void)state;
    write_side_by_side(THREADS);
}

static void *hold_for_a_while(void *arg)
{
    usleep(300 * 1000);
    tx_end(arg);
    return NULL;
}

// A collision that SQLite reports without waiting is waited for all the same.
static void beginning_insists(void **state)
{
    (void)state;
    struct fixture x;
    struct db *one, *two;
    pthread_t thread;
    with_items(&x, 2);
    assert_fine(db_lease(x.pool, x.a, &one));
    assert_fine(db_lease(x.pool, x.a, &two));
    assert_fine(db_exec(two, x.a, NULL, "PRAGMA busy_timeout = 0"));
    struct tx held = tx_begin(one, x.a);
    assert_fine(held.failed);
    assert_int_equal(pthread_create(&thread, NULL, hold_for_a_while, &held), 0);
    struct tx tx = tx_begin(two, x.a);
    assert_fine(tx.failed);
    assert_fine(tx_commit(&tx, x.a));
    pthread_join(thread, NULL);
    db_return(one);
    db_return(two);
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leasing_and_returning),       cmocka_unit_test(nothing_free),
        cmocka_unit_test(first_come_first_served),     cmocka_unit_test(broken_ones_are_replaced),
        cmocka_unit_test(returned_with_a_transaction), cmocka_unit_test(two_writers),
        cmocka_unit_test(a_connection_each),
    };
    const struct CMUnitTest sqlite_tests[] = {
        cmocka_unit_test(opening_fails),
        cmocka_unit_test(idle_ones_are_asked),
        cmocka_unit_test(beginning_insists),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return fixture_on("sqlite") ? failed + cmocka_run_group_tests(sqlite_tests, NULL, NULL)
                                : failed;
}
