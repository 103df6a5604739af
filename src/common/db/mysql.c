// The MySQL and MariaDB driver: libmariadb, prepared statements, numbers as they are and all else
// as text.

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "common/db/dsn.h"
#include "common/db/remote.h"

// Numbers of errors that only one of the two has.
enum { MARIADB_TIMEOUT = 1969, MARIADB_KILLED = 1927, MYSQL_TIMEOUT = 3024, MYSQL_IDLE = 4031 };
enum { MYSQL_READ_ONLY = 1836, MARIADB_ROW_CHANGED = 1020 };

struct link {
    MYSQL *mysql;
    char *dsn;
};

struct cell {
    int64_t i;
    double r;
    unsigned long length;
    my_bool null;
};

struct handle {
    MYSQL_STMT *stmt;
    unsigned columns;
    MYSQL_BIND *results;
    struct cell *cells;
};

static MYSQL *mysql_of(const struct db *db)
{
    return ((struct link *)db->link)->mysql;
}

// --- errors -------------------------------------------------------------------------

static const struct err_kind *kind_of(unsigned code)
{
    switch (code) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_DUP_KEY: return &err_db_duplicate;
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case MARIADB_ROW_CHANGED:
    case MARIADB_TIMEOUT:
    case MYSQL_TIMEOUT: return &err_db_busy;
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case MARIADB_KILLED:
    case MYSQL_IDLE:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
    case ER_OPTION_PREVENTS_STATEMENT: // a standby by now
    case MYSQL_READ_ONLY:
    case ER_ERROR_ON_WRITE: return &err_db_unavailable;
    default: return &err_db_failed;
    }
}

// In all but a few messages quotes hold values ("Duplicate entry 'x' for key 'y'").
static bool quotes_names(unsigned code)
{
    return code == ER_BAD_FIELD_ERROR || code == ER_NO_SUCH_TABLE || code == ER_PARSE_ERROR ||
           code == ER_DATA_TOO_LONG || code == ER_BAD_NULL_ERROR;
}

static struct err *failure(struct arena *a, unsigned code, const char *message)
{
    return err_new(a, kind_of(code), "MySQL %u: %s", code,
                   quotes_names(code) ? message : without_quoted(a, message, '\''));
}

static struct err *failed(struct db *db, struct arena *a)
{
    return failure(a, mysql_errno(mysql_of(db)), mysql_error(mysql_of(db)));
}

static struct err *statement_failed(MYSQL_STMT *s, struct arena *a)
{
    return failure(a, mysql_stmt_errno(s), mysql_stmt_error(s));
}

// --- opening ------------------------------------------------------------------------

// What the DSN's options say. libmariadb checks a certificate with its host name, or not at all.
struct security {
    const char *ca, *cert, *key;
    bool encrypted, verified, optional;
};

static struct err *read_mode(struct arena *a, const char *mode, struct security *s)
{
    static const struct {
        const char *name;
        bool encrypted, verified, optional;
    } modes[] = {
        {"DISABLED", false, false, false},
        {"PREFERRED", true, false, true},
        {"REQUIRED", true, false, false},
        {"VERIFY_CA", true, true, false},
        {"VERIFY_IDENTITY", true, true, false},
        // as Go's driver says it: tls=
        {"false", false, false, false},
        {"preferred", true, false, true},
        {"skip-verify", true, false, false},
        {"true", true, true, false},
    };
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (str_is_nocase(str_of(mode), modes[i].name)) {
            s->encrypted = modes[i].encrypted;
            s->verified = modes[i].verified;
            s->optional = modes[i].optional;
            return NULL;
        }
    }
    return err_new(a, &err_db_unavailable, "the DSN's ssl-mode is none that we know");
}

static struct err *read_option(struct arena *a, const char *name, const char *value,
                               struct security *s)
{
    // Go's driver wants to be told what is always so here.
    static const char ignored[] =
        "charset,collation,parseTime,loc,timeout,readTimeout,writeTimeout,"
        "multiStatements,interpolateParams,allowNativePasswords";
    if (text_eq(name, "ssl-ca"))
        s->ca = value;
    else if (text_eq(name, "ssl-cert"))
        s->cert = value;
    else if (text_eq(name, "ssl-key"))
        s->key = value;
    else if (text_eq(name, "ssl-mode") || text_eq(name, "tls"))
        return read_mode(a, value, s);
    else if (!list_has(ignored, name))
        return err_new(a, &err_db_unavailable, "the DSN has an unknown option %.40s", name);
    return NULL;
}

// Who names a certificate authority wants it asked.
static struct err *read_security(struct arena *a, const char *rest, struct security *s)
{
    const char *name, *value;
    bool mode = false;
    *s = (struct security){0};
    for (;;) {
        TRY(dsn_option(a, &rest, &name, &value));
        if (!name)
            break;
        mode |= text_eq(name, "ssl-mode") || text_eq(name, "tls");
        TRY(read_option(a, name, value, s));
    }
    return s->ca && !mode ? read_mode(a, "VERIFY_IDENTITY", s) : NULL;
}

static void set_security(MYSQL *m, const struct security *s)
{
    my_bool yes = 1;
    if (!s->encrypted)
        return;
    mysql_ssl_set(m, s->key, s->cert, s->ca, NULL, NULL);
    mysql_optionsv(m, MYSQL_OPT_SSL_ENFORCE, &yes);
    if (s->verified)
        mysql_optionsv(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

static MYSQL *client_new(const struct dsn *dsn, bool limited)
{
    MYSQL *m = mysql_init(NULL);
    unsigned connect_s = CONNECT_S, answer_s = ANSWER_MS / 1000, none = 0;
    unsigned protocol = text_is_empty(dsn->socket) ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
    if (!m)
        abort();
    mysql_optionsv(m, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(m, MYSQL_OPT_LOCAL_INFILE, &none);
    mysql_optionsv(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_optionsv(m, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    if (limited)
        mysql_optionsv(m, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    return m;
}

static struct err *dial(struct arena *a, const struct dsn *dsn, const struct security *s,
                        bool limited, MYSQL **out)
{
    MYSQL *m = client_new(dsn, limited);
    set_security(m, s);
    const char *socket = text_is_empty(dsn->socket) ? NULL : dsn->socket;
    if (mysql_real_connect(m, socket ? NULL : dsn->host, dsn->user, dsn->password, dsn->database,
                           (unsigned)dsn->port, socket, CLIENT_FOUND_ROWS)) {
        *out = m;
        return NULL;
    }
    struct err *e = err_new(a, &err_db_unavailable, "MySQL %u: %s", mysql_errno(m), mysql_error(m));
    bool again = s->optional && mysql_errno(m) == CR_SSL_CONNECTION_ERROR;
    mysql_close(m);
    return again ? dial(a, dsn, &(struct security){0}, limited, out) : e;
}

// So that a machine that is gone is noticed while a migration waits for it.
static void watch(MYSQL *m)
{
    int fd = (int)mysql_get_socket(m);
    const int idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, count = KEEPALIVE_COUNT;
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static struct err *mysql_command(struct db *db, struct arena *a, const char *sql)
{
    MYSQL *m = mysql_of(db);
    if (mysql_real_query(m, sql, strlen(sql)))
        return failed(db, a);
    mysql_free_result(mysql_store_result(m));
    return NULL;
}

static struct err *limit_times(struct db *db, struct arena *a)
{
    if (mariadb_connection(mysql_of(db)))
        return mysql_command(db, a,
                             arena_printf(a,
                                          "SET max_statement_time = %d,"
                                          " idle_transaction_timeout = %d",
                                          STATEMENT_S, STATEMENT_S * 2));
    return mysql_command(db, a, arena_printf(a, "SET max_execution_time = %d", STATEMENT_S * 1000));
}

static struct err *set_up(struct db *db, struct arena *a, bool limited)
{
    watch(mysql_of(db));
    TRY(mysql_command(
        db, a,
        arena_printf(a,
                     "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,"
                     "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,"
                     "NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1,"
                     " innodb_lock_wait_timeout = %d, lock_wait_timeout = %d",
                     LOCK_S, limited ? STATEMENT_S : MIGRATION_WAIT_S)));
    TRY(mysql_command(db, a, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"));
    return limited ? limit_times(db, a) : NULL;
}

static struct err *connect_link(struct db *db, struct arena *a, bool limited)
{
    struct link *l = db->link;
    struct dsn dsn;
    struct security security;
    TRY(dsn_parse(a, l->dsn, &dsn));
    TRY(read_security(a, dsn.options, &security));
    TRY(dial(a, &dsn, &security, limited, &l->mysql));
    return set_up(db, a, limited);
}

static void mysql_close_link(struct db *db)
{
    struct link *l = db->link;
    mysql_close(l->mysql);
    free(l->dsn);
    free(l);
    db->link = NULL;
}

static void load_library(void)
{
    if (mysql_library_init(0, NULL, NULL))
        abort();
}

static struct err *mysql_open(struct db *db, struct arena *a, const char *dsn)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_library);
    struct link *l = mem_new(sizeof(*l));
    l->dsn = mem_strdup(dsn);
    db->link = l;
    struct err *e = connect_link(db, a, true);
    if (e)
        mysql_close_link(db);
    return e ? err_new(a, &err_db_unavailable, "%s", e->detail) : NULL;
}

static bool mysql_alive(struct db *db)
{
    MYSQL *m = mysql_of(db);
    struct pollfd p = {.fd = (int)mysql_get_socket(m), .events = POLLIN};
    return !mysql_send_query(m, "DO 0", 4) && poll(&p, 1, CONNECT_S * 1000) > 0 &&
           !mysql_read_query_result(m);
}

static int mysql_socket_of(struct db *db)
{
    return (int)mysql_get_socket(mysql_of(db));
}

static bool mysql_in_tx(struct db *db)
{
    unsigned status = 0;
    mariadb_get_infov(mysql_of(db), MARIADB_CONNECTION_SERVER_STATUS, &status);
    return status & SERVER_STATUS_IN_TRANS;
}

// --- statements -----------------------------------------------------------------------

static struct err *mysql_prepare_statement(struct db *db, struct arena *a, const char *sql,
                                           void **handle)
{
    MYSQL_STMT *s = mysql_stmt_init(mysql_of(db));
    if (!s)
        return failed(db, a);
    if (mysql_stmt_prepare(s, sql, strlen(sql))) {
        struct err *e = statement_failed(s, a);
        mysql_stmt_close(s);
        return e;
    }
    struct handle *h = mem_new(sizeof(*h));
    h->stmt = s;
    *handle = h;
    return NULL;
}

static void mysql_finish(struct db *db, void *handle)
{
    (void)db;
    struct handle *h = handle;
    mysql_stmt_close(h->stmt);
    free(h->results);
    free(h->cells);
    free(h);
}

static MYSQL_BIND place_of(const struct field_value *v)
{
    if (v->type == FIELD_REAL)
        return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_DOUBLE, .buffer = (void *)&v->r};
    if (v->type != FIELD_TEXT)
        return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = (void *)&v->i};
    if (!v->s)
        return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_NULL};
    return (MYSQL_BIND){
        .buffer_type = MYSQL_TYPE_STRING, .buffer = (void *)v->s, .buffer_length = strlen(v->s)};
}

static enum enum_field_types fetched_as(enum enum_field_types type)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG: return MYSQL_TYPE_LONGLONG;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE: return MYSQL_TYPE_DOUBLE;
    default: return MYSQL_TYPE_STRING;
    }
}

// Texts get no buffer: fetching says how long they are, and `column` makes one of that size.
static void describe_results(struct handle *h)
{
    h->columns = mysql_stmt_field_count(h->stmt);
    h->results = mem_resize(h->results, (h->columns + 1) * sizeof(*h->results));
    h->cells = mem_resize(h->cells, (h->columns + 1) * sizeof(*h->cells));
    memset(h->results, 0, (h->columns + 1) * sizeof(*h->results));
    for (unsigned i = 0; i < h->columns; i++) {
        MYSQL_BIND *b = &h->results[i];
        struct cell *c = &h->cells[i];
        b->buffer_type = fetched_as(h->stmt->fields[i].type);
        b->is_unsigned = (h->stmt->fields[i].flags & UNSIGNED_FLAG) != 0;
        b->buffer = b->buffer_type == MYSQL_TYPE_DOUBLE ? (void *)&c->r : (void *)&c->i;
        b->length = &c->length;
        b->is_null = &c->null;
    }
}

static struct err *mysql_run(struct db *db, struct arena *a, void *handle,
                             const struct field_value *params, size_t count)
{
    (void)db;
    struct handle *h = handle;
    MYSQL_BIND *places = NEW_ARRAY(a, MYSQL_BIND, count + 1);
    for (size_t i = 0; i < count; i++)
        places[i] = place_of(&params[i]);
    if ((count && mysql_stmt_bind_param(h->stmt, places)) || mysql_stmt_execute(h->stmt))
        return statement_failed(h->stmt, a);
    describe_results(h);
    if (h->columns &&
        (mysql_stmt_bind_result(h->stmt, h->results) || mysql_stmt_store_result(h->stmt)))
        return statement_failed(h->stmt, a);
    return NULL;
}

static struct err *mysql_next(struct db *db, struct arena *a, void *handle, bool *row)
{
    (void)db;
    struct handle *h = handle;
    *row = false;
    if (!h->columns)
        return NULL;
    int rc = mysql_stmt_fetch(h->stmt);
    *row = rc == 0 || rc == MYSQL_DATA_TRUNCATED;
    return rc == 1 ? statement_failed(h->stmt, a) : NULL;
}

static void mysql_reset(struct db *db, void *handle)
{
    (void)db;
    mysql_stmt_free_result(((struct handle *)handle)->stmt);
}

static int mysql_columns(void *handle)
{
    return (int)((struct handle *)handle)->columns;
}

static bool fetch_text(struct handle *h, struct arena *a, int column, struct str *out)
{
    size_t n = h->cells[column].length;
    char *text = arena_raw(a, n + 1);
    unsigned long length = 0;
    MYSQL_BIND b = {.buffer_type = MYSQL_TYPE_STRING,
                    .buffer = text,
                    .buffer_length = n + 1,
                    .length = &length};
    text[n] = '\0';
    *out = (struct str){text, n};
    return !n || mysql_stmt_fetch_column(h->stmt, &b, (unsigned)column, 0) == 0;
}

static bool is_number(enum enum_field_types type)
{
    return type == MYSQL_TYPE_NEWDECIMAL || type == MYSQL_TYPE_DECIMAL;
}

static bool mysql_column(void *handle, struct arena *a, int column, struct field_value *v)
{
    struct handle *h = handle;
    const MYSQL_BIND *b = &h->results[column];
    const struct cell *c = &h->cells[column];
    struct str text;
    if (v->type == FIELD_TEXT) {
        v->s = "";
        bool read = c->null || fetch_text(h, a, column, &text);
        v->s = c->null ? "" : text.p;
        return read && h->stmt->fields[column].charsetnr != 63; // binary
    }
    if (c->null)
        return number_of_int(0, v);
    if (b->buffer_type == MYSQL_TYPE_LONGLONG)
        return !(b->is_unsigned && c->i < 0) && number_of_int(c->i, v);
    if (b->buffer_type == MYSQL_TYPE_DOUBLE)
        return number_of_real(c->r, v);
    return is_number(h->stmt->fields[column].type) && fetch_text(h, a, column, &text) &&
           number_of(text, v);
}

// A SELECT has a count of rows, too.
static int64_t mysql_changed(struct db *db, void *handle)
{
    (void)db;
    struct handle *h = handle;
    return h->columns ? 0 : (int64_t)mysql_stmt_affected_rows(h->stmt);
}

static int64_t mysql_last_id(struct db *db)
{
    return (int64_t)mysql_insert_id(mysql_of(db));
}

// --- migrations -----------------------------------------------------------------------

static struct err *take_lock(struct db *db, struct arena *a)
{
    MYSQL *m = mysql_of(db);
    const char *sql =
        arena_printf(a, "SELECT GET_LOCK(CONCAT('tf.', MD5(DATABASE())), %d)", MIGRATION_WAIT_S);
    if (mysql_real_query(m, sql, strlen(sql)))
        return failed(db, a);
    MYSQL_RES *result = mysql_store_result(m);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    bool taken = row && text_eq(row[0], "1");
    mysql_free_result(result);
    return taken ? NULL : err_new(a, &err_db_busy, "another node has been migrating all the time");
}

// How long an answer may take is settled when connecting, and migrations may take longer.
static struct err *connect_again(struct db *db, struct arena *a, bool limited)
{
    struct link *l = db->link;
    statements_done(db);
    mysql_close(l->mysql);
    l->mysql = NULL;
    db->broken = true;
    TRY(connect_link(db, a, limited));
    db->broken = false;
    return NULL;
}

static struct err *mysql_lock(struct db *db, struct arena *a)
{
    TRY(connect_again(db, a, false));
    TRY(take_lock(db, a));
    return mysql_command(db, a, "SET autocommit = 0");
}

// The lock goes with the connection.
static struct err *mysql_unlock(struct db *db, struct arena *a, bool keep)
{
    struct err *e = mysql_command(db, a, keep ? "COMMIT" : "ROLLBACK");
    struct err *again = connect_again(db, a, true);
    return e ? e : again;
}

const struct db_driver mysql_driver = {
    .scheme = "mysql",
    .words =
        {
            .quote = '"',
            .varchar = true,
            .text_default_is_expression = true,
            .ddl_commits = true,
            .drop_index_on = true,
            .key = "BIGINT AUTO_INCREMENT PRIMARY KEY",
            .type = {"SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "LONGTEXT"},
            .table_end = " ENGINE = InnoDB DEFAULT CHARSET = utf8mb4"
                         " /*M! COLLATE = utf8mb4_nopad_bin */"
                         " /*!80017 COLLATE = utf8mb4_0900_bin */",
            .begin = "START TRANSACTION",
            .for_update = " FOR UPDATE",
            .columns = "SELECT column_name FROM information_schema.columns"
                       " WHERE table_schema = DATABASE() AND table_name = ?",
            .indexes = "SELECT DISTINCT index_name FROM information_schema.statistics"
                       " WHERE table_schema = DATABASE() AND table_name = ?",
            .upsert = ON_DUPLICATE_KEY,
        },
    .check_after_ms = CHECK_AFTER_MS,
    .replace_after_ms = REPLACE_AFTER_MS,
    .open = mysql_open,
    .close = mysql_close_link,
    .alive = mysql_alive,
    .socket = mysql_socket_of,
    .in_tx = mysql_in_tx,
    .command = mysql_command,
    .prepare = mysql_prepare_statement,
    .finish = mysql_finish,
    .run = mysql_run,
    .next = mysql_next,
    .reset = mysql_reset,
    .columns = mysql_columns,
    .column = mysql_column,
    .changed = mysql_changed,
    .last_id = mysql_last_id,
    .lock = mysql_lock,
    .unlock = mysql_unlock,
};
