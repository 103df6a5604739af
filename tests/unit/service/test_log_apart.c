// The log in a database of its own (LOG_SQL_DSN): set, unset, away, killed between the two.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "service/audit.h"
#include "service/log_move.h"
#include "unit/service/books.h"

static int64_t user;

static int set_up(void **state)
{
    static struct books b;
    books_make(&b);
    user = books_user(&b, 100000);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    books_remove(*state);
    return 0;
}

static void spend(struct books *b, int64_t first, int64_t last)
{
    struct account *account = account_hold(ACCOUNT_USER, user);
    for (int64_t n = first; n <= last; n++) {
        assert_true(books_reserve(b, account, 10));
        books_settle(n, user, 0, 10, 0);
    }
    account_release(account);
}

static void manage(struct books *b, const char *what)
{
    struct user about = {.id = user, .username = "user", .group = "default"};
    struct audit entry = {LOG_TYPE_MANAGE, what, "::1", &about, NULL, what};
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(audit_write(db, b->a, &entry));
}

static int64_t move_step(struct books *b)
{
    int64_t moved;
    assert_fine(log_move(b->pool, b->log_pool, b->a, &moved));
    return moved;
}

static int64_t everywhere(struct books *b)
{
    return books_int(b, "SELECT COUNT(*) FROM logs") +
           books_log_int(b, "SELECT COUNT(*) FROM logs");
}

static void assert_apart(struct books *b, bool want)
{
    assert_int_equal(books_int(b, "SELECT SUM(logs_apart) FROM journal_positions"), want);
}

// --- from one database to two and back ---------------------------------------------------------

static void set_and_unset(void **state)
{
    struct books *b = *state;
    char dsn[sizeof(b->log_dsn)];
    books_start(b);
    spend(b, 1, 20);
    books_flush(b, 20);
    books_stop(b);
    books_set_apart(b);
    books_start(b);
    assert_apart(b, true);
    spend(b, 21, 30);
    books_flush(b, 10); // of the log database; the others are moved
    while (move_step(b))
        continue;
    assert_int_equal(everywhere(b), 30);
    books_flush(b, 30);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM usage_hours"), 0);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM usage_models"), 0);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM usage_users"), 0);
    books_stop(b);
    assert_apart(b, false);
    books_balance(b, user, 100000);

    memcpy(dsn, b->log_dsn, sizeof(dsn)); // without it, for a while
    books_close(b);
    *b->log_dsn = '\0';
    books_open(b);
    books_start(b);
    spend(b, 31, 35);
    books_flush(b, 5);
    books_stop(b);
    books_close(b); // and with it again: its position is old
    memcpy(b->log_dsn, dsn, sizeof(dsn));
    books_open(b);
    books_start(b);
    spend(b, 36, 40);
    while (move_step(b))
        continue;
    books_flush(b, 40);
    books_balance(b, user, 100000);
}

// --- moving ------------------------------------------------------------------------------------

static void moved_once_whoever_is_killed(void **state)
{
    struct books *b = *state;
    books_set_apart(b);
    for (int i = 0; i < 7; i++)
        manage(b, arena_printf(b->a, "m%d", i));
    assert_int_equal(move_step(b), 7);
    // Killed here, before anything was deleted: they stand in both.
    assert_int_equal(everywhere(b), 14);
    manage(b, "m7");
    assert_int_equal(move_step(b), 1);
    assert_int_equal(books_log_int(b, "SELECT COUNT(*) FROM logs"), 8);
    assert_int_equal(books_log_int(b, "SELECT COUNT(DISTINCT request_id) FROM logs"), 8);
    assert_int_equal(move_step(b), 0);
    assert_int_equal(move_step(b), 0);
    assert_int_equal(everywhere(b), 8);
    assert_true(books_log_int(b, "SELECT SUM(others) FROM usage_hours") > 0);
}

static void the_current_hour_is_not_moved(void **state)
{
    struct books *b = *state;
    books_set_apart(b);
    manage(b, "now");
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM usage_hours"), 1);
    while (move_step(b))
        continue;
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM usage_hours"), 1);
    books_exec(b, "UPDATE usage_hours SET hour = hour - 3 * 3600");
    assert_int_equal(move_step(b), 1);
    assert_int_equal(move_step(b), 0);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM usage_hours"), 0);
}

// --- one of them away ----------------------------------------------------------------------------

static void wait_for_used(struct books *b, int64_t used)
{
    int64_t until = clock_steady_ms() + 30000;
    while (books_int(b, "SELECT used_quota FROM users") != used && clock_steady_ms() < until)
        uv_sleep(20);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), used);
}

static void without_the_log_database(void **state)
{
    struct books *b = *state;
    books_set_apart(b);
    books_start(b);
    spend(b, 1, 5);
    books_flush(b, 5);
    books_log_exec(b, "ALTER TABLE logs RENAME TO away");
    spend(b, 6, 10);
    wait_for_used(b, 100); // balances do not wait for it
    assert_false(ledger_flush(100));
    books_stop(b);
    books_balance(b, user, 100000);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM leases"), 0);
    assert_apart(b, true); // something is missing there

    struct ledger_options alone = b->o;
    alone.log_pool = b->pool;
    assert_err(internal, ledger_start(b->a, &alone)); // would be lost

    books_log_exec(b, "ALTER TABLE away RENAME TO logs");
    books_start(b);
    spend(b, 11, 12);
    books_flush(b, 12);
    books_stop(b);
    assert_apart(b, false);
}

static void another_log_database(void **state)
{
    struct books *b = *state;
    books_set_apart(b);
    books_start(b);
    spend(b, 1, 5);
    books_flush(b, 5);
    books_log_exec(b, "ALTER TABLE logs RENAME TO away");
    spend(b, 6, 6);
    books_stop(b);
    books_log_exec(b, "ALTER TABLE away RENAME TO logs");
    books_log_exec(b, "UPDATE journal_positions SET node = 'someone else'");
    assert_err(internal, ledger_start(b->a, &b->o));
    books_log_exec(b, "UPDATE journal_positions SET node = 'n1'");
    books_start(b);
    books_flush(b, 6);
}

// Each database keeps its own place: an older state of one is caught up, the other not booked
// twice.
static void an_older_state_of_one(void **state)
{
    struct books *b = *state;
    books_set_apart(b);
    books_start(b);
    spend(b, 1, 5);
    books_flush(b, 5);
    books_stop(b);
    books_exec(b, "UPDATE journal_positions SET logs_apart = 1");
    books_log_exec(b, "UPDATE journal_positions SET segment = 0, [offset] = 0");
    books_forget_log(b);
    books_start(b);
    books_flush(b, 5);
    books_balance(b, user, 100000);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_and_unset),
        TEST(moved_once_whoever_is_killed),
        TEST(the_current_hour_is_not_moved),
        TEST(without_the_log_database),
        TEST(another_log_database),
        TEST(an_older_state_of_one),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
