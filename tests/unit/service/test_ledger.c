// Leases, settling and bookkeeping: whatever happens, the sums come out.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "model/user.h"
#include "unit/service/books.h"
#include "unit/service/folder.h"

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

static bool comes_true(bool (*is)(void *arg), void *arg)
{
    for (int i = 0; i < 12000; i++) {
        if (is(arg))
            return true;
        usleep(5000);
    }
    return false;
}

// --- one after the other -----------------------------------------------------------------

static void reserve_settle_give_back(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 10000);
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 300));
    books_settle(1, user, 0, 120, 0);
    account_give_back(account, 180);
    assert_true(books_reserve(b, account, 50));
    books_settle(2, user, 0, 50, 0);
    books_flush(b, 2);
    books_balance(b, user, 10000);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 170);
    assert_int_equal(books_int(b, "SELECT request_count FROM users"), 2);
    account_release(account);
    books_stop(b);
    assert_int_equal(books_int(b, "SELECT quota FROM users"), 10000 - 170);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM leases"), 0);
}

static void one_account_per_balance(void **state)
{
    (void)state;
    struct account *user = account_hold(ACCOUNT_USER, 7), *same = account_hold(ACCOUNT_USER, 7);
    struct account *token = account_hold(ACCOUNT_TOKEN, 7), *other = account_hold(ACCOUNT_USER, 8);
    assert_ptr_equal(user, same);
    assert_ptr_not_equal(user, token);
    assert_ptr_not_equal(user, other);
    account_release(user);
    account_release(same);
    account_release(token);
    account_release(other);
    account_release(NULL);
}

static void until_the_balance_is_empty(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5050), granted = 0;
    struct account *account = account_hold(ACCOUNT_USER, user);
    while (books_reserve(b, account, 100))
        books_settle(++granted, user, 0, 100, 0);
    assert_int_equal(granted, 50);
    assert_false(books_reserve(b, account, 51));
    assert_true(books_reserve(b, account, 50)); // what is left is not lost by refusals
    assert_false(books_reserve(b, account, 1));
    account_give_back(account, 50);
    books_flush(b, 50);
    books_balance(b, user, 5050);
    account_release(account);
}

static void odd_amounts(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 100), got = 5;
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 0));
    assert_false(account_reserve(account, -5));
    assert_err(internal, ledger_extend(b->a, account, -5, false, &got));
    assert_int_equal(got, 0);
    assert_false(books_reserve(b, account, INT64_MAX)); // nothing overflows
    assert_fine(ledger_extend(b->a, account, INT64_MAX, true, &got));
    assert_int_equal(got, 100);
    account_give_back(account, got);
    account_give_back(account, -7);
    assert_true(books_reserve(b, account, 100));
    account_give_back(account, 100);
    books_balance(b, user, 100);
    account_release(account);
}

static void partial_extension(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 2500), got;
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_fine(ledger_extend(b->a, account, 2000, true, &got));
    assert_int_equal(got, 2000);
    assert_fine(ledger_extend(b->a, account, 2000, true, &got));
    assert_int_equal(got, 500);
    assert_fine(ledger_extend(b->a, account, 2000, true, &got));
    assert_int_equal(got, 0);
    account_give_back(account, 300);
    assert_fine(ledger_extend(b->a, account, 2000, true, &got));
    assert_int_equal(got, 300);
    books_settle(1, user, 0, 2500, 0);
    books_flush(b, 1);
    books_balance(b, user, 2500);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 2500);
    account_release(account);
}

static void limited_tokens(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 100000), token = books_token(b, user, 250), done = 0;
    struct account *pays = account_hold(ACCOUNT_USER, user);
    struct account *limits = account_hold(ACCOUNT_TOKEN, token);
    while (books_reserve(b, limits, 100)) {
        assert_true(books_reserve(b, pays, 100));
        books_settle(++done, user, token, 90, 90);
        account_give_back(pays, 10);
        account_give_back(limits, 10);
    }
    assert_int_equal(done, 2); // 250 - 180 = 70 are left, not enough for 100
    books_settle(3, user, token, 0, 0);
    books_flush(b, 3);
    books_balance(b, user, 100000);
    books_token_balance(b, token, 250);
    assert_int_equal(books_int(b, "SELECT used_quota FROM tokens"), 180);
    assert_int_equal(books_int(b, "SELECT accessed_time FROM tokens"), 1700000180);
    account_release(pays);
    account_release(limits);
}

static void unlimited_tokens_count_only(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 1000), token = books_token(b, user, 0);
    struct account *account = account_hold(ACCOUNT_USER, user);
    books_exec(b, "INSERT INTO channels (type, name, [key], base_url, models, [group], "
                  "model_mapping, priority, weight, status, auto_ban, tag, remark, proxy, other, "
                  "header_override, param_override, system_prompt, test_model, response_time, "
                  "used_quota, balance, status_reason, status_time, key_states, created_time, "
                  "test_time) VALUES (1,'c','','','','','',0,0,1,1,'','','','','','','','',0,0,"
                  "0.0,'',0,'',0,0)");
    assert_true(books_reserve(b, account, 10));
    books_settle(1, user, token, 10, 0);
    books_flush(b, 1);
    books_balance(b, user, 1000);
    assert_int_equal(books_int(b, "SELECT used_quota FROM tokens"), 10);
    assert_int_equal(books_int(b, "SELECT remain_quota FROM tokens"), 0);
    assert_int_equal(books_int(b, "SELECT used_quota FROM channels"), 10);
    account_release(account);
}

static void errors_are_logged_and_not_counted(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 1000);
    struct log_row row = {.request_id = "e", .type = LOG_TYPE_ERROR, .user_id = user};
    ledger_settle(&row, 0);
    ledger_write_down();
    books_flush(b, 1);
    assert_int_equal(books_int(b, "SELECT request_count FROM users"), 0);
    books_balance(b, user, 1000);
}

// --- leases come and go --------------------------------------------------------------------

static void recall_during_use(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5000);
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 200));
    assert_fine(ledger_recall(b->a, ACCOUNT_USER, user));
    assert_int_equal(books_lease(b, "user", user), 200); // what is reserved stays
    assert_int_equal(books_int(b, "SELECT quota FROM users"), 4800);
    books_settle(1, user, 0, 150, 0);
    account_give_back(account, 50);
    assert_true(books_reserve(b, account, 4850)); // and nothing is refused that is there
    account_give_back(account, 4850);
    assert_fine(ledger_recall(b->a, ACCOUNT_USER, user));
    books_flush(b, 1);
    assert_int_equal(books_int(b, "SELECT quota FROM users"), 4850);
    assert_int_equal(books_lease(b, "user", user), 0);
    books_balance(b, user, 5000);
    account_release(account);
    assert_fine(ledger_recall(b->a, ACCOUNT_TOKEN, 4711)); // nobody has ever used it
}

struct topping {
    struct books *b;
    struct account *account;
    int64_t want;
};

static bool is_topped_up(void *arg)
{
    struct topping *t = arg;
    return atomic_load(&t->account->available) == t->want;
}

static void top_up_ahead_of_need(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 40000);
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 10)); // leases 1000
    assert_int_equal(books_lease(b, "user", user), 1000);
    assert_true(account_reserve(account, 800));  // 190 left: below a quarter of the slice
    struct topping t = {b, account, 190 + 2000}; // it was spent quickly: twice as much
    assert_true(comes_true(is_topped_up, &t));
    assert_true(account_reserve(account, 2000));
    t.want = 190 + 4000;
    assert_true(comes_true(is_topped_up, &t));
    account_give_back(account, 2810);
    books_balance(b, user, 40000);
    account_release(account);
}

static void three_quarters_are_left_for_others(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 2000);
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 10));
    assert_int_equal(books_lease(b, "user", user), 500);
    assert_true(books_reserve(b, account, 1600)); // but for what is needed
    assert_int_equal(books_lease(b, "user", user), 1610);
    account_give_back(account, 1610);
    books_balance(b, user, 2000);
    account_release(account);
}

static bool lease_is_back(void *arg)
{
    struct books *b = arg;
    return books_int(b, "SELECT quota FROM users") == 3000;
}

static void idle_leases_return(void **state)
{
    struct books *b = *state;
    books_stop(b);
    b->o.idle_ms = 100;
    books_start(b);
    int64_t user = books_user(b, 3000);
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, account, 10));
    account_give_back(account, 10);
    assert_true(comes_true(lease_is_back, b));
    books_balance(b, user, 3000);
    assert_true(books_reserve(b, account, 10)); // and are fetched again
    account_give_back(account, 10);
    account_release(account);
}

static void users_deleted_meanwhile(void **state)
{
    struct books *b = *state;
    int64_t gone = books_user(b, 3000), user = books_user(b, 500);
    struct account *of_gone = account_hold(ACCOUNT_USER, gone);
    struct account *account = account_hold(ACCOUNT_USER, user);
    assert_true(books_reserve(b, of_gone, 10));
    assert_true(books_reserve(b, account, 20));
    books_exec(b, arena_printf(b->a, "DELETE FROM users WHERE id = %lld", (long long)gone));
    books_settle(1, gone, 0, 10, 0);
    books_settle(2, user, 0, 20, 0);
    books_flush(b, 2); // the record stays, and nobody else's booking is held up
    books_balance(b, user, 500);
    assert_false(books_reserve(b, of_gone, 5000));
    account_release(of_gone);
    account_release(account);
    books_stop(b);
    books_start(b);
    books_balance(b, user, 500);
}

// --- starts and stops ------------------------------------------------------------------------

static void stop_and_start_again(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 1000000), token = books_token(b, user, 500000);
    for (int round = 0; round < 5; round++) {
        struct account *account = account_hold(ACCOUNT_USER, user);
        struct account *limits = account_hold(ACCOUNT_TOKEN, token);
        for (int i = 0; i < 700; i++) {
            assert_true(books_reserve(b, account, 20) && books_reserve(b, limits, 20));
            books_settle(round * 700 + i, user, token, 15, 15);
            account_give_back(account, 5);
            account_give_back(limits, 5);
        }
        account_release(account);
        account_release(limits);
        books_stop(b);
        assert_int_equal(books_int(b, "SELECT COUNT(*) FROM leases"), 0);
        books_balance(b, user, 1000000);
        books_token_balance(b, token, 500000);
        books_start(b);
    }
    books_flush(b, 3500);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 3500 * 15);
}

static void other_nodes_and_databases_are_refused(void **state)
{
    struct books *b = *state;
    books_settle(1, books_user(b, 100), 0, 0, 0);
    books_stop(b);
    b->o.node = "n2"; // has never booked: would book everything again
    assert_err(internal, ledger_start(b->a, &b->o));
    b->o.node = "n1";
    books_exec(b, "UPDATE journal_positions SET node = 'n3'"); // as in another database
    assert_err(internal, ledger_start(b->a, &b->o));
    books_exec(b, "UPDATE journal_positions SET node = 'n1'");
    books_start(b);
    books_flush(b, 1);
}

// A machine that lost power comes back with an older state of SQL than of the journal.
static void leases_that_sql_forgot(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5000), token = books_token(b, user, 700);
    struct account *account = account_hold(ACCOUNT_USER, user);
    struct account *limits = account_hold(ACCOUNT_TOKEN, token);
    assert_true(books_reserve(b, account, 400) && books_reserve(b, limits, 400));
    books_settle(1, user, token, 400, 400);
    account_release(account);
    account_release(limits);
    books_stop(b);
    books_exec(b, "UPDATE users SET quota = 5000, used_quota = 0");
    books_exec(b, "UPDATE tokens SET remain_quota = 700, used_quota = 0");
    books_exec(b, "UPDATE journal_positions SET segment = 0, [offset] = 0");
    books_forget_log(b);
    books_start(b);
    books_flush(b, 1);
    books_balance(b, user, 5000);
    books_token_balance(b, token, 700);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 400);
}

// Of many in one batch, the lease of one.
static void one_lease_that_sql_forgot(void **state)
{
    enum { USERS = 30 };
    struct books *b = *state;
    int64_t users[USERS];
    for (int i = 0; i < USERS; i++) {
        users[i] = books_user(b, 5000);
        struct account *account = account_hold(ACCOUNT_USER, users[i]);
        assert_true(books_reserve(b, account, 400));
        account_release(account);
    }
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(db_exec(db, b->a, NULL, "UPDATE users SET quota = 5000 WHERE id = ?", P(users[7])));
    assert_fine(db_exec(db, b->a, NULL, "DELETE FROM leases WHERE owner_id = ?", P(users[7])));
    db_return(db);
    db = NULL;
    for (int i = 0; i < USERS; i++)
        books_settle(i, users[i], 0, 100 + i, 0);
    books_flush(b, USERS);
    int64_t used = books_int(
        b, arena_printf(b->a, "SELECT used_quota FROM users WHERE id = %lld", (long long)users[7]));
    int64_t left = books_int(
        b, arena_printf(b->a, "SELECT quota FROM users WHERE id = %lld", (long long)users[7]));
    assert_int_equal(used, 107);
    assert_int_equal(left, 5000 - 107);
    for (int i = 0; i < USERS; i++)
        if (i != 7)
            books_balance(b, users[i], 5000);
}

static void texts_no_column_takes(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5000);
    char *huge = mem_new(200001);
    memset(huge, 'a', 200000);
    for (int i = 0; i < 3; i++) // bytes 190 to 192: cut in front of it, model_name takes 191
        huge[189 + i] = "漢"[i];
    char *json = mem_strdup(huge);
    *json = '{';
    struct log_row row = {.request_id = "\xff\xfe of something",
                          .username = "half a \xe6\xbc", // of three bytes
                          .type = LOG_TYPE_CONSUME,
                          .user_id = user,
                          .model_name = huge,
                          .content = "fine",
                          .quota = 5};
    ledger_settle(&row, 0);
    row.model_name = arena_strndup(b->a, huge, 5000);
    row.other = json;
    row.request_id = "ok";
    ledger_settle(&row, 0);
    ledger_write_down();
    assert_true(ledger_flush(60000));
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 10);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM logs WHERE request_id = ''"), 1);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM logs WHERE content = 'fine'"), 2);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM logs WHERE other <> ''"), 0);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM logs WHERE username = 'half a '"), 2);
    assert_int_equal(books_int(b, "SELECT LENGTH(model_name) FROM logs WHERE request_id = 'ok'"),
                     189);
    free(huge);
    free(json);
}

// --- many at once ----------------------------------------------------------------------------

enum { THREADS = 64 };

struct spender {
    pthread_t thread;
    struct books *b;
    int64_t number, user, token, each, settled;
    int requests;
};

static void *spend(void *self)
{
    struct spender *s = self;
    struct account *account = account_hold(ACCOUNT_USER, s->user);
    struct account *limits = s->token ? account_hold(ACCOUNT_TOKEN, s->token) : NULL;
    ARENA(a);
    for (int i = 0; i < s->requests; i++) {
        int64_t got = 0;
        arena_reset(a);
        if (!account_reserve(account, s->each) && ledger_extend(a, account, s->each, false, &got))
            continue;
        if (limits && !account_reserve(limits, s->each) &&
            ledger_extend(a, limits, s->each, false, &got)) {
            account_give_back(account, s->each);
            continue;
        }
        books_settle(s->number * 1000 + i, s->user, s->token, s->each, s->token ? s->each : 0);
        s->settled += s->each;
    }
    account_release(account);
    account_release(limits);
    return NULL;
}

static int64_t spend_together(struct books *b, int64_t user, int64_t token, int64_t each,
                              int requests)
{
    static struct spender spenders[THREADS];
    int64_t settled = 0;
    for (int i = 0; i < THREADS; i++) {
        spenders[i] = (struct spender){.b = b,
                                       .number = i + 1,
                                       .user = user,
                                       .token = token,
                                       .each = each,
                                       .requests = requests};
        assert_int_equal(pthread_create(&spenders[i].thread, NULL, spend, &spenders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(spenders[i].thread, NULL);
        settled += spenders[i].settled;
    }
    return settled;
}

static void many_spend_little_exactly(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 5017);
    int64_t settled = spend_together(b, user, 0, 10, 20); // demand 12800
    assert_int_equal(settled, 5010);
    books_flush(b, 501);
    books_balance(b, user, 5017);
    assert_int_equal(books_int(b, "SELECT used_quota FROM users"), 5010);
}

static void many_spend_all_they_want(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 64 * 20 * 7);
    assert_int_equal(spend_together(b, user, 0, 7, 20), 64 * 20 * 7);
    books_flush(b, 64 * 20);
    books_balance(b, user, 64 * 20 * 7);
}

static void many_on_one_limited_token(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 1000000), token = books_token(b, user, 3003);
    assert_int_equal(spend_together(b, user, token, 5, 20), 3000);
    books_flush(b, 600);
    books_balance(b, user, 1000000);
    books_token_balance(b, token, 3003);
}

struct recaller {
    struct books *b;
    int64_t user;
    _Atomic bool stop;
};

static void *recall_for_ever(void *self)
{
    struct recaller *r = self;
    ARENA(a);
    while (!atomic_load(&r->stop)) {
        arena_reset(a);
        if (ledger_recall(a, ACCOUNT_USER, r->user))
            break;
    }
    return NULL;
}

static void recalls_refuse_nobody(void **state)
{
    struct books *b = *state;
    struct recaller r = {.b = b, .user = books_user(b, 64 * 10 * 7)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, recall_for_ever, &r), 0);
    assert_int_equal(spend_together(b, r.user, 0, 7, 10), 64 * 10 * 7);
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    books_flush(b, 640);
    books_balance(b, r.user, 64 * 10 * 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reserve_settle_give_back),
        TEST(one_account_per_balance),
        TEST(until_the_balance_is_empty),
        TEST(odd_amounts),
        TEST(partial_extension),
        TEST(limited_tokens),
        TEST(unlimited_tokens_count_only),
        TEST(errors_are_logged_and_not_counted),
        TEST(recall_during_use),
        TEST(top_up_ahead_of_need),
        TEST(three_quarters_are_left_for_others),
        TEST(idle_leases_return),
        TEST(users_deleted_meanwhile),
        TEST(stop_and_start_again),
        TEST(other_nodes_and_databases_are_refused),
        TEST(leases_that_sql_forgot),
        TEST(one_lease_that_sql_forgot),
        TEST(texts_no_column_takes),
        TEST(many_spend_little_exactly),
        TEST(many_spend_all_they_want),
        TEST(many_on_one_limited_token),
        TEST(recalls_refuse_nobody),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
