// Kill -9 at any moment, thirty times: what a client was told is in the books once, and they
// balance.
//
// A child settles at random from several threads. In front of each settling it reports the record
// ("about to"), behind it again ("told the client"). Of a record about to be settled when the child
// was killed nobody knows; every other one must be there or not be there.

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/rand.h"
#include "unit/service/books.h"
#include "unit/service/folder.h"

enum { ROUNDS = 30, THREADS = 6, USERS = 3, GRANTED = 40000000, TOKEN_GRANTED = 3000000 };
enum { RECORDS_MOST = 1 << 20 };

struct report {
    int64_t number, quota;
    int user;
    bool told, with_token;
};

struct spender {
    pthread_t thread;
    struct books *b;
    int64_t next, step; // record numbers: every thread has its own
    int pipe;
};

// What became of each record, by number.
static struct fate {
    int64_t quota;
    char begun, told, user, with_token;
} fates[RECORDS_MOST];
static int64_t users[USERS], token;

static bool reserve(struct arena *a, struct account *account, int64_t quota)
{
    int64_t got;
    return account_reserve(account, quota) || !ledger_extend(a, account, quota, false, &got);
}

static void report(const struct spender *s, struct report r)
{
    if (write(s->pipe, &r, sizeof(r)) != sizeof(r)) // small enough to be written whole
        _exit(1);
}

static void settle(struct spender *s, struct report r)
{
    report(s, r);
    books_settle(r.number, users[r.user], r.with_token ? token : 0, r.quota,
                 r.with_token ? r.quota : 0);
    r.told = true;
    report(s, r);
}

static void one_request(struct spender *s, struct arena *a, int user, bool with_token)
{
    int64_t asked = 1 + (int64_t)rand_below(900), used = (int64_t)rand_below((uint64_t)asked + 1);
    struct account *account = account_hold(ACCOUNT_USER, users[user]);
    struct account *limits = with_token ? account_hold(ACCOUNT_TOKEN, token) : NULL;
    bool pays = reserve(a, account, asked), may = !limits || reserve(a, limits, asked);
    if (pays && may) {
        s->next += s->step;
        settle(s, (struct report){s->next, used, user, false, with_token});
    }
    if (pays)
        account_give_back(account, pays && may ? asked - used : asked);
    if (limits && may)
        account_give_back(limits, pays && may ? asked - used : asked);
    if (rand_below(200) == 0)
        (void)!ledger_recall(a, ACCOUNT_USER, users[user]);
    account_release(account);
    account_release(limits);
}

static void *spend(void *self)
{
    struct spender *s = self;
    for (ARENA(a);; arena_reset(a))
        one_request(s, a, (int)rand_below(USERS), rand_below(3) == 0);
    return NULL;
}

// Never returns: killed, or done in by its own failure. It opens everything anew, as a restart
// does.
static void child(struct books *b, int64_t first, int pipe)
{
    static struct spender spenders[THREADS];
    b->a = arena_new();
    books_open(b);
    b->o.idle_ms = 1;
    b->o.chunk = 3000;
    workers_start(3);
    if (ledger_start(b->a, &b->o))
        _exit(3);
    for (int i = 0; i < THREADS; i++) {
        spenders[i] = (struct spender){.b = b, .next = first + i, .step = THREADS, .pipe = pipe};
        if (pthread_create(&spenders[i].thread, NULL, spend, &spenders[i]))
            _exit(4);
    }
    for (;;)
        pause();
}

static int64_t note(struct report r)
{
    assert_in_range(r.number, 0, RECORDS_MOST - 1);
    struct fate *f = &fates[r.number];
    f->begun = 1;
    f->told |= (char)r.told;
    f->quota = r.quota;
    f->user = (char)r.user;
    f->with_token = (char)r.with_token;
    return r.number;
}

// Reads what the child says; kills it after so many reports; the highest number it used.
static int64_t listen_and_kill(pid_t pid, int pipe, int64_t reports, int64_t last)
{
    struct report r;
    for (int64_t n = 0; read(pipe, &r, sizeof(r)) == sizeof(r); n++) {
        int64_t number = note(r);
        last = number > last ? number : last;
        if (n == reports)
            kill(pid, SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

static int64_t round_of(struct books *b, int64_t last)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        child(b, last + 1, ends[1]);
    }
    close(ends[1]);
    last = listen_and_kill(pid, ends[0], (int64_t)rand_below(1500), last);
    close(ends[0]);
    return last;
}

// The connection is back before anything is asserted: a failure must not hold it.
static struct rows read_logs(struct books *b)
{
    struct rows rows = {0};
    DB(db);
    assert_fine(db_lease(b->log_pool, b->a, &db));
    struct err *e = db_list(db, b->a, &log_table, &rows, "id > 0 ORDER BY id");
    return e ? (struct rows){0} : rows;
}

// Every record that a client was told of is there, with its amount; none that never began.
static int64_t check_records(struct books *b, int64_t used[USERS], int64_t *token_used)
{
    struct rows rows = read_logs(b);
    const struct log_row *logs = rows.items;
    for (size_t i = 0; i < rows.count; i++) {
        int64_t number = strtoll(logs[i].request_id + 1, NULL, 10);
        assert_in_range(number, 0, RECORDS_MOST - 1);
        struct fate *f = &fates[number];
        assert_int_equal(f->begun, 1); // 2: it is there twice
        f->begun = 2;
        f->told = 0;
        assert_int_equal(logs[i].quota, f->quota);
        assert_int_equal(logs[i].user_id, users[(int)f->user]);
        used[(int)f->user] += f->quota;
        *token_used += f->with_token ? f->quota : 0;
    }
    for (int64_t n = 0; n < RECORDS_MOST; n++)
        assert_int_equal(fates[n].told, 0); // 1: lost
    return (int64_t)rows.count;
}

static void check_books(struct books *b, int64_t last)
{
    int64_t used[USERS] = {0}, token_used = 0;
    books_start(b); // recovers
    assert_true(ledger_flush(60000));
    books_stop(b);
    books_rolled_up(b);
    int64_t count = check_records(b, used, &token_used);
    assert_true(count > ROUNDS && count <= last);
    for (int i = 0; i < USERS; i++) {
        books_balance(b, users[i], GRANTED);
        assert_int_equal(
            books_int(b, arena_printf(b->a, "SELECT used_quota FROM users WHERE id = %lld",
                                      (long long)users[i])),
            used[i]);
    }
    books_token_balance(b, token, TOKEN_GRANTED);
    assert_int_equal(books_int(b, "SELECT used_quota FROM tokens"), token_used);
    assert_int_equal(books_int(b, "SELECT COUNT(*) FROM leases"), 0);
    print_message("%lld records of %lld begun, after %d kills\n", (long long)count, (long long)last,
                  ROUNDS);
}

static void killed_at_any_moment(void **state)
{
    struct books *b = *state;
    int64_t last = 0;
    for (int round = 0; round < ROUNDS; round++) {
        // The connections of this process must not be open across the fork.
        books_close(b);
        last = round_of(b, last);
        books_open(b);
        for (int i = 0; i < USERS; i++)
            books_balance(b, users[i], GRANTED); // even before anybody recovers
    }
    check_books(b, last);
}

static int set_up(void **state)
{
    static struct books b;
    books_make(&b);
    for (int i = 0; i < USERS; i++)
        users[i] = books_user(&b, GRANTED);
    token = books_token(&b, users[0], TOKEN_GRANTED);
    *state = &b;
    return 0;
}

// The log in a database of its own: each of the two is killed at a moment of its own.
static int set_up_apart(void **state)
{
    assert_int_equal(set_up(state), 0);
    memset(fates, 0, sizeof(fates));
    books_set_apart(*state);
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
        cmocka_unit_test_setup_teardown(killed_at_any_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_moment, set_up_apart, tear_down),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
