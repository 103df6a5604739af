// What only database servers do: connections that end, deadlocks, limits, TLS, types of their own.
// Needs TF_TEST_DSN (bun tests/support/databases.ts start); TF_TEST_CERTS is that script's folder.

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "common/db/dsn.h"
#include "unit/common/db/fixture.h"

static bool postgres;

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

// The text for the database that the tests run on.
static const char *either(const char *for_postgres, const char *for_mysql)
{
    return postgres ? for_postgres : for_mysql;
}

static int64_t ask(struct fixture *x, struct db *db, const char *sql)
{
    int64_t n = -1;
    assert_fine(db_int(db, x->a, &n, sql));
    return n;
}

static struct db *another(struct fixture *x)
{
    struct db *db;
    assert_fine(db_connect(db_driver_of(x->dsn), x->a, x->dsn, &db));
    return db;
}

static int64_t id_of(struct fixture *x, struct db *db)
{
    return ask(x, db, either("SELECT pg_backend_pid()", "SELECT CONNECTION_ID()"));
}

static void end_connection(struct fixture *x, int64_t id)
{
    struct db *killer = another(x);
    const char *sql = either("SELECT pg_terminate_backend(", "KILL (");
    assert_fine(db_command(killer, x->a, arena_printf(x->a, "%s%lld)", sql, (long long)id)));
    db_disconnect(killer);
    usleep(50 * 1000);
}

static void add(struct fixture *x, struct db *db, int64_t user_id, const char *name)
{
    struct item item = fixture_item(user_id, name);
    assert_fine(db_insert(db, x->a, &item_table, &item));
}

// --- values -------------------------------------------------------------------------

static void texts_keep_every_byte(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "back\\slash 'q' \"d\" %_ \n\t \xf0\x9f\x98\x80 "), out;
    size_t n = 3 << 20;
    char *big = arena_raw(x->a, n + 1);
    memset(big, 'x', n);
    big[n] = '\0';
    in.secret = big;
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "[name] = ?", P(in.name)));
    assert_string_equal(out.name, in.name);
    assert_string_equal(out.secret, big);
}

static void texts_are_compared_byte_by_byte(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = {"a", "A", "a ", "\xc3\xa4", "\xc3\x84"};
    for (size_t i = 0; i < 5; i++)
        add(x, x->db, 1, names[i]); // unique together with the user
    struct rows rows;
    assert_fine(db_list(x->db, x->a, &item_table, &rows, "[name] = ?", P("a")));
    assert_int_equal(rows.count, 1);
    assert_int_equal(ask(x, x->db, "SELECT COUNT(DISTINCT [name]) FROM items"), 5);
}

static void texts_that_are_none(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "bad \xff utf-8");
    struct err *e = db_insert(x->db, x->a, &item_table, &in);
    assert_err(db_failed, e);
    in.name = "a name that is much longer than the sixty-four characters which the column takes";
    e = db_insert(x->db, x->a, &item_table, &in);
    if (e || !postgres) // PostgreSQL's column has no limit
        assert_err(db_failed, e);
}

static void numbers_of_every_kind(void **state)
{
    struct fixture *x = *state;
    add(x, x->db, 1, "a");
    add(x, x->db, 2, "b");
    assert_int_equal(ask(x, x->db, "SELECT SUM(user_id) FROM items"), 3);
    assert_int_equal(ask(x, x->db, "SELECT SUM(level) FROM items"), 4);
    assert_int_equal(ask(x, x->db, "SELECT AVG(level) FROM items"), 2); // 2.0000
    assert_int_equal(ask(x, x->db, "SELECT [on] FROM items WHERE user_id = 1"), 1);
    assert_int_equal(ask(x, x->db, "SELECT 1 = 1"), 1);
    int64_t n;
    assert_err(db_failed, db_int(x->db, x->a, &n, "SELECT AVG(user_id) FROM items")); // 1.5
    assert_err(db_failed, db_int(x->db, x->a, &n, "SELECT 1.5"));
    assert_fine(db_int(x->db, x->a, &n, "SELECT ? + 1", P(INT64_MAX - 1)));
    assert_true(n == INT64_MAX);
}

// The same text with values of other types.
static void types_of_values_may_change(void **state)
{
    struct fixture *x = *state;
    add(x, x->db, 1, "a");
    struct rows rows;
    for (int i = 0; i < 3; i++) {
        assert_fine(db_list(x->db, x->a, &item_table, &rows, "ratio >= ?", P(1)));
        assert_int_equal(rows.count, 1);
        assert_fine(db_list(x->db, x->a, &item_table, &rows, "ratio >= ?", P(1.26)));
        assert_int_equal(rows.count, 0);
    }
}

static void backslashes_in_defaults(void **state)
{
    struct fixture *x = *state;
    struct named {
        int64_t id;
        const char *path, *note;
    };
    static const struct field fields[] = {
        FIELD(struct named, id, .flags = KEY),
        FIELD(struct named, path, .max = 32, .def = "c:\\new\\'x'"),
        FIELD(struct named, note, .def = "\\n"),
        {0},
    };
    static const struct table table = TABLE("named", struct named, fields);
    const struct table *const tables[] = {&table, NULL};
    struct named out;
    assert_fine(db_migrate(x->db, x->a, tables, NULL));
    assert_fine(db_exec(x->db, x->a, NULL, "INSERT INTO named (id) VALUES (?)", P(7)));
    assert_fine(db_find(x->db, x->a, &table, &out, "id = ?", P(7)));
    assert_string_equal(out.path, "c:\\new\\'x'");
    assert_string_equal(out.note, "\\n");
}

// --- errors -------------------------------------------------------------------------

static void connections_are_set_up(void **state)
{
    struct fixture *x = *state;
    static const char *const in_postgres[] = {
        "SELECT current_setting('statement_timeout') = '15s'",
        "SELECT current_setting('lock_timeout') = '5s'",
        "SELECT current_setting('idle_in_transaction_session_timeout') = '30s'",
        "SELECT current_setting('TimeZone') = 'UTC'",
        "SELECT current_setting('client_encoding') = 'UTF8'",
        "SELECT current_setting('application_name') = 'token-factory'",
    };
    static const char *const in_mysql[] = {
        "SELECT @@max_statement_time = 15",          "SELECT @@innodb_lock_wait_timeout = 5",
        "SELECT @@idle_transaction_timeout = 30",    "SELECT @@time_zone = '+00:00'",
        "SELECT @@character_set_client = 'utf8mb4'", "SELECT @@tx_isolation = 'READ-COMMITTED'",
    };
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(ask(x, x->db, either(in_postgres[i], in_mysql[i])), 1);
}

static void statements_end_in_time(void **state)
{
    struct fixture *x = *state;
    int64_t n;
    assert_fine(db_command(
        x->db, x->a, either("SET statement_timeout = '200ms'", "SET max_statement_time = 0.2")));
    int64_t began = clock_steady_ms();
    struct err *e = db_int(x->db, x->a, &n,
                           either("SELECT COUNT(*) FROM generate_series(1, 1000000000)",
                                  "SELECT SUM(a.seq + b.seq) FROM seq_1_to_100000 a JOIN "
                                  "seq_1_to_100000 b"));
    assert_err(db_busy, e);
    assert_true(clock_steady_ms() - began < 5000);
    assert_false(x->db->broken);
    assert_int_equal(ask(x, x->db, "SELECT 1"), 1);
}

static void rows_of_others_are_waited_for(void **state)
{
    struct fixture *x = *state;
    struct db *other = another(x);
    struct item out;
    add(x, x->db, 1, "a");
    {
        TX tx = tx_begin(x->db, x->a);
        assert_fine(tx.failed);
        assert_fine(db_lock(x->db, x->a, &item_table, &out, "user_id = ?", P(1)));
        int64_t began = clock_steady_ms();
        assert_err(db_busy, db_exec(other, x->a, NULL, "UPDATE items SET level = 9"));
        int64_t took = clock_steady_ms() - began;
        assert_true(took >= 4000 && took < 12000);
        assert_int_equal(ask(x, other, "SELECT level FROM items"), 2); // readers do not wait
    }
    assert_fine(db_exec(other, x->a, NULL, "UPDATE items SET level = 9"));
    db_disconnect(other);
}

static void alone_is_alone(void **state)
{
    struct fixture *x = *state;
    struct db *other = another(x);
    TX tx = tx_begin(x->db, x->a), second = tx_begin(other, x->a);
    assert_fine(tx.failed);
    assert_fine(second.failed);
    assert_fine(db_alone(x->db, x->a));
    assert_err(db_busy, db_alone(other, x->a));
    tx_end(&second);
    db_disconnect(other);
}

struct crossing {
    struct fixture *x;
    struct arena *a;
    struct db *db;
    int64_t first, then;
    int tries;
    struct err *failed;
    pthread_t thread;
    pthread_barrier_t *met;
};

// Both hold one row and want the other's: only on the first try, when they have waited for that.
static struct err *cross(struct db *db, struct arena *a, void *arg)
{
    struct crossing *c = arg;
    static const char sql[] = "UPDATE items SET level = level + 1 WHERE user_id = ?";
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_exec(db, a, NULL, sql, P(c->first)));
    if (c->tries++ == 0)
        pthread_barrier_wait(c->met);
    TRY(db_exec(db, a, NULL, sql, P(c->then)));
    return tx_commit(&tx, a);
}

static void *cross_on_thread(void *arg)
{
    struct crossing *c = arg;
    c->failed = db_retry(c->db, c->a, cross, c);
    return NULL;
}

static void deadlocks_are_tried_again(void **state)
{
    struct fixture *x = *state;
    pthread_barrier_t met;
    struct crossing c[2] = {{.first = 1, .then = 2}, {.first = 2, .then = 1}};
    add(x, x->db, 1, "a");
    add(x, x->db, 2, "b");
    pthread_barrier_init(&met, NULL, 2);
    for (int i = 0; i < 2; i++) {
        c[i].met = &met;
        c[i].a = arena_new();
        c[i].db = another(x);
        assert_int_equal(pthread_create(&c[i].thread, NULL, cross_on_thread, &c[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(c[i].thread, NULL);
        assert_fine(c[i].failed);
        db_disconnect(c[i].db);
        arena_free(c[i].a);
    }
    pthread_barrier_destroy(&met);
    assert_int_equal(c[0].tries + c[1].tries, 3); // one of them twice
    assert_int_equal(ask(x, x->db, "SELECT SUM(level) FROM items"), 8);
}

struct each_on_thread {
    struct arena *a;
    struct db *db;
    struct err *failed;
};

static void *update_both(void *arg)
{
    struct each_on_thread *t = arg;
    int64_t changed;
    struct db_each each = {"items", "id", {{"level", "level + ?"}}, .shared = true};
    TX tx = tx_begin(t->db, t->a);
    t->failed =
        db_update_each(t->db, t->a, &changed, &each, (int64_t[]){1, 10, 2, 10, 3, 10, 4, 10}, 4);
    if (!t->failed)
        t->failed = tx_commit(&tx, t->a);
    return NULL;
}

// Where the rows lie in another order than that of their keys.
static void many_rows_are_locked_in_order(void **state)
{
    struct fixture *x = *state;
    pthread_t thread;
    struct each_on_thread t = {.a = arena_new(), .db = another(x)};
    for (int i = 1; i <= 4; i++)
        add(x, x->db, i, "a");
    for (int i = 4; i >= 1; i--)
        assert_fine(db_exec(x->db, x->a, NULL, "UPDATE items SET level = 0 WHERE id = ?", P(i)));
    if (postgres) // as it would choose by itself for larger parts of a table
        assert_fine(
            db_command(t.db, x->a, "SET enable_indexscan = off; SET enable_bitmapscan = off"));
    TX tx = tx_begin(x->db, x->a);
    assert_fine(db_exec(x->db, x->a, NULL, "UPDATE items SET level = 1 WHERE id = 1"));
    assert_int_equal(pthread_create(&thread, NULL, update_both, &t), 0);
    usleep(300 * 1000); // it waits for the first row, and has none of the others
    struct err *e = db_exec(x->db, x->a, NULL, "UPDATE items SET level = 1 WHERE id = 4");
    struct err *end = tx_commit(&tx, x->a);
    pthread_join(thread, NULL);
    assert_fine(e);
    assert_fine(end);
    assert_fine(t.failed);
    db_disconnect(t.db);
    arena_free(t.a);
    assert_int_equal(ask(x, x->db, "SELECT SUM(level) FROM items"), 42);
}

// --- connections that end -------------------------------------------------------------

static void lost_connections_are_replaced(void **state)
{
    struct fixture *x = *state;
    int64_t n;
    end_connection(x, id_of(x, x->db));
    assert_err(db_unavailable, db_int(x->db, x->a, &n, "SELECT 1"));
    assert_true(x->db->broken);
    assert_err(db_unavailable, db_int(x->db, x->a, &n, "SELECT 1")); // nothing connects by itself
    db_return(x->db);
    assert_fine(db_lease(x->pool, x->a, &x->db));
    assert_int_equal(ask(x, x->db, "SELECT 1"), 1);
}

static void lost_while_idle(void **state)
{
    struct fixture *x = *state;
    int64_t id = id_of(x, x->db);
    db_return(x->db);
    end_connection(x, id);
    assert_fine(db_lease(x->pool, x->a, &x->db)); // noticed before anybody is hurt
    assert_int_equal(ask(x, x->db, "SELECT 1"), 1);
    assert_true(id_of(x, x->db) != id);
}

static void lost_inside_a_transaction(void **state)
{
    struct fixture *x = *state;
    {
        TX tx = tx_begin(x->db, x->a);
        assert_fine(tx.failed);
        add(x, x->db, 1, "a");
        end_connection(x, id_of(x, x->db));
        struct item item = fixture_item(2, "b");
        assert_err(db_unavailable, db_insert(x->db, x->a, &item_table, &item));
        assert_err(db_failed, db_insert(x->db, x->a, &item_table, &item));
        assert_err(db_failed, tx_commit(&tx, x->a));
    }
    db_return(x->db);
    assert_fine(db_lease(x->pool, x->a, &x->db));
    assert_int_equal(ask(x, x->db, "SELECT COUNT(*) FROM items"), 0);
}

// The answer to a COMMIT is lost: in doubt, and said to be.
static void lost_at_commit(void **state)
{
    struct fixture *x = *state;
    TX tx = tx_begin(x->db, x->a);
    assert_fine(tx.failed);
    add(x, x->db, 1, "a");
    end_connection(x, id_of(x, x->db));
    assert_err(db_unavailable, tx_commit(&tx, x->a));
}

static void statements_are_given_back(void **state)
{
    struct fixture *x = *state;
    for (int i = 0; i < STATEMENTS_MAX + 100; i++)
        assert_int_equal(ask(x, x->db, arena_printf(x->a, "SELECT %d", i)), i);
    int64_t kept = ask(x, x->db,
                       either("SELECT COUNT(*) FROM pg_prepared_statements",
                              "SELECT SUM(CASE variable_name WHEN 'Com_stmt_prepare' THEN "
                              "CAST(variable_value AS SIGNED) ELSE -CAST(variable_value AS SIGNED) "
                              "END) FROM information_schema.session_status WHERE variable_name "
                              "IN ('Com_stmt_prepare', 'Com_stmt_close')"));
    assert_true(kept >= STATEMENTS_MAX - 1 && kept <= STATEMENTS_MAX + 1);
}

// A column's type changes under a statement that is kept (a newer node has migrated).
static void plans_that_no_longer_fit(void **state)
{
    struct fixture *x = *state;
    struct item out;
    add(x, x->db, 1, "a");
    assert_fine(db_find(x->db, x->a, &item_table, &out, "user_id = ?", P(1)));
    assert_fine(db_exec(x->db, x->a, NULL,
                        either("ALTER TABLE items ALTER COLUMN level TYPE BIGINT",
                               "ALTER TABLE items MODIFY COLUMN level BIGINT NOT NULL")));
    struct err *e = db_find(x->db, x->a, &item_table, &out, "user_id = ?", P(1));
    if (e)
        assert_err(db_unavailable, e);
    db_return(x->db);
    assert_fine(db_lease(x->pool, x->a, &x->db));
    assert_fine(db_find(x->db, x->a, &item_table, &out, "user_id = ?", P(1)));
    assert_int_equal(out.level, 2);
}

// --- opening ------------------------------------------------------------------------

static void assert_closed(struct fixture *x, const char *dsn)
{
    struct db_pool *pool;
    int64_t began = clock_steady_ms();
    struct err *e = db_pool_open(x->a, dsn, 1, &pool);
    assert_err(db_unavailable, e);
    assert_null(pool);
    assert_null(strstr(e->detail, "s3cret"));
    assert_true(clock_steady_ms() - began < 10000);
}

static void opening_fails(void **state)
{
    struct fixture *x = *state;
    const char *scheme = either("postgres", "mysql"), *at = strrchr(x->dsn, '@') + 1;
    const char *rest = arena_strndup(x->a, at, strcspn(at, "?"));
    assert_closed(x, arena_printf(x->a, "%s://tf:s3cret@%s", scheme, rest));
    assert_closed(x, arena_printf(x->a, "%s://nobody:s3cret@%s", scheme, rest));
    assert_closed(x, arena_printf(x->a, "%s://tf:s3cret@127.0.0.1:1/x", scheme));
    assert_closed(x, arena_printf(x->a, "%s://tf:s3cret@%s?nonsense=1", scheme, rest));
    assert_closed(x, arena_printf(x->a, "%s://tf:s3cret%%zz@%s", scheme, rest));
    assert_closed(x, arena_printf(x->a, "%s://tf:s3cret@[%s", scheme, rest));
    assert_closed(x,
                  arena_printf(x->a, "%s?%s", x->dsn, either("sslmode=s3cret", "ssl-mode=s3cret")));
}

// Somebody listens, and never says a word.
static void mute_servers(void **state)
{
    struct fixture *x = *state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8) ||
        getsockname(fd, (struct sockaddr *)&at, &size))
        fail_msg("nobody can listen: %s", strerror(errno));
    assert_closed(x, arena_printf(x->a, "%s://tf:s3cret@127.0.0.1:%d/x",
                                  either("postgres", "mysql"), ntohs(at.sin_port)));
    close(fd);
}

// Between us and the server: what it is given it passes on, until it is told to keep still.
struct middle {
    struct sockaddr_in at, server;
    int listener;
    pthread_t thread;
    atomic_bool mute, ends;
};

enum { PAIRS_MOST = 16 };

static void pass_on(int from, int to)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof(bytes));
    if (n <= 0 || write(to, bytes, (size_t)n) != n)
        shutdown(to, SHUT_RDWR);
}

static int reach(const struct middle *m)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&m->server, sizeof(m->server)))
        abort();
    return fd;
}

static void *stand_between(void *arg)
{
    struct middle *m = arg;
    struct pollfd ends[1 + 2 * PAIRS_MOST] = {{.fd = m->listener, .events = POLLIN}};
    nfds_t count = 1;
    while (!atomic_load(&m->ends)) {
        if (atomic_load(&m->mute) || poll(ends, count, 20) <= 0) {
            usleep(5000);
            continue;
        }
        for (nfds_t i = 1; i < count; i++)
            if (ends[i].revents)
                pass_on(ends[i].fd, ends[i % 2 ? i + 1 : i - 1].fd);
        if (ends[0].revents && count < 1 + 2 * PAIRS_MOST) {
            ends[count++] =
                (struct pollfd){.fd = accept(m->listener, NULL, NULL), .events = POLLIN};
            ends[count++] = (struct pollfd){.fd = reach(m), .events = POLLIN};
        }
    }
    while (count > 0)
        close(ends[--count].fd);
    return NULL;
}

static const char *begin_between(struct fixture *x, struct middle *m)
{
    const char *at = strrchr(x->dsn, '@'), *port = strchr(at, ':') + 1;
    socklen_t size = sizeof(m->at);
    m->server = m->at =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    m->server.sin_port = htons((uint16_t)strtol(port, NULL, 10));
    m->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (m->listener < 0 || bind(m->listener, (struct sockaddr *)&m->at, size) ||
        listen(m->listener, 64) || getsockname(m->listener, (struct sockaddr *)&m->at, &size) ||
        pthread_create(&m->thread, NULL, stand_between, m))
        fail_msg("nobody can stand between: %s", strerror(errno));
    return arena_printf(x->a, "%.*s%d%s", (int)(port - x->dsn), x->dsn, ntohs(m->at.sin_port),
                        port + strspn(port, "0123456789"));
}

static void *wait_for_it(void *pool)
{
    ARENA(a);
    struct db *db;
    assert_err(db_unavailable, db_lease(pool, a, &db));
    return NULL;
}

// A server that falls silent: one finds out, and the others need not wait for it as well.
static void silence_is_found_out_once(void **state)
{
    struct fixture *x = *state;
    struct middle m = {0};
    struct db_pool *pool;
    struct db *db[4];
    pthread_t first, second;
    assert_fine(db_pool_open(x->a, begin_between(x, &m), 6, &pool));
    for (int i = 0; i < 4; i++)
        assert_fine(db_lease(pool, x->a, &db[i]));
    atomic_store(&m.mute, true);
    usleep(50 * 1000);
    db[0]->broken = true; // as after a statement that nobody answered
    for (int i = 4; i-- > 0;)
        db_return(db[i]);
    int64_t began = clock_steady_ms();
    assert_int_equal(pthread_create(&first, NULL, wait_for_it, pool), 0);
    pthread_join(first, NULL);
    assert_in_range(clock_steady_ms() - began, 2000, 9000);
    usleep(400 * 1000); // time to try again
    assert_int_equal(pthread_create(&second, NULL, wait_for_it, pool), 0);
    usleep(50 * 1000);
    began = clock_steady_ms();
    for (int i = 0; i < 20; i++)
        assert_err(db_unavailable, db_lease(pool, x->a, &db[0]));
    assert_true(clock_steady_ms() - began < 500);
    pthread_join(second, NULL);
    atomic_store(&m.mute, false);
    usleep(400 * 1000);
    assert_fine(db_lease(pool, x->a, &db[0]));
    ask(x, db[0], "SELECT 1");
    db_return(db[0]);
    db_pool_close(pool);
    atomic_store(&m.ends, true);
    pthread_join(m.thread, NULL);
}

static const char *with_options(struct fixture *x, const char *host, const char *options)
{
    const char *at = strrchr(x->dsn, '@'), *port = strchr(at, ':');
    return arena_printf(x->a, "%.*s@%s%.*s?%s", (int)(at - x->dsn), x->dsn, host,
                        (int)strcspn(port, "?"), port, options);
}

static bool is_encrypted(struct fixture *x, const char *dsn)
{
    struct db *db;
    assert_fine(db_connect(x->db->driver, x->a, dsn, &db));
    int64_t n = ask(x, db,
                    either("SELECT CAST(ssl AS INTEGER) FROM pg_stat_ssl WHERE pid = "
                           "pg_backend_pid()",
                           "SELECT COUNT(*) FROM information_schema.session_status WHERE "
                           "variable_name = 'Ssl_cipher' AND variable_value <> ''"));
    db_disconnect(db);
    return n;
}

static void encryption(void **state)
{
    struct fixture *x = *state;
    const char *certs = getenv("TF_TEST_CERTS");
    assert_non_null(certs);
    const char *verified = either("sslmode=verify-full&sslrootcert=", "ssl-ca=");
    const char *options = arena_printf(x->a, "%s%s/ca.pem", verified, certs);
    assert_true(is_encrypted(x, with_options(x, "localhost", options)));
    assert_true(is_encrypted(
        x, with_options(x, "127.0.0.1", either("sslmode=require", "ssl-mode=REQUIRED"))));
    assert_false(is_encrypted(
        x, with_options(x, "127.0.0.1", either("sslmode=disable", "ssl-mode=DISABLED"))));
    assert_true(is_encrypted(
        x, with_options(x, "127.0.0.1", either("sslmode=prefer", "ssl-mode=PREFERRED"))));
    const char *other = arena_printf(x->a, "%s%s/other-ca.pem", verified, certs);
    assert_closed(x, with_options(x, "localhost", other));
    // Not a name in the certificate.
    assert_true(is_encrypted(
        x, with_options(x, "127.0.0.2", either("sslmode=require", "ssl-mode=REQUIRED"))));
    assert_closed(x, with_options(x, "127.0.0.2", options));
    const char *authority = either("sslmode=verify-ca&sslrootcert=", "ssl-mode=VERIFY_CA&ssl-ca=");
    const char *chain =
        with_options(x, "127.0.0.2", arena_printf(x->a, "%s%s/ca.pem", authority, certs));
    if (postgres)
        assert_true(is_encrypted(x, chain));
    else
        assert_closed(x, chain);
}

static void the_ancestors_form(void **state)
{
    struct fixture *x = *state;
    struct dsn dsn;
    struct db *db;
    assert_fine(dsn_parse(x->a, x->dsn, &dsn));
    const char *text = arena_printf(x->a, "%s:%s@tcp(%s:%d)/%s?charset=utf8mb4&parseTime=True",
                                    dsn.user, dsn.password, dsn.host, dsn.port, dsn.database);
    assert_fine(db_connect(db_driver_of(text), x->a, text, &db));
    assert_int_equal(ask(x, db, "SELECT COUNT(*) FROM items"), 0);
    db_disconnect(db);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(texts_keep_every_byte),
        T(texts_are_compared_byte_by_byte),
        T(texts_that_are_none),
        T(numbers_of_every_kind),
        T(types_of_values_may_change),
        T(backslashes_in_defaults),
        T(connections_are_set_up),
        T(statements_end_in_time),
        T(rows_of_others_are_waited_for),
        T(alone_is_alone),
        T(deadlocks_are_tried_again),
        T(many_rows_are_locked_in_order),
        T(lost_connections_are_replaced),
        T(lost_while_idle),
        T(lost_inside_a_transaction),
        T(lost_at_commit),
        T(statements_are_given_back),
        T(plans_that_no_longer_fit),
        T(opening_fails),
        T(mute_servers),
        T(silence_is_found_out_once),
        T(encryption),
    };
    const struct CMUnitTest mysql_tests[] = {T(the_ancestors_form)};
    if (fixture_on("sqlite")) {
        print_message("TF_TEST_DSN must name a server\n");
        return 77;
    }
    postgres = fixture_on("postgres");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return postgres ? failed : failed + cmocka_run_group_tests(mysql_tests, NULL, NULL);
}
