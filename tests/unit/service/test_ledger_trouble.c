// The ledger on a database that is locked, fails, or commits without saying so.

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "unit/service/books.h"

static int set_up(void **state)
{
    static struct books b;
    books_make(&b);
    books_start(&b);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    books_remove(*state);
    return 0;
}

static void the_database_is_locked_for_a_while(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 100000), got;
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 10));
    books_settle(0, user, 0, 10, 0);
    books_flush(b, 1);
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(b->dsn + strlen("sqlite:"), &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10000);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    int64_t done = 0;
    while (account_reserve(account, 10)) // the lease holds out
        books_settle(++done, user, 0, 10, 0);
    assert_true(done >= 50);
    struct ledger_state now;
    ledger_state(&now);
    assert_true(now.unbooked_bytes > done * 10);
    assert_false(ledger_flush(200));
    struct err *e = ledger_extend(b->a, account, 10, false, &got); // not "insufficient"
    assert_true(e && e->kind == &err_db_busy && got == 0);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    books_flush(b, done + 1);
    assert_true(books_reserve(b, account, 10));
    account_give_back(account, 10);
    books_balance(b, user, 100000);
    account_release(account);
}

// SQLite commits, and then says it did not: what a lost connection looks like.
static _Atomic int lies_to_come;

static int lie(void *unused, sqlite3 *db, const char *name, int pages)
{
    (void)unused;
    (void)db;
    (void)name;
    (void)pages;
    int left = atomic_load(&lies_to_come);
    while (left > 0 && !atomic_compare_exchange_weak(&lies_to_come, &left, left - 1))
        ;
    return left > 0 ? SQLITE_IOERR : SQLITE_OK;
}

// Opening sets a hook of its own behind what extensions do: so we come with the first statement.
static int on_statement(unsigned why, void *unused, void *statement, void *sql)
{
    (void)why;
    (void)unused;
    (void)sql;
    sqlite3_wal_hook(sqlite3_db_handle(statement), lie, NULL);
    return 0;
}

static int be_a_liar(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

static int set_up_liar(void **state)
{
    sqlite3_auto_extension((void (*)(void))be_a_liar);
    atomic_store(&lies_to_come, 0);
    return set_up(state);
}

static int tear_down_liar(void **state)
{
    sqlite3_cancel_auto_extension((void (*)(void))be_a_liar);
    return tear_down(state);
}

static void commits_without_an_answer_book_once(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 1000000), done = 0;
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 50000));
    for (int round = 0; round < 5; round++) {
        atomic_store(&lies_to_come, 3);
        for (int i = 0; i < 100; i++)
            books_settle(++done, user, 0, 10, 0);
        books_flush(b, done);
        assert_true(atomic_load(&lies_to_come) < 3); // at least one was told
        books_balance(b, user, 1000000);
    }
    account_give_back(account, 50000 - done * 10);
    account_release(account);
}

static void moves_without_an_answer_are_asked_about(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5000), got;
    struct account *account = account_hold(ACCOUNT_USER, user);
    atomic_store(&lies_to_come, 1);
    struct err *e = ledger_extend(b->a, account, 3000, false, &got);
    assert_true(e && got == 0);
    assert_int_equal(books_lease(b, "user", user), 3000); // it did happen
    assert_true(books_reserve(b, account, 5000));         // and now we know
    account_give_back(account, 5000);
    atomic_store(&lies_to_come, 1);
    assert_non_null(ledger_recall(b->a, ACCOUNT_USER, user));
    assert_int_equal(books_int(b, "SELECT quota FROM users"), 5000);
    assert_false(account_reserve(account, 1)); // not spent twice
    assert_true(books_reserve(b, account, 5000));
    assert_false(books_reserve(b, account, 1));
    account_give_back(account, 5000);
    books_balance(b, user, 5000);
    account_release(account);
}

static void commits_that_fail_change_nothing(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5000), got;
    struct account *account = account_hold(ACCOUNT_USER, user);
    books_exec(b, "CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    books_exec(b, "CREATE TABLE child (p INTEGER REFERENCES parent (id)"
                  " DEFERRABLE INITIALLY DEFERRED)");
    assert_true(books_reserve(b, account, 100));
    books_exec(b, "CREATE TRIGGER break AFTER UPDATE ON leases BEGIN"
                  " INSERT INTO child VALUES (1); END");
    assert_non_null(ledger_extend(b->a, account, 5000, false, &got)); // fails, or finds too little
    assert_non_null(ledger_recall(b->a, ACCOUNT_USER, user));
    books_settle(1, user, 0, 100, 0);
    assert_false(ledger_flush(1000));
    books_balance(b, user, 5000);
    books_exec(b, "DROP TRIGGER break");
    books_flush(b, 1);
    assert_true(books_reserve(b, account, 4900));
    account_give_back(account, 4900);
    books_balance(b, user, 5000);
    account_release(account);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LIARS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_liar, tear_down_liar)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_database_is_locked_for_a_while),
        LIARS_TEST(commits_without_an_answer_book_once),
        LIARS_TEST(moves_without_an_answer_are_asked_about),
        TEST(commits_that_fail_change_nothing),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
