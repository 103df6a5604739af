// The PostgreSQL driver: libpq, values as text, every wait bounded.

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "common/db/remote.h"

// From the server's catalog/pg_type.dat.
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };
enum { OID_INT2 = 21, OID_INT4 = 23, OID_FLOAT4 = 700, OID_NUMERIC = 1700 };

enum { RETIRED_MAX = 1 << 16 };

struct link {
    PGconn *conn;
    unsigned prepared;  // names of statements are never used again
    bool unlimited;     // migrations may take their time
    struct buf retired; // DEALLOCATE of statements that left the cache
};

// The server is told the parameters' types, so that `? + 1` means the same everywhere. They are
// those of the first execution; another set of types prepares it again.
struct handle {
    char name[16]; // "" until it is prepared
    char *sql;
    Oid *types;
    size_t count;
    PGresult *result;
    int row;
};

// --- errors -------------------------------------------------------------------------

static const struct err_kind *kind_of(const char *state)
{
    static const struct {
        const char *start;
        const struct err_kind *kind;
    } kinds[] = {
        {"23505", &err_db_duplicate},   // unique_violation
        {"40001", &err_db_busy},        // serialization_failure
        {"40P01", &err_db_busy},        // deadlock_detected
        {"55P03", &err_db_busy},        // lock_not_available
        {"57014", &err_db_busy},        // query_canceled: it took too long
        {"57P", &err_db_unavailable},   // shutting down, starting up
        {"08", &err_db_unavailable},    // connection_exception
        {"53", &err_db_unavailable},    // insufficient_resources: disk full
        {"58", &err_db_unavailable},    // system_error
        {"25P03", &err_db_unavailable}, // idle_in_transaction_session_timeout
        {"25006", &err_db_unavailable}, // read_only_sql_transaction: a standby by now
        {"0A000", &err_db_unavailable}, // a kept plan's result type has changed: connect anew
        {"26000", &err_db_unavailable}, // a prepared statement was taken away
        {"XX001", &err_db_unavailable}, // data_corrupted
        {"XX002", &err_db_unavailable}, // index_corrupted
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (str_starts(str_of(state), kinds[i].start))
            return kinds[i].kind;
    return &err_db_failed;
}

// Names of tables and constraints may be shown; elsewhere quotes hold values.
static bool quotes_names(const char *state)
{
    return str_starts(str_of(state), "42") || str_starts(str_of(state), "23") ||
           str_starts(str_of(state), "28") || str_starts(str_of(state), "3D");
}

static const char *first_line(struct arena *a, const char *message)
{
    return arena_strndup(a, message, strcspn(message, "\n"));
}

// result NULL: there was no answer.
static struct err *failed(struct link *l, struct arena *a, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!state || !message)
        return err_new(a, &err_db_unavailable, "PostgreSQL: %s",
                       PQstatus(l->conn) == CONNECTION_BAD ? first_line(a, PQerrorMessage(l->conn))
                                                           : "no answer in time");
    const struct err_kind *kind =
        PQstatus(l->conn) == CONNECTION_BAD ? &err_db_unavailable : kind_of(state);
    return err_new(a, kind, "PostgreSQL %s: %s", state,
                   quotes_names(state) ? message : without_quoted(a, message, '"'));
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

// --- waiting ------------------------------------------------------------------------

static bool await_input(struct link *l, int64_t until)
{
    struct pollfd p = {.fd = PQsocket(l->conn), .events = POLLIN};
    int64_t left = until - clock_steady_ms();
    if (!l->unlimited && left <= 0)
        return false;
    int n = poll(&p, 1, l->unlimited ? -1 : (int)left);
    return (n < 0 && errno == EINTR) || (n > 0 && PQconsumeInput(l->conn));
}

// The last result of what was sent; NULL if the answer did not come (completely).
static PGresult *receive(struct link *l, int64_t limit_ms)
{
    int64_t until = clock_steady_ms() + limit_ms;
    for (PGresult *last = NULL;;) {
        while (PQisBusy(l->conn)) {
            if (await_input(l, until))
                continue;
            PQclear(last);
            return NULL;
        }
        PGresult *next = PQgetResult(l->conn);
        if (!next)
            return last;
        PQclear(last);
        last = next;
    }
}

static PGresult *execute(struct link *l, const char *sql)
{
    return PQsendQuery(l->conn, sql) ? receive(l, ANSWER_MS) : NULL;
}

// COMMIT of a transaction that had failed is answered with success, and ROLLBACK.
static bool answered_commit(const char *sql, PGresult *result)
{
    return strcmp(sql, "COMMIT") != 0 || strcmp(PQcmdStatus(result), "COMMIT") == 0;
}

static struct err *postgres_command(struct db *db, struct arena *a, const char *sql)
{
    struct link *l = db->link;
    PGresult *result = execute(l, sql);
    struct err *e = succeeded(result) ? NULL : failed(l, a, result);
    if (!e && !answered_commit(sql, result))
        e = err_new(a, &err_db_failed, "PostgreSQL rolled back instead");
    PQclear(result);
    return e;
}

// --- opening ------------------------------------------------------------------------

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

// libpq reads the DSN itself, with all its options; what stands before "dbname" are defaults.
static PGconn *dial(struct arena *a, const char *dsn)
{
    const char *settings =
        arena_printf(a,
                     "-c statement_timeout=%ds -c lock_timeout=%ds -c timezone=UTC"
                     " -c idle_in_transaction_session_timeout=%ds -c extra_float_digits=3",
                     STATEMENT_S, LOCK_S, STATEMENT_S * 2);
    const char *const names[] = {"connect_timeout",  "application_name",
                                 "keepalives_idle",  "keepalives_interval",
                                 "keepalives_count", "tcp_user_timeout",
                                 "options",          "dbname",
                                 "client_encoding",  NULL};
    const char *const values[] = {arena_printf(a, "%d", CONNECT_S),
                                  "token-factory",
                                  arena_printf(a, "%d", KEEPALIVE_IDLE_S),
                                  arena_printf(a, "%d", KEEPALIVE_INTERVAL_S),
                                  arena_printf(a, "%d", KEEPALIVE_COUNT),
                                  arena_printf(a, "%d", ANSWER_MS),
                                  settings,
                                  dsn,
                                  "UTF8",
                                  NULL};
    return PQconnectdbParams(names, values, 1);
}

// What libpq says about a DSN that it cannot read may quote all of it.
static struct err *check_dsn(struct arena *a, const char *dsn)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &message);
    struct err *e = options
                        ? NULL
                        : err_new(a, &err_db_unavailable, "malformed DSN: %s",
                                  first_line(a, without_quoted(a, message ? message : "", '"')));
    PQconninfoFree(options);
    PQfreemem(message);
    return e;
}

static struct err *postgres_open(struct db *db, struct arena *a, const char *dsn)
{
    TRY(check_dsn(a, dsn));
    PGconn *conn = dial(a, dsn);
    if (PQstatus(conn) != CONNECTION_OK) {
        struct err *e =
            err_new(a, &err_db_unavailable, "PostgreSQL: %s", first_line(a, PQerrorMessage(conn)));
        PQfinish(conn);
        return e;
    }
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    struct link *l = mem_new(sizeof(*l));
    *l = (struct link){.conn = conn, .retired = BUF(RETIRED_MAX)};
    db->link = l;
    return NULL;
}

static void postgres_close(struct db *db)
{
    struct link *l = db->link;
    PQfinish(l->conn);
    buf_free(&l->retired);
    free(l);
    db->link = NULL;
}

static bool postgres_alive(struct db *db)
{
    struct link *l = db->link;
    PGresult *result = PQsendQuery(l->conn, "") ? receive(l, CONNECT_S * 1000) : NULL;
    bool alive = PQresultStatus(result) == PGRES_EMPTY_QUERY;
    PQclear(result);
    return alive;
}

static int postgres_socket(struct db *db)
{
    return PQsocket(((struct link *)db->link)->conn);
}

static bool postgres_in_tx(struct db *db)
{
    PGTransactionStatusType status = PQtransactionStatus(((struct link *)db->link)->conn);
    return status != PQTRANS_IDLE && status != PQTRANS_UNKNOWN;
}

// --- statements -----------------------------------------------------------------------

static struct err *postgres_prepare(struct db *db, struct arena *a, const char *sql, void **handle)
{
    (void)db;
    (void)a;
    struct handle *h = mem_new(sizeof(*h));
    h->sql = mem_strdup(sql);
    *handle = h;
    return NULL;
}

static void retire(struct link *l, struct handle *h)
{
    if (*h->name)
        buf_printf(&l->retired, "DEALLOCATE %s;", h->name);
    *h->name = '\0';
}

static void postgres_finish(struct db *db, void *handle)
{
    struct handle *h = handle;
    retire(db->link, h);
    free(h->sql);
    free(h->types);
    free(h);
}

static Oid type_of(struct field_value v)
{
    if (v.type == FIELD_TEXT)
        return OID_TEXT;
    return v.type == FIELD_REAL ? OID_FLOAT8 : OID_INT8;
}

static bool is_prepared_for(const struct handle *h, const struct field_value *params, size_t count)
{
    if (!*h->name || h->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (h->types[i] != type_of(params[i]))
            return false;
    return true;
}

// When there is a round trip to be made anyway.
static struct err *free_retired(struct link *l, struct arena *a)
{
    if (!l->retired.n)
        return NULL;
    PGresult *result = l->retired.overflow ? NULL : execute(l, l->retired.p);
    struct err *e = succeeded(result) ? NULL : failed(l, a, result);
    PQclear(result);
    buf_clear(&l->retired);
    return e;
}

static struct err *prepare_for(struct link *l, struct arena *a, struct handle *h,
                               const struct field_value *params, size_t count)
{
    retire(l, h);
    TRY(free_retired(l, a));
    h->count = count;
    h->types = mem_resize(h->types, (count + 1) * sizeof(*h->types));
    for (size_t i = 0; i < count; i++)
        h->types[i] = type_of(params[i]);
    char name[sizeof(h->name)];
    snprintf(name, sizeof(name), "s%u", l->prepared++);
    int sent = PQsendPrepare(l->conn, name, h->sql, (int)count, h->types);
    PGresult *result = sent ? receive(l, ANSWER_MS) : NULL;
    struct err *e = succeeded(result) ? NULL : failed(l, a, result);
    PQclear(result);
    if (!e)
        memcpy(h->name, name, sizeof(name));
    return e;
}

static const char *text_of(struct arena *a, struct field_value v)
{
    if (v.type == FIELD_TEXT)
        return v.s;
    return v.type == FIELD_REAL ? arena_printf(a, "%.17g", v.r)
                                : arena_printf(a, "%lld", (long long)v.i);
}

static struct err *postgres_run(struct db *db, struct arena *a, void *handle,
                                const struct field_value *params, size_t count)
{
    struct link *l = db->link;
    struct handle *h = handle;
    if (!is_prepared_for(h, params, count))
        TRY(prepare_for(l, a, h, params, count));
    const char **values = NEW_ARRAY(a, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        values[i] = text_of(a, params[i]);
    int sent = PQsendQueryPrepared(l->conn, h->name, (int)count, values, NULL, NULL, 0);
    h->result = sent ? receive(l, ANSWER_MS) : NULL;
    h->row = -1;
    if (PQresultStatus(h->result) == PGRES_EMPTY_QUERY)
        return err_new(a, &err_db_failed, "no statement");
    return succeeded(h->result) ? NULL : failed(l, a, h->result);
}

static struct err *postgres_next(struct db *db, struct arena *a, void *handle, bool *row)
{
    (void)db;
    (void)a;
    struct handle *h = handle;
    *row = ++h->row < PQntuples(h->result);
    return NULL;
}

static void postgres_reset(struct db *db, void *handle)
{
    (void)db;
    struct handle *h = handle;
    PQclear(h->result);
    h->result = NULL;
}

static int postgres_columns(void *handle)
{
    return PQnfields(((struct handle *)handle)->result);
}

static bool is_number(Oid type)
{
    return type == OID_INT2 || type == OID_INT4 || type == OID_INT8 || type == OID_FLOAT4 ||
           type == OID_FLOAT8 || type == OID_NUMERIC;
}

static bool postgres_column(void *handle, struct arena *a, int column, struct field_value *v)
{
    const struct handle *h = handle;
    Oid type = PQftype(h->result, column);
    struct str text = {PQgetvalue(h->result, h->row, column),
                       (size_t)PQgetlength(h->result, h->row, column)};
    if (v->type == FIELD_TEXT) {
        v->s = text.n ? arena_str(a, text) : "";
        return type != OID_BYTEA;
    }
    if (PQgetisnull(h->result, h->row, column))
        return number_of_int(0, v);
    if (type == OID_BOOL)
        return number_of_int(*text.p == 't', v);
    return is_number(type) && number_of(text, v);
}

// A SELECT has a count of rows, too.
static int64_t postgres_changed(struct db *db, void *handle)
{
    (void)db;
    struct handle *h = handle;
    static const char *const changing[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
    int64_t n = 0;
    for (size_t i = 0; i < sizeof(changing) / sizeof(*changing); i++)
        if (str_starts(str_of(PQcmdStatus(h->result)), changing[i]))
            str_to_int(str_of(PQcmdTuples(h->result)), &n);
    return n;
}

// --- migrations -----------------------------------------------------------------------

static struct err *postgres_lock(struct db *db, struct arena *a)
{
    struct link *l = db->link;
    const char *sql = arena_printf(
        a,
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0;"
        "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '%ds';"
        "SELECT pg_advisory_xact_lock(hashtext('token factory: migrations'))",
        MIGRATION_WAIT_S);
    l->unlimited = true;
    struct err *e = postgres_command(db, a, sql);
    if (!e)
        return NULL;
    postgres_command(db, a, "ROLLBACK");
    l->unlimited = false;
    return e;
}

static struct err *postgres_unlock(struct db *db, struct arena *a, bool keep)
{
    struct link *l = db->link;
    struct err *e = postgres_command(db, a, keep ? "COMMIT" : "ROLLBACK");
    l->unlimited = false;
    return e;
}

const struct db_driver postgres_driver = {
    .scheme = "postgres",
    .words =
        {
            .quote = '"',
            .numbered = true,
            .returning = true,
            .partial_index = true,
            .key = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
            .type = {"SMALLINT", "INTEGER", "BIGINT", "DOUBLE PRECISION", "TEXT"},
            .table_end = "",
            .begin = "BEGIN ISOLATION LEVEL READ COMMITTED",
            .for_update = " FOR UPDATE",
            .columns = "SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                       " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ? AND"
                       " n.nspname = current_schema() AND a.attnum > 0 AND NOT a.attisdropped",
            .indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND"
                       " tablename = ?",
            .upsert = ON_CONFLICT,
        },
    .check_after_ms = CHECK_AFTER_MS,
    .replace_after_ms = REPLACE_AFTER_MS,
    .open = postgres_open,
    .close = postgres_close,
    .alive = postgres_alive,
    .socket = postgres_socket,
    .in_tx = postgres_in_tx,
    .command = postgres_command,
    .prepare = postgres_prepare,
    .finish = postgres_finish,
    .run = postgres_run,
    .next = postgres_next,
    .reset = postgres_reset,
    .columns = postgres_columns,
    .column = postgres_column,
    .changed = postgres_changed,
    .last_id = NULL,
    .lock = postgres_lock,
    .unlock = postgres_unlock,
};
