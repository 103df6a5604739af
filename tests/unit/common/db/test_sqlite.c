// The SQLite driver: how files are opened, what connections are set to, and what errors become.

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "unit/common/db/fixture.h"

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

static int64_t pragma(struct fixture *x, const char *name)
{
    int64_t v = -1;
    assert_fine(db_int(x->db, x->a, &v, arena_printf(x->a, "PRAGMA %s", name)));
    return v;
}

static void connections_are_set_up(void **state)
{
    struct fixture *x = *state;
    int64_t n;
    assert_int_equal(pragma(x, "synchronous"), 1);
    assert_int_equal(pragma(x, "foreign_keys"), 1);
    assert_int_equal(pragma(x, "busy_timeout"), 5000);
    assert_fine(db_int(x->db, x->a, &n,
                       "SELECT COUNT(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"));
    assert_int_equal(n, 1);
    assert_fine(db_int(x->db, x->a, &n,
                       "SELECT COUNT(*) FROM pragma_table_list WHERE [name] = 'items' AND strict"));
    assert_int_equal(n, 1);
}

static void only_the_owner_reads_the_file(void **state)
{
    struct fixture *x = *state;
    static const char *const ends[] = {"", "-wal"};
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        assert_int_equal(stat(arena_printf(x->a, "%s%s", x->path, ends[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void misspelt_names_are_errors(void **state)
{
    struct fixture *x = *state;
    assert_err(db_failed, db_exec(x->db, x->a, NULL, "DELETE FROM items WHERE [nmae] = 'x'"));
}

static void opening_fails(void **state)
{
    struct fixture *x = *state;
    static const char *const bad[] = {
        "",
        "sqlite",
        "sqlite:",
        "sqlite:/nowhere/at/all.db",
        "sqlite:/tmp",
        "sqlitex:/tmp/x",
        "oracle:secret@host",
        ":memory:",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct db_pool *pool = (void *)x;
        struct err *e = db_pool_open(x->a, bad[i], 1, &pool);
        assert_err(db_unavailable, e);
        assert_null(pool);
        assert_null(strstr(e->detail, "secret"));
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; f && i < 1000; i++)
        fputs(text, f);
    assert_int_equal(f ? fclose(f) : EOF, 0);
}

static void not_a_database(void **state)
{
    (void)state;
    struct fixture x;
    fixture_path(&x);
    write_file(x.path, "this is a letter to my aunt");
    struct db_pool *pool;
    assert_err(db_unavailable, db_pool_open(x.a, x.dsn, 1, &pool));
    fixture_close(&x);
}

// Damaged while in use: reported as such, and the connection is not used again.
static void damaged_database(void **state)
{
    struct fixture *x = *state;
    struct item in = fixture_item(1, "n"), out;
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_fine(db_exec(x->db, x->a, NULL, "PRAGMA wal_checkpoint(TRUNCATE)"));
    db_return(x->db);
    db_pool_close(x->pool);
    x->pool = NULL;
    x->db = NULL;
    int fd = open(x->path, O_RDWR);
    assert_true(fd >= 0);
    char junk[512];
    memset(junk, 0xa5, sizeof(junk));
    for (off_t at = 4096; pwrite(fd, junk, sizeof(junk), at) > 0 && at < 64 * 1024; at += 4096)
        continue; // every page but the first
    close(fd);
    assert_fine(db_pool_open(x->a, x->dsn, 1, &x->pool));
    assert_fine(db_lease(x->pool, x->a, &x->db));
    assert_err(db_unavailable, db_find(x->db, x->a, &item_table, &out, "[name] = ?", P("n")));
    assert_true(x->db->broken);
}

static void primary_key_twice(void **state)
{
    struct fixture *x = *state;
    static const char insert[] = "INSERT INTO items (id, user_id) VALUES (?, ?)";
    assert_fine(db_exec(x->db, x->a, NULL, insert, P(5), P(1)));
    assert_err(db_duplicate, db_exec(x->db, x->a, NULL, insert, P(5), P(2)));
    assert_err(db_duplicate, db_exec(x->db, x->a, NULL, insert, P(6), P(1))); // user_id, name
    assert_err(db_failed, db_exec(x->db, x->a, NULL, insert, P(7), P((char *)NULL)));
}

static void full_disk(void **state)
{
    struct fixture *x = *state;
    int64_t n = pragma(x, "page_count");
    assert_fine(db_exec(x->db, x->a, NULL,
                        arena_printf(x->a, "PRAGMA max_page_count = %lld", (long long)n)));
    struct item *in = NEW_ARRAY(x->a, struct item, 2000);
    for (int i = 0; i < 2000; i++)
        in[i] = fixture_item(i, "n");
    assert_err(db_unavailable, db_insert_all(x->db, x->a, &item_table, in, 2000));
    assert_fine(db_int(x->db, x->a, &n, "SELECT COUNT(*) FROM items"));
    assert_int_equal(n, 0);
    assert_true(x->db->broken); // the pool replaces it
}

// Ids are not used again, so that an old reference never means a new row.
static void ids_are_not_reused(void **state)
{
    struct fixture *x = *state;
    struct item one = fixture_item(1, "n"), two = fixture_item(2, "n");
    assert_fine(db_insert(x->db, x->a, &item_table, &one));
    assert_fine(db_exec(x->db, x->a, NULL, "DELETE FROM items"));
    assert_fine(db_insert(x->db, x->a, &item_table, &two));
    assert_true(two.id > one.id);
}

static void somebody_else_writes(void **state)
{
    struct fixture *x = *state;
    struct db *other;
    assert_fine(db_connect(&sqlite_driver, x->a, x->dsn, &other));
    assert_fine(db_exec(other, x->a, NULL, "PRAGMA busy_timeout = 20"));
    {
        TX tx = tx_begin(x->db, x->a);
        assert_fine(tx.failed);
        struct item in = fixture_item(1, "n");
        assert_err(db_busy, db_insert(other, x->a, &item_table, &in));
        int64_t n; // readers do not wait for writers
        assert_fine(db_int(other, x->a, &n, "SELECT COUNT(*) FROM items"));
    }
    struct item in = fixture_item(1, "n");
    assert_fine(db_insert(other, x->a, &item_table, &in));
    db_disconnect(other);
}

static void locks_that_stay_are_reported(void **state)
{
    struct fixture *x = *state;
    struct db *other;
    assert_fine(db_connect(&sqlite_driver, x->a, x->dsn, &other));
    TX tx = tx_begin(x->db, x->a);
    assert_fine(tx.failed);
    int64_t began = clock_steady_ms();
    {
        TX second = tx_begin(other, x->a);
        assert_err(db_busy, second.failed);
    }
    int64_t took = clock_steady_ms() - began;
    assert_true(took >= 4500 && took < 12000);
    db_disconnect(other);
}

// Another program that looks into the file and leaves must not believe that it was the last: it
// would take the -wal along, with all that is written from then on.
static void somebody_else_comes_and_goes(void **state)
{
    struct fixture *x = *state;
    struct db *other;
    struct item in = fixture_item(1, "n");
    struct stat before, after;
    const char *wal = arena_printf(x->a, "%s-wal", x->path);
    assert_fine(db_insert(x->db, x->a, &item_table, &in));
    assert_fine(db_connect(&sqlite_driver, x->a, x->dsn, &other)); // as a pool does at any time
    assert_int_equal(stat(wal, &before), 0);
    assert_int_equal(
        system(arena_printf(x->a, "sqlite3 %s 'SELECT COUNT(*) FROM items' >/dev/null", x->path)),
        0);
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    db_disconnect(other);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(connections_are_set_up),
        T(only_the_owner_reads_the_file),
        T(misspelt_names_are_errors),
        T(opening_fails),
        T(not_a_database),
        T(damaged_database),
        T(full_disk),
        T(primary_key_twice),
        T(ids_are_not_reused),
        T(somebody_else_writes),
        T(somebody_else_comes_and_goes),
        T(locks_that_stay_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
