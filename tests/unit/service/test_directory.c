// The directory: who may do what, remembered until it changes, and never longer.

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "model/token.h"
#include "model/user.h"
#include "service/change.h"
#include "service/directory.h"
#include "unit/service/books.h"

static int set_up(void **state)
{
    static struct books b;
    static bool once;
    if (!once)
        directory_setup();
    once = true;
    books_make(&b);
    books_start(&b);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct books *b = *state;
    for (int64_t id = 1; id < 10; id++) // no caller of one test is there in the next
        change_publish(CHANGE_USER, id);
    books_remove(b);
    return 0;
}

static void digest_of(const char *key, unsigned char out[SHA256_SIZE])
{
    hash_sha256(str_of(key), out);
}

static struct caller *find(const char *key)
{
    unsigned char digest[SHA256_SIZE];
    digest_of(key, digest);
    return directory_find(digest);
}

static struct caller *load(struct books *b, const char *key)
{
    unsigned char digest[SHA256_SIZE];
    struct caller *c = NULL;
    DB(db);
    digest_of(key, digest);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(directory_load(db, b->a, digest, &c));
    return c;
}

static struct token token_with_key(struct books *b, int64_t user, const char *key)
{
    return (struct token){.user_id = user,
                          .name = "name",
                          .key = key,
                          .key_digest = token_digest(b->a, key),
                          .status = STATUS_ON,
                          .expired_time = TOKEN_NEVER,
                          .unlimited_quota = true};
}

static void insert(struct books *b, struct token *t)
{
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(db_insert(db, b->a, &token_table, t));
}

static void loaded_once_found_ever_after(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 100);
    struct token t = token_with_key(b, user, "k1");
    t.unlimited_quota = false;
    t.remain_quota = 7;
    t.model_limits_enabled = true;
    t.model_limits = "gpt-5, claude,,";
    t.allow_ips = "10.0.0.0/8";
    t.group = "vip";
    insert(b, &t);
    assert_null(find("k1"));
    struct caller *c = load(b, "k1"), *again = find("k1");
    assert_ptr_equal(c, again);
    assert_false(c->unknown);
    assert_int_equal(c->token_id, t.id);
    assert_int_equal(c->user_id, user);
    assert_string_equal(c->token_name, "name");
    assert_string_equal(c->user_group, "default");
    assert_string_equal(c->group, "vip");
    assert_true(c->limited && c->token_account && c->user_account);
    assert_int_equal(c->expired_time, TOKEN_NEVER);
    assert_int_equal(c->addresses.count, 1);
    assert_true(caller_may_model(c, "gpt-5") && caller_may_model(c, "claude"));
    assert_false(caller_may_model(c, "gpt-5-mini") || caller_may_model(c, ""));
    directory_release(c);
    directory_release(again);
    directory_release(NULL);
}

static void without_limits(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    insert(b, &t);
    struct caller *c = load(b, "k1");
    assert_string_equal(c->group, "default");
    assert_null(c->token_account);
    assert_true(caller_may_model(c, "anything"));
    assert_int_equal(c->addresses.count, 0);
    directory_release(c);
}

// Whoever wrote nonsense into the list of addresses gets a key that works from nowhere.
static void unreadable_addresses_admit_nobody(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    t.allow_ips = "10.0.0.0/8\nlocalhost";
    insert(b, &t);
    struct caller *c = load(b, "k1");
    assert_int_not_equal(c->token_status, STATUS_ON);
    directory_release(c);
}

static void unknown_keys_are_remembered(void **state)
{
    struct books *b = *state;
    struct caller *c = load(b, "nobody"), *again;
    assert_true(c->unknown);
    assert_null(c->user_account);
    again = find("nobody");
    assert_ptr_equal(c, again);
    c->forget_ms = 0; // as if five seconds had passed
    assert_null(find("nobody"));
    directory_release(again);
    directory_release(c);
}

static void a_token_without_its_user_is_unknown(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, 4711, "k1");
    insert(b, &t);
    struct caller *c = load(b, "k1");
    assert_true(c->unknown);
    directory_release(c);
}

static void changes_are_seen_at_once(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    struct token other = token_with_key(b, books_user(b, 100), "k2");
    insert(b, &t);
    insert(b, &other);
    struct caller *c = load(b, "k1"), *kept = load(b, "k2"), *nobody = load(b, "k3");
    change_publish(CHANGE_TOKEN, t.id);
    assert_null(find("k1"));
    assert_null(find("k3")); // it may have been made just now
    struct caller *same = find("k2");
    assert_ptr_equal(same, kept);
    assert_string_equal(c->token_name, "name"); // whoever holds it reads on
    directory_release(same);
    change_publish(CHANGE_USER, other.user_id);
    assert_null(find("k2"));
    directory_release(c);
    directory_release(kept);
    directory_release(nobody);
}

enum { MANY = 600, USERS = 3 };

static int count_listed(const struct token *tokens, int64_t user, int64_t but)
{
    int listed = 0;
    for (int i = 0; i < MANY; i++) {
        struct caller *c = find(tokens[i].key);
        listed += c && tokens[i].user_id == user && tokens[i].id != but;
        if (c)
            assert_int_equal(c->token_id, tokens[i].id);
        directory_release(c);
    }
    return listed;
}

// In all shards, with others before and behind them.
static void a_change_forgets_whom_it_concerns(void **state)
{
    struct books *b = *state;
    static struct token tokens[MANY];
    int64_t users[USERS];
    for (int i = 0; i < USERS; i++)
        users[i] = books_user(b, 100);
    for (int i = 0; i < MANY; i++) {
        tokens[i] = token_with_key(b, users[i % USERS], arena_printf(b->a, "many%d", i));
        insert(b, &tokens[i]);
        directory_release(load(b, tokens[i].key));
    }
    int64_t one = tokens[MANY / 2].id, his = tokens[MANY / 2].user_id;
    change_publish(CHANGE_TOKEN, one);
    assert_null(find(tokens[MANY / 2].key));
    for (int i = 0; i < USERS; i++)
        assert_int_equal(count_listed(tokens, users[i], one), MANY / USERS - (users[i] == his));
    change_publish(CHANGE_USER, users[1]);
    assert_int_equal(count_listed(tokens, users[0], one), MANY / USERS - (users[0] == his));
    assert_int_equal(count_listed(tokens, users[1], one), 0);
    assert_int_equal(count_listed(tokens, users[2], one), MANY / USERS - (users[2] == his));
    for (int i = 0; i < MANY; i++) // again, in front of those that stayed
        directory_release(load(b, tokens[i].key));
    change_publish(CHANGE_USER, users[0]);
    assert_int_equal(count_listed(tokens, users[0], 0), 0);
    assert_int_equal(count_listed(tokens, users[1], 0), MANY / USERS);
    assert_int_equal(count_listed(tokens, users[2], 0), MANY / USERS);
}

static void the_same_key_loaded_twice(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    insert(b, &t);
    struct caller *first = load(b, "k1"), *second = load(b, "k1"), *found = find("k1");
    assert_ptr_equal(found, second);
    directory_release(first);
    directory_release(second);
    directory_release(found);
}

static void a_failing_database_is_no_answer(void **state)
{
    struct books *b = *state;
    unsigned char digest[SHA256_SIZE];
    struct caller *c = NULL;
    books_exec(b, "ALTER TABLE tokens RENAME TO gone");
    digest_of("k1", digest);
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_err(db_failed, directory_load(db, b->a, digest, &c));
    assert_null(c);
    assert_null(find("k1"));
}

static bool nothing_leased(struct books *b)
{
    for (int i = 0; i < 12000; i++) {
        if (books_int(b, "SELECT quota FROM users") == 5000)
            return true;
        usleep(5000);
    }
    return false;
}

// What a caller held goes back to the ledger with it.
static void accounts_are_released(void **state)
{
    struct books *b = *state;
    books_stop(b);
    b->o.idle_ms = 50;
    books_start(b);
    struct token t = token_with_key(b, books_user(b, 5000), "k1");
    t.unlimited_quota = false;
    insert(b, &t);
    struct caller *c = load(b, "k1");
    int64_t got;
    assert_fine(ledger_extend(b->a, c->user_account, 10, false, &got));
    account_give_back(c->user_account, got);
    struct account *seen = account_hold(ACCOUNT_USER, c->user_id);
    assert_int_equal(seen->refs, 2);
    directory_release(c);
    assert_int_equal(seen->refs, 2); // listed
    change_publish(CHANGE_TOKEN, t.id);
    assert_int_equal(seen->refs, 1);
    account_release(seen);
    assert_true(nothing_leased(b));
}

static void try_random_keys(struct books *b)
{
    ARENA(a);
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    for (int i = 0; i < 40000; i++) {
        unsigned char digest[SHA256_SIZE] = {0, (unsigned char)i, (unsigned char)(i >> 8)};
        struct caller *c;
        arena_reset(a);
        assert_fine(directory_load(db, a, digest, &c));
        directory_release(c);
    }
}

// Random keys, by the thousand, evict nobody who is known.
static void floods_of_unknown_keys(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    insert(b, &t);
    directory_release(load(b, "k1"));
    int listed = 0;
    try_random_keys(b);
    for (int i = 0; i < 40000; i++) {
        unsigned char digest[SHA256_SIZE] = {0, (unsigned char)i, (unsigned char)(i >> 8)};
        struct caller *c = directory_find(digest);
        listed += c != NULL;
        directory_release(c);
    }
    assert_in_range(listed, 1, 256);
    struct caller *c = find("k1");
    assert_non_null(c);
    directory_release(c);
}

enum { ALIKE = 4200 };

static void capacity_is_bounded(void **state)
{
    struct books *b = *state;
    int64_t user = books_user(b, 100);
    int listed = 0;
    DB(db);
    ARENA(a);
    assert_fine(db_lease(b->pool, b->a, &db));
    TX tx = tx_begin(db, b->a);
    assert_fine(tx.failed);
    for (int i = 0; i < ALIKE; i++) { // all in one shard
        unsigned char digest[SHA256_SIZE] = {64, (unsigned char)i, (unsigned char)(i >> 8)};
        struct token t = {
            .user_id = user, .name = "n", .key_digest = hash_hex(a, digest, SHA256_SIZE)};
        assert_fine(db_insert(db, a, &token_table, &t));
        arena_reset(a);
    }
    assert_fine(tx_commit(&tx, b->a));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ALIKE; i++) {
            unsigned char digest[SHA256_SIZE] = {64, (unsigned char)i, (unsigned char)(i >> 8)};
            struct caller *c = directory_find(digest);
            listed += c && round;
            if (!c && !round)
                assert_fine(directory_load(db, a, digest, &c));
            directory_release(c);
            arena_reset(a);
        }
    }
    assert_in_range(listed, 4000, 4096);
}

// --- races (the sanitizers judge) ------------------------------------------------------------

enum { RACERS = 4, KEYS = 6, ROUNDS = 400 };

struct racer {
    pthread_t thread;
    struct books *b;
    int number;
    _Atomic bool *stop;
};

static void *look_and_load(void *self)
{
    struct racer *r = self;
    ARENA(a);
    for (int i = 0; i < ROUNDS; i++) {
        char key[16];
        unsigned char digest[SHA256_SIZE];
        snprintf(key, sizeof(key), "k%d", (i * 7 + r->number) % KEYS);
        digest_of(key, digest);
        struct caller *c = directory_find(digest);
        arena_reset(a);
        DB(db);
        if (!c && (db_lease(r->b->pool, a, &db) || directory_load(db, a, digest, &c)))
            continue;
        if (!c->unknown && account_reserve(c->user_account, 0) &&
            strcmp(c->token_name, "name") != 0)
            abort();
        directory_release(c);
    }
    return NULL;
}

static void *change_for_ever(void *self)
{
    struct racer *r = self;
    for (int64_t id = 1; !atomic_load(r->stop); id = id % KEYS + 1) {
        change_publish(id % 2 ? CHANGE_TOKEN : CHANGE_USER, id);
        usleep(200);
    }
    return NULL;
}

static void finding_loading_and_forgetting(void **state)
{
    struct books *b = *state;
    _Atomic bool stop = false;
    struct racer racers[RACERS + 1];
    for (int i = 0; i < KEYS - 1; i++) { // the last one is unknown
        struct token t = token_with_key(b, books_user(b, 100), arena_printf(b->a, "k%d", i));
        insert(b, &t);
    }
    for (int i = 0; i <= RACERS; i++) {
        racers[i] = (struct racer){.b = b, .number = i, .stop = &stop};
        assert_int_equal(pthread_create(&racers[i].thread, NULL,
                                        i < RACERS ? look_and_load : change_for_ever, &racers[i]),
                         0);
    }
    for (int i = 0; i <= RACERS; i++) {
        if (i == RACERS)
            atomic_store(&stop, true);
        pthread_join(racers[i].thread, NULL);
    }
}

// A load that began before a change must not be kept after it.
static void stale_loads_are_not_kept(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    insert(b, &t);
    for (int i = 0; i < 300; i++) {
        struct racer r = {.b = b, .number = i};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, look_and_load, &r), 0);
        books_exec(b, arena_printf(b->a, "UPDATE tokens SET expired_time = %d", i));
        change_publish(CHANGE_TOKEN, t.id);
        struct caller *c = find("k1");
        if (!c)
            c = load(b, "k1");
        assert_int_equal(c->expired_time, i);
        directory_release(c);
        pthread_join(thread, NULL);
        c = find("k1");
        assert_true(!c || c->expired_time == i);
        directory_release(c);
        i += 15;
    }
}

// The change comes between reading the token and reading its user, every time.
static _Atomic int64_t change_in_the_middle;

static int on_statement(unsigned why, void *unused, void *statement, void *sql)
{
    (void)why;
    (void)unused;
    (void)sql;
    const char *text = sqlite3_sql(statement);
    int64_t id = text && strstr(text, "\"users\"") ? atomic_exchange(&change_in_the_middle, 0) : 0;
    if (id)
        change_publish(CHANGE_TOKEN, id);
    return 0;
}

static int trace(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

static int set_up_traced(void **state)
{
    sqlite3_auto_extension((void (*)(void))trace);
    return set_up(state);
}

static int tear_down_traced(void **state)
{
    sqlite3_cancel_auto_extension((void (*)(void))trace);
    return tear_down(state);
}

static void a_change_during_a_load(void **state)
{
    struct books *b = *state;
    struct token t = token_with_key(b, books_user(b, 100), "k1");
    insert(b, &t);
    atomic_store(&change_in_the_middle, t.id);
    struct caller *c = load(b, "k1");
    assert_int_equal(atomic_load(&change_in_the_middle), 0); // it did come
    assert_false(c->unknown);
    assert_null(find("k1")); // good for this once
    directory_release(c);
    c = load(b, "k1");
    struct caller *kept = find("k1");
    assert_ptr_equal(kept, c);
    directory_release(kept);
    directory_release(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loaded_once_found_ever_after),
        TEST(without_limits),
        TEST(unreadable_addresses_admit_nobody),
        TEST(unknown_keys_are_remembered),
        TEST(a_token_without_its_user_is_unknown),
        TEST(changes_are_seen_at_once),
        TEST(a_change_forgets_whom_it_concerns),
        TEST(the_same_key_loaded_twice),
        TEST(a_failing_database_is_no_answer),
        TEST(accounts_are_released),
        TEST(floods_of_unknown_keys),
        TEST(capacity_is_bounded),
        TEST(finding_loading_and_forgetting),
        TEST(stale_loads_are_not_kept),
        cmocka_unit_test_setup_teardown(a_change_during_a_load, set_up_traced, tear_down_traced),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
