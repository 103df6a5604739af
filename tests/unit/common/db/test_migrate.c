// Schema and migrations: fresh, from older states, twice at once, killed half-way, too new.

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "common/db/schema.h"
#include "unit/common/db/fixture.h"

// The same table, then and now.
struct old_user {
    int64_t id;
    const char *name, *mail;
};
static const struct field old_fields[] = {
    FIELD(struct old_user, id, .flags = KEY),
    FIELD(struct old_user, name, .max = 32),
    FIELD(struct old_user, mail, .max = 64),
    {0},
};
static const struct table old_table = TABLE("users", struct old_user, old_fields);
static const struct table *const old_tables[] = {&old_table, NULL};

struct user {
    int64_t id;
    const char *name, *email, *note, *code;
    int64_t quota;
    bool active;
    double ratio;
    int level;
};
static const struct field user_fields[] = {
    FIELD(struct user, id, .flags = KEY),
    FIELD(struct user, name, .flags = INDEX, .max = 32),
    FIELD(struct user, email, .flags = UNIQUE | NULLABLE, .max = 64),
    FIELD(struct user, note, .def = "it's \"new\""),
    FIELD(struct user, code, .flags = NULLABLE, .max = 8),
    FIELD(struct user, quota, .def = "-5"),
    FIELD(struct user, active, .def = "true"),
    FIELD(struct user, ratio, .def = "0.1"),
    FIELD(struct user, level),
    {0},
};
static const struct table_index user_indexes[] = {{"quota, [id]", false}, {0}};
static const struct table user_table =
    TABLE("users", struct user, user_fields, .indexes = user_indexes);

struct run {
    int64_t id, number;
};
static const struct field run_fields[] = {
    FIELD(struct run, id, .flags = KEY),
    FIELD(struct run, number),
    {0},
};
static const struct table run_table = TABLE("runs", struct run, run_fields);
static const struct table *const tables[] = {&user_table, &run_table, NULL};

static struct err *note_run(struct db *db, struct arena *a, int64_t number)
{
    struct run run = {.number = number};
    return db_insert(db, a, &run_table, &run);
}

// What migrate.c's header says about renaming.
static struct err *rename_mail(struct db *db, struct arena *a)
{
    bool has = false;
    TRY(note_run(db, a, 1));
    TRY(db_has_column(db, a, "users", "mail", &has));
    if (!has)
        return NULL;
    TRY(db_exec(db, a, NULL, "UPDATE users SET email = mail WHERE mail <> ''"));
    return db_exec(db, a, NULL, "ALTER TABLE users DROP COLUMN mail");
}

static struct err *second(struct db *db, struct arena *a)
{
    return note_run(db, a, 2);
}

static struct err *killed(struct db *db, struct arena *a)
{
    TRY(note_run(db, a, 2));
    raise(SIGKILL);
    return NULL;
}

static struct err *fails(struct db *db, struct arena *a)
{
    TRY(note_run(db, a, 2));
    return db_exec(db, a, NULL, "UPDATE nowhere SET x = 1");
}

static const struct migration migrations[] = {
    {1, "rename mail", rename_mail}, {2, "second", second}, {0}};
static const struct migration killing[] = {
    {1, "rename mail", rename_mail}, {2, "second", killed}, {0}};
static const struct migration failing[] = {
    {1, "rename mail", rename_mail}, {2, "second", fails}, {0}};

static int set_up(void **state)
{
    static struct fixture x;
    fixture_pool(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &x.db));
    *state = &x;
    return 0;
}

static int tear_down(void **state)
{
    fixture_close(*state);
    return 0;
}

static int64_t ask(struct fixture *x, const char *sql)
{
    int64_t n = -1;
    assert_fine(db_int(x->db, x->a, &n, sql));
    return n;
}

static void old_database(struct fixture *x)
{
    struct old_user u = {.name = "ann", .mail = "ann@b.c"};
    assert_fine(db_migrate(x->db, x->a, old_tables, NULL));
    assert_fine(db_insert(x->db, x->a, &old_table, &u));
    assert_fine(db_insert(x->db, x->a, &old_table, &(struct old_user){.name = "bob"}));
}

static void assert_new_state(struct fixture *x)
{
    struct user u;
    assert_fine(db_find(x->db, x->a, &user_table, &u, "[name] = ?", P("ann")));
    assert_string_equal(u.email, "ann@b.c");
    assert_string_equal(u.note, "it's \"new\"");
    assert_string_equal(u.code, "");
    assert_int_equal(u.quota, -5);
    assert_int_equal(u.level, 0);
    assert_true(u.active);
    assert_true(u.ratio == 0.1);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM runs"), 2);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM schema_migrations WHERE number IN (0, 1, 2)"), 3);
    bool has = true;
    assert_fine(db_has_column(x->db, x->a, "users", "mail", &has));
    assert_false(has);
}

// --- one start ----------------------------------------------------------------------

static void fresh(void **state)
{
    struct fixture *x = *state;
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM schema_migrations"), 3);
    assert_int_equal(ask(x, "SELECT MIN(applied_at) FROM schema_migrations") > 1700000000, 1);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM runs"), 0); // they are for older states
    struct user u = {.name = "ann", .quota = 3};
    assert_fine(db_insert(x->db, x->a, &user_table, &u));
    assert_fine(db_migrate(x->db, x->a, tables, migrations)); // the next start changes nothing
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM users"), 1);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM runs"), 0);
    assert_false(x->db->in_tx);
}

static void from_an_older_state(void **state)
{
    struct fixture *x = *state;
    old_database(x);
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_new_state(x);
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_new_state(x);
}

static const struct rows *indexes_of(struct fixture *x, const char *table)
{
    static const struct field fields[] = {FIELD(struct schema_name, name), {0}};
    static const struct table names = TABLE("names", struct schema_name, fields);
    struct rows *rows = NEW(x->a, struct rows);
    assert_fine(db_query(x->db, x->a, &names, rows, x->db->driver->words.indexes, P(table)));
    return rows;
}

static void names_of_indexes(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = {"index_users_name", "unique_users_email",
                                        "index_users_quota_id"};
    assert_fine(db_migrate(x->db, x->a, tables, NULL));
    for (size_t i = 0; i < 3; i++)
        assert_true(schema_has(indexes_of(x, "users"), names[i]));
}

// A new UNIQUE index comes after the migration that makes the values unique.
static struct err *make_unique(struct db *db, struct arena *a)
{
    return db_exec(db, a, NULL, "UPDATE users SET [name] = [name] || id");
}

static void unique_after_tidying(void **state)
{
    struct fixture *x = *state;
    static const struct field fields[] = {
        FIELD(struct old_user, id, .flags = KEY),
        FIELD(struct old_user, name, .flags = UNIQUE, .max = 32),
        {0},
    };
    static const struct table table = TABLE("users", struct old_user, fields);
    static const struct table *const list[] = {&table, NULL};
    static const struct migration tidy[] = {{1, "unique names", make_unique}, {0}};
    old_database(x);
    assert_fine(db_exec(x->db, x->a, NULL, "UPDATE users SET [name] = 'same'"));
    assert_err(db_duplicate, db_migrate(x->db, x->a, list, NULL));
    assert_fine(db_migrate(x->db, x->a, list, tidy));
    assert_err(db_duplicate, db_exec(x->db, x->a, NULL, "UPDATE users SET [name] = 'same'"));
}

static void long_index_names(void **state)
{
    struct fixture *x = *state;
    static const struct field fields[] = {
        FIELD_AS(struct run, id, "id", .flags = KEY),
        FIELD_AS(struct run, number, "a_column_with_a_name_that_goes_on_and_on_and_on_and_on_1",
                 .flags = INDEX),
        FIELD_AS(struct run, number, "a_column_with_a_name_that_goes_on_and_on_and_on_and_on_2",
                 .flags = INDEX),
        {0},
    };
    static const struct table table = TABLE("a_long_name", struct run, fields);
    static const struct table *const list[] = {&table, NULL};
    assert_fine(db_migrate(x->db, x->a, list, NULL));
    assert_fine(db_migrate(x->db, x->a, list, NULL));
    const struct rows *names = indexes_of(x, "a_long_name");
    size_t short_enough = 0;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = ((struct schema_name *)names->items)[i].name;
        short_enough += str_starts(str_of(name), "index_") && strlen(name) <= 60;
    }
    assert_int_equal(short_enough, 2);
}

static void what_cannot_be_indexed(void **state)
{
    struct fixture *x = *state;
    static const struct field unlimited[] = {FIELD(struct user, name, .flags = INDEX), {0}};
    static const struct field sealed[] = {
        FIELD(struct user, name, .flags = SEALED | UNIQUE, .max = 9), {0}};
    static const struct field plain[] = {FIELD(struct user, level), {0}};
    static const struct table_index nowhere[] = {{"level, nope", false}, {0}};
    static const struct field long_texts[] = {
        FIELD(struct user, name, .max = 700), FIELD(struct user, email, .max = 69), {0}};
    static const struct table_index both[] = {{"[name], email", false}, {0}};
    const struct table wrong[] = {
        TABLE("one", struct user, unlimited), TABLE("two", struct user, sealed),
        TABLE("three", struct user, plain, .indexes = nowhere),
        TABLE("four", struct user, long_texts, .indexes = both), // 769 characters
    };
    for (size_t i = 0; i < 4; i++) {
        const struct table *const list[] = {&wrong[i], NULL};
        struct err *e = db_migrate(x->db, x->a, list, NULL);
        assert_err(db_failed, e);
        assert_non_null(strstr(e->detail, wrong[i].name));
    }
}

// --- refusals -----------------------------------------------------------------------

static void newer_database(void **state)
{
    struct fixture *x = *state;
    static const struct migration fewer[] = {{1, "rename mail", rename_mail}, {0}};
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    struct err *e = db_migrate(x->db, x->a, tables, fewer);
    assert_err(db_failed, e);
    assert_non_null(strstr(e->detail, "migration 2 (second)"));
    assert_err(db_failed, db_migrate(x->db, x->a, tables, NULL));
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
}

static void another_history(void **state)
{
    struct fixture *x = *state;
    static const struct migration others[] = {
        {1, "rename mail", rename_mail}, {2, "something else", second}, {0}};
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_err(db_failed, db_migrate(x->db, x->a, tables, others));
}

static void somebody_elses_database(void **state)
{
    struct fixture *x = *state;
    assert_fine(
        db_exec(x->db, x->a, NULL, "CREATE TABLE users (id INTEGER PRIMARY KEY, [name] TEXT)"));
    struct err *e = db_migrate(x->db, x->a, tables, migrations);
    assert_err(db_failed, e);
    assert_non_null(strstr(e->detail, "users that is not Token Factory's"));
    bool has = true;
    assert_fine(db_has_column(x->db, x->a, "schema_migrations", "number", &has));
    assert_false(has); // left as it was
}

static void lists_with_holes(void **state)
{
    struct fixture *x = *state;
    static const struct migration hole[] = {{1, "a", second}, {3, "b", second}, {0}};
    static const struct migration twice[] = {{1, "a", second}, {1, "b", second}, {0}};
    assert_err(db_failed, db_migrate(x->db, x->a, tables, hole));
    assert_err(db_failed, db_migrate(x->db, x->a, tables, twice));
}

// All or nothing, but where DDL commits the first migration stays done.
static void assert_undone_where_possible(struct fixture *x)
{
    bool has;
    assert_fine(db_has_column(x->db, x->a, "users", "mail", &has));
    assert_true(has == !x->db->driver->words.ddl_commits);
}

static void a_migration_fails(void **state)
{
    struct fixture *x = *state;
    old_database(x);
    struct err *e = db_migrate(x->db, x->a, tables, failing);
    assert_err(db_failed, e);
    assert_non_null(strstr(e->detail, "migration 2 (second)"));
    assert_undone_where_possible(x);
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_new_state(x);
}

// A fresh start that was cut off where DDL cannot be rolled back: marked, but tables are missing.
static void continued_fresh_start(void **state)
{
    struct fixture *x = *state;
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_fine(db_exec(x->db, x->a, NULL, "DROP TABLE users"));
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM users"), 0);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM runs"), 0);
}

static void not_inside_a_transaction(void **state)
{
    struct fixture *x = *state;
    TX tx = tx_begin(x->db, x->a);
    assert_fine(tx.failed);
    assert_err(db_failed, db_migrate(x->db, x->a, tables, migrations));
}

// --- other processes ------------------------------------------------------------------

// Waits for the starting shot (the pipe's end), then starts like a node does. 0 = fine.
static int start_node(const char *dsn, int shot, const struct migration *list)
{
    char byte;
    while (read(shot, &byte, 1) > 0)
        continue;
    ARENA(a);
    struct db_pool *pool = NULL;
    struct err *e = db_pool_open(a, dsn, 1, &pool);
    struct db *db = NULL;
    if (!e)
        e = db_lease(pool, a, &db);
    if (!e)
        e = db_migrate(db, a, tables, list);
    if (e)
        fprintf(stderr, "%s: %s\n", e->kind->code, e->detail);
    db_return(db);
    db_pool_close(pool);
    return e != NULL;
}

static pid_t fork_node(struct fixture *x, const int shot[2], const struct migration *list)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    close(shot[1]);
    _exit(start_node(x->dsn, shot[0], list));
}

// No connection may be carried across a fork.
static void let_go(struct fixture *x)
{
    db_return(x->db);
    db_pool_close(x->pool);
    x->db = NULL;
    x->pool = NULL;
}

static void take_up(struct fixture *x)
{
    assert_fine(db_pool_open(x->a, x->dsn, 1, &x->pool));
    assert_fine(db_lease(x->pool, x->a, &x->db));
}

static void start_at_once(struct fixture *x)
{
    enum { NODES = 4 };
    int shot[2], status;
    pid_t nodes[NODES];
    assert_int_equal(pipe(shot), 0);
    for (int i = 0; i < NODES; i++)
        nodes[i] = fork_node(x, shot, migrations);
    close(shot[1]);
    close(shot[0]);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(waitpid(nodes[i], &status, 0), nodes[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void several_at_once_on_an_old_one(void **state)
{
    struct fixture *x = *state;
    old_database(x);
    let_go(x);
    start_at_once(x);
    take_up(x);
    assert_new_state(x); // each migration ran once
}

static void several_at_once_on_nothing(void **state)
{
    struct fixture *x = *state;
    let_go(x);
    unlink(x->path);
    start_at_once(x);
    take_up(x);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM schema_migrations"), 3);
    assert_int_equal(ask(x, "SELECT COUNT(*) FROM runs"), 0);
}

static void killed_half_way(void **state)
{
    struct fixture *x = *state;
    int shot[2], status;
    old_database(x);
    let_go(x);
    assert_int_equal(pipe(shot), 0);
    pid_t node = fork_node(x, shot, killing);
    close(shot[1]);
    close(shot[0]);
    assert_int_equal(waitpid(node, &status, 0), node);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    take_up(x);
    assert_undone_where_possible(x);
    assert_fine(db_migrate(x->db, x->a, tables, migrations));
    assert_new_state(x);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(fresh),
        T(from_an_older_state),
        T(names_of_indexes),
        T(unique_after_tidying),
        T(long_index_names),
        T(what_cannot_be_indexed),
        T(newer_database),
        T(another_history),
        T(somebody_elses_database),
        T(lists_with_holes),
        T(a_migration_fails),
        T(continued_fresh_start),
        T(not_inside_a_transaction),
        T(several_at_once_on_an_old_one),
        T(several_at_once_on_nothing),
        T(killed_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
