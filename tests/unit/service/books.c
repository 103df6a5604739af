// Making the database, settling, summing up.

#include "unit/service/books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/lane.h"
#include "model/lease.h"
#include "model/tables.h"
#include "model/token.h"
#include "model/user.h"
#include "unit/service/folder.h"

enum { CONNECTIONS = 8, WORKERS = 4 };

static void migrate(struct books *b, struct db_pool *pool, const struct table *const *tables,
                    const struct migration *migrations)
{
    DB(db);
    assert_fine(db_lease(pool, b->a, &db));
    assert_fine(db_migrate(db, b->a, tables, migrations));
}

void books_open(struct books *b)
{
    assert_fine(db_pool_open(b->a, b->dsn, CONNECTIONS, &b->pool));
    b->log_pool = b->pool;
    if (*b->log_dsn)
        assert_fine(db_pool_open(b->a, b->log_dsn, CONNECTIONS, &b->log_pool));
    b->o.pool = b->pool;
    b->o.log_pool = b->log_pool;
}

void books_close(struct books *b)
{
    if (b->log_pool != b->pool)
        db_pool_close(b->log_pool);
    db_pool_close(b->pool);
    b->pool = b->log_pool = NULL;
}

void books_make(struct books *b)
{
    *b = (struct books){.a = arena_new()};
    crypto_setup(STR("the secret of the tests"));
    folder_make(b->folder);
    snprintf(b->path, sizeof(b->path), "%s/db", b->folder);
    fixture_make(b->a, b->path, b->dsn, sizeof(b->dsn));
    b->o = (struct ledger_options){.node = "n1",
                                   .data_dir = b->folder,
                                   .sync_ms = 5,
                                   .journal_bytes = 64 << 20,
                                   .chunk = 1000,
                                   .idle_ms = 3600 * 1000};
    books_open(b);
    migrate(b, b->pool, model_tables, model_migrations);
}

void books_set_apart(struct books *b)
{
    books_close(b);
    snprintf(b->log_path, sizeof(b->log_path), "%s/log", b->folder);
    fixture_make(b->a, b->log_path, b->log_dsn, sizeof(b->log_dsn));
    books_open(b);
    migrate(b, b->log_pool, model_log_tables, model_log_migrations);
}

void books_start(struct books *b)
{
    workers_start(WORKERS);
    assert_fine(ledger_start(b->a, &b->o));
    b->running = true;
}

void books_stop(struct books *b)
{
    if (!b->running)
        return;
    workers_stop();
    ledger_stop();
    b->running = false;
}

void books_remove(struct books *b)
{
    books_stop(b);
    books_close(b);
    fixture_remove(b->a, b->path, b->dsn);
    if (*b->log_dsn)
        fixture_remove(b->a, b->log_path, b->log_dsn);
    folder_remove(b->folder);
    arena_free(b->a);
}

int64_t books_user(struct books *b, int64_t quota)
{
    static int number;
    struct user user = {.username = arena_printf(b->a, "user%d", ++number),
                        .status = STATUS_ON,
                        .group = "default",
                        .quota = quota};
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(db_insert(db, b->a, &user_table, &user));
    return user.id;
}

int64_t books_token(struct books *b, int64_t user, int64_t remain)
{
    const char *key = token_new_key(b->a);
    struct token token = {.user_id = user,
                          .name = "t",
                          .key = key,
                          .key_digest = token_digest(b->a, key),
                          .status = STATUS_ON,
                          .remain_quota = remain};
    DB(db);
    assert_fine(db_lease(b->pool, b->a, &db));
    assert_fine(db_insert(db, b->a, &token_table, &token));
    return token.id;
}

static int64_t read_int(struct books *b, struct db_pool *pool, const char *sql)
{
    int64_t n;
    DB(db);
    assert_fine(db_lease(pool, b->a, &db));
    assert_fine(db_int(db, b->a, &n, sql));
    return n;
}

static void run(struct books *b, struct db_pool *pool, const char *sql)
{
    DB(db);
    assert_fine(db_lease(pool, b->a, &db));
    assert_fine(db_exec(db, b->a, NULL, sql));
}

int64_t books_int(struct books *b, const char *sql)
{
    return read_int(b, b->pool, sql);
}

void books_exec(struct books *b, const char *sql)
{
    run(b, b->pool, sql);
}

int64_t books_log_int(struct books *b, const char *sql)
{
    return read_int(b, b->log_pool, sql);
}

void books_log_exec(struct books *b, const char *sql)
{
    run(b, b->log_pool, sql);
}

int64_t books_lease(struct books *b, const char *kind, int64_t id)
{
    return books_int(b, arena_printf(b->a,
                                     "SELECT SUM(amount) FROM leases WHERE kind = '%s'"
                                     " AND owner_id = %lld",
                                     kind, (long long)id));
}

void books_settle(int64_t number, int64_t user, int64_t token, int64_t quota, int64_t token_quota)
{
    char id[32];
    snprintf(id, sizeof(id), "r%lld", (long long)number);
    struct log_row row = {.request_id = id,
                          .created_at = 1700000000 + number * 60,
                          .type = LOG_TYPE_CONSUME,
                          .user_id = user,
                          .token_id = token,
                          .channel_id = 1,
                          .model_name = number % 3 ? "m" : "other",
                          .prompt_tokens = quota / 2,
                          .completion_tokens = quota % 7,
                          .cached_tokens = quota / 3,
                          .use_time_ms = number % 11,
                          .first_token_ms = number % 5,
                          .quota = quota};
    ledger_settle(&row, token_quota);
    ledger_write_down();
}

bool books_reserve(struct books *b, struct account *account, int64_t quota)
{
    int64_t got;
    if (account_reserve(account, quota))
        return true;
    struct err *e = ledger_extend(b->a, account, quota, false, &got);
    assert_int_equal(got, e ? 0 : quota);
    if (e)
        assert_ptr_equal(e->kind, account->kind == ACCOUNT_USER ? &err_quota_insufficient
                                                                : &err_token_exhausted);
    return !e;
}

static void balanced(struct books *b, const char *kind, const char *table, const char *column,
                     int64_t id, int64_t granted)
{
    long long n = (long long)id;
    int64_t balance =
        books_int(b, arena_printf(b->a, "SELECT %s FROM %s WHERE id = %lld", column, table, n));
    int64_t used =
        books_int(b, arena_printf(b->a, "SELECT used_quota FROM %s WHERE id = %lld", table, n));
    int64_t leased = books_lease(b, kind, id);
    if (balance < 0 || used < 0 || leased < 0 || balance + used + leased != granted)
        fail_msg("%s %lld: balance %lld + leased %lld + used %lld, granted %lld", kind, n,
                 (long long)balance, (long long)leased, (long long)used, (long long)granted);
}

void books_balance(struct books *b, int64_t user, int64_t granted)
{
    balanced(b, "user", "users", "quota", user, granted);
}

void books_token_balance(struct books *b, int64_t token, int64_t granted)
{
    balanced(b, "token", "tokens", "remain_quota", token, granted);
}

// What a roll-up is the sum of, with the sign that makes it vanish.
#define MINUS_LOG                                                                                  \
    "CASE WHEN type = 2 THEN -1 ELSE 0 END AS requests,"                                           \
    " CASE WHEN type = 5 THEN -1 ELSE 0 END AS errors, -prompt_tokens AS prompt_tokens,"           \
    " -completion_tokens AS completion_tokens, -cached_tokens AS cached_tokens, -quota AS quota,"  \
    " CASE WHEN type = 2 THEN -use_time_ms ELSE 0 END AS use_time_ms,"                             \
    " CASE WHEN type = 2 THEN -first_token_ms ELSE 0 END AS first_token_ms"                        \
    " FROM logs WHERE type IN (2, 5)"

static const struct {
    const char *table, *key, *key_in_log, *sums;
} rollups[] = {
    {"usage_hours", "hour, user_id, token_id, channel_id, model_name, username, token_name",
     "created_at - created_at % 3600 AS hour, user_id, token_id, channel_id, model_name, username,"
     " token_name",
     "requests errors prompt_tokens completion_tokens cached_tokens quota use_time_ms"
     " first_token_ms"},
    {"usage_models", "hour, model_name", "created_at - created_at % 3600 AS hour, model_name",
     "requests errors prompt_tokens completion_tokens cached_tokens quota use_time_ms"
     " first_token_ms"},
    {"usage_users", "day, user_id, username",
     "created_at - created_at % 86400 AS day, user_id, username",
     "requests errors prompt_tokens completion_tokens cached_tokens quota"},
};

// Each roll-up minus the log, key by key and sum by sum, is nothing.
void books_rolled_up(struct books *b)
{
    for (size_t i = 0; i < sizeof(rollups) / sizeof(*rollups); i++) {
        BUF_HERE(columns, 1000);
        BUF_HERE(different, 1000);
        struct str rest = str_of(rollups[i].sums), sum;
        while (str_next(&rest, ' ', &sum)) {
            buf_printf(&columns, ", %.*s", STR_ARGS(sum));
            buf_printf(&different, "%sSUM(%.*s) <> 0", different.n ? " OR " : "", STR_ARGS(sum));
        }
        const char *sql = arena_printf(
            b->a,
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM (SELECT %s%s FROM %s UNION ALL"
            " SELECT %s%s FROM (SELECT %s, " MINUS_LOG ") of_log) both_of_them GROUP BY %s"
            " HAVING %s) different",
            rollups[i].key, columns.p, rollups[i].table, rollups[i].key, columns.p,
            rollups[i].key_in_log, rollups[i].key, different.p);
        if (books_log_int(b, sql))
            fail_msg("%s is not the sum of the log", rollups[i].table);
    }
}

void books_forget_log(struct books *b)
{
    books_log_exec(b, "DELETE FROM logs");
    for (size_t i = 0; i < sizeof(rollups) / sizeof(*rollups); i++)
        books_log_exec(b, arena_printf(b->a, "DELETE FROM %s", rollups[i].table));
}

void books_flush(struct books *b, int64_t rows)
{
    assert_true(ledger_flush(60000));
    books_rolled_up(b);
    assert_int_equal(books_log_int(b, "SELECT COUNT(*) FROM logs"), rows);
    assert_int_equal(books_log_int(b, "SELECT COUNT(DISTINCT request_id) FROM logs"), rows);
}
