// The SQLite driver: WAL, one handle per connection, no mutex inside (a connection is in one
// thread's hands at a time).

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "common/rand.h"

enum { BUSY_TIMEOUT_MS = 5000, MIGRATION_WAIT_MS = 60 * 1000 };

struct link {
    sqlite3 *db;
    int64_t changes_before; // sqlite3_total_changes64 when the statement began
};

static sqlite3 *handle_of(const struct db *db)
{
    return ((struct link *)db->link)->db;
}

static const struct err_kind *kind_of(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return &err_db_duplicate;
    default: break;
    }
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return &err_db_busy;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_PERM: return &err_db_unavailable;
    default: return &err_db_failed;
    }
}

static struct err *failed(sqlite3 *db, struct arena *a)
{
    int code = sqlite3_extended_errcode(db);
    return err_new(a, kind_of(code), "SQLite %d: %s", code, sqlite3_errmsg(db));
}

// Waits a little longer each time, up to 50 ms, never in step with others.
static void back_off(int attempt)
{
    usleep((useconds_t)(1000 + rand_below((uint64_t)(attempt < 25 ? attempt + 1 : 25) * 2000)));
}

// Some collisions are reported without waiting for the busy timeout (two processes switching to
// WAL, a recovery under way): asks again until `wait_ms` have passed.
static struct err *insist(sqlite3 *db, struct arena *a, const char *sql, int64_t wait_ms)
{
    int64_t until = clock_steady_ms() + wait_ms;
    for (int attempt = 0;; attempt++) {
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            return NULL;
        if ((rc & 0xff) != SQLITE_BUSY || clock_steady_ms() >= until)
            return failed(db, a);
        back_off(attempt);
    }
}

// --- opening ------------------------------------------------------------------

// Counting SQLite's memory, which nobody asks for, would take a lock for each piece of it.
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

// The file holds password hashes: readable by its owner only, and with it -wal and -shm.
//
// A file that exists is not touched: closing it would drop the locks that this process holds on it
// (https://sqlite.org/howtocorrupt.html 2.2), and another one that leaves would then take the -wal
// away from us. One at a time, because of who opens it between our two calls.
static struct err *create_file(struct arena *a, const char *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = errno;
    if (fd >= 0)
        close(fd);
    pthread_mutex_unlock(&lock);
    return fd >= 0 || error == EEXIST
               ? NULL
               : err_new(a, &err_db_unavailable, "%s: %s", path, strerror(error));
}

static struct err *require_wal(sqlite3 *db, struct arena *a)
{
    TRY(insist(db, a, "PRAGMA journal_mode = WAL", BUSY_TIMEOUT_MS));
    sqlite3_stmt *s = NULL;
    bool wal = sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &s, NULL) == SQLITE_OK &&
               sqlite3_step(s) == SQLITE_ROW &&
               text_eq((const char *)sqlite3_column_text(s, 0), "wal");
    sqlite3_finalize(s);
    return wal ? NULL : err_new(a, &err_db_unavailable, "SQLite cannot use WAL here");
}

static struct err *set_up(sqlite3 *db, struct arena *a)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    // Without these two, a misspelt "column" would silently be a text.
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    TRY(require_wal(db, a));
    return insist(db, a,
                  "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                  "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000;"
                  "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF",
                  BUSY_TIMEOUT_MS);
}

static struct err *sqlite_open(struct db *db, struct arena *a, const char *dsn)
{
    const char *path = dsn + strlen("sqlite:");
    if (text_is_empty(path))
        return err_new(a, &err_db_unavailable, "no file named in the DSN");
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once(&configured, configure);
    TRY(create_file(a, path));
    struct link *link = mem_new(sizeof(*link));
    db->link = link;
    int rc = sqlite3_open_v2(path, &link->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    struct err *e = rc == SQLITE_OK ? set_up(link->db, a) : failed(link->db, a);
    if (!e)
        return NULL;
    e = err_new(a, &err_db_unavailable, "%s: %s", path, e->detail);
    sqlite3_close(link->db);
    free(link);
    db->link = NULL;
    return e;
}

static void sqlite_close_link(struct db *db)
{
    if (sqlite3_close(handle_of(db)) != SQLITE_OK)
        abort(); // a statement was not finished
    free(db->link);
    db->link = NULL;
}

// Its cache of pages; what the file holds is in the system's as well.
static void sqlite_shrink(struct db *db)
{
    sqlite3_db_release_memory(handle_of(db));
}

static bool sqlite_in_tx(struct db *db)
{
    return !sqlite3_get_autocommit(handle_of(db));
}

// --- statements -----------------------------------------------------------------

static struct err *sqlite_prepare(struct db *db, struct arena *a, const char *sql, void **handle)
{
    const char *rest = NULL;
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v3(handle_of(db), sql, -1, SQLITE_PREPARE_PERSISTENT, &s, &rest))
        return failed(handle_of(db), a);
    if (!s || str_trim(str_of(rest)).n) {
        sqlite3_finalize(s);
        return err_new(a, &err_db_failed, "not exactly one statement");
    }
    *handle = s;
    return NULL;
}

static struct err *sqlite_command(struct db *db, struct arena *a, const char *sql)
{
    int rc = sqlite3_exec(handle_of(db), sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? NULL : failed(handle_of(db), a);
}

static void sqlite_finish(struct db *db, void *handle)
{
    (void)db;
    sqlite3_finalize(handle);
}

static int bind(sqlite3_stmt *s, int place, struct field_value v)
{
    if (v.type == FIELD_REAL)
        return sqlite3_bind_double(s, place, v.r);
    if (v.type != FIELD_TEXT)
        return sqlite3_bind_int64(s, place, v.i);
    if (!v.s)
        return sqlite3_bind_null(s, place);
    // static: the text outlives the execution, and sqlite_reset forgets it
    return sqlite3_bind_text64(s, place, v.s, strlen(v.s), SQLITE_STATIC, SQLITE_UTF8);
}

static struct err *sqlite_run(struct db *db, struct arena *a, void *handle,
                              const struct field_value *params, size_t count)
{
    struct link *link = db->link;
    for (size_t i = 0; i < count; i++)
        if (bind(handle, (int)i + 1, params[i]) != SQLITE_OK)
            return failed(link->db, a);
    link->changes_before = sqlite3_total_changes64(link->db);
    return NULL;
}

static struct err *sqlite_next(struct db *db, struct arena *a, void *handle, bool *row)
{
    int rc = sqlite3_step(handle);
    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? NULL : failed(handle_of(db), a);
}

static void sqlite_reset(struct db *db, void *handle)
{
    (void)db;
    sqlite3_reset(handle);
    sqlite3_clear_bindings(handle);
}

static int sqlite_columns(void *handle)
{
    return sqlite3_column_count(handle);
}

// A sum of reals that is a whole number counts as one as long as a double can tell.
static bool whole(double r, int64_t *out)
{
    if (r != floor(r) || fabs(r) > 9007199254740992.0)
        return false;
    *out = (int64_t)r;
    return true;
}

static bool read_int(sqlite3_stmt *s, int column, struct field_value *v)
{
    v->i = 0;
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_NULL: return true;
    case SQLITE_INTEGER: v->i = sqlite3_column_int64(s, column); break;
    case SQLITE_FLOAT:
        if (!whole(sqlite3_column_double(s, column), &v->i))
            return false;
        break;
    default: return false;
    }
    return v->type != FIELD_INT || (v->i >= INT32_MIN && v->i <= INT32_MAX);
}

static bool sqlite_column(void *handle, struct arena *a, int column, struct field_value *v)
{
    int type = sqlite3_column_type(handle, column);
    if (v->type == FIELD_REAL) {
        v->r = sqlite3_column_double(handle, column);
        return type == SQLITE_FLOAT || type == SQLITE_INTEGER || type == SQLITE_NULL;
    }
    if (v->type != FIELD_TEXT)
        return read_int(handle, column, v);
    const char *text = (const char *)sqlite3_column_text(handle, column);
    v->s = text ? arena_strndup(a, text, (size_t)sqlite3_column_bytes(handle, column)) : "";
    return type != SQLITE_BLOB;
}

// sqlite3_changes keeps its old value across statements that change nothing by nature.
static int64_t sqlite_changed(struct db *db, void *handle)
{
    (void)handle;
    struct link *link = db->link;
    bool some = sqlite3_total_changes64(link->db) != link->changes_before;
    return some ? sqlite3_changes64(link->db) : 0;
}

static int64_t sqlite_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(handle_of(db));
}

static struct err *sqlite_lock(struct db *db, struct arena *a)
{
    return insist(handle_of(db), a, "BEGIN IMMEDIATE", MIGRATION_WAIT_MS);
}

static struct err *sqlite_unlock(struct db *db, struct arena *a, bool keep)
{
    if (!sqlite_in_tx(db))
        return keep ? err_new(a, &err_db_failed, "the transaction was rolled back") : NULL;
    return insist(handle_of(db), a, keep ? "COMMIT" : "ROLLBACK", BUSY_TIMEOUT_MS);
}

const struct db_driver sqlite_driver = {
    .scheme = "sqlite",
    .words =
        {
            .quote = '"',
            .partial_index = true,
            .key = "INTEGER PRIMARY KEY AUTOINCREMENT",
            .type = {"INTEGER", "INTEGER", "INTEGER", "REAL", "TEXT"},
            .table_end = " STRICT",
            .begin = "BEGIN IMMEDIATE",
            .for_update = "",
            .columns = "SELECT name FROM pragma_table_info(?)",
            .indexes = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?",
            .upsert = ON_CONFLICT,
        },
    .open = sqlite_open,
    .close = sqlite_close_link,
    .shrink = sqlite_shrink,
    .in_tx = sqlite_in_tx,
    .command = sqlite_command,
    .prepare = sqlite_prepare,
    .finish = sqlite_finish,
    .run = sqlite_run,
    .next = sqlite_next,
    .reset = sqlite_reset,
    .columns = sqlite_columns,
    .column = sqlite_column,
    .changed = sqlite_changed,
    .last_id = sqlite_last_id,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
};
