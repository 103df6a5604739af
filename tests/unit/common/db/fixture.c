// Making and removing the databases of the tests.

#include "unit/common/db/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/db/driver.h"
#include "common/db/dsn.h"

static const struct field item_fields[] = {
    FIELD(struct item, id, .flags = KEY | SORT),
    FIELD(struct item, user_id, .flags = FILTER),
    FIELD(struct item, made_at, .flags = FILTER | SORT),
    FIELD(struct item, name, .flags = INDEX | FILTER | SORT, .max = 64),
    FIELD(struct item, email, .flags = UNIQUE | NULLABLE | FILTER, .max = 128),
    FIELD(struct item, secret, .flags = SEALED | SECRET | FILTER),
    FIELD(struct item, level, .flags = FILTER | SORT, .def = "1"),
    FIELD(struct item, on, .flags = FILTER, .def = "true"),
    FIELD(struct item, ratio, .flags = FILTER, .def = "0.5"),
    FIELD(struct item, shown, .flags = VIRTUAL),
    {0},
};
static const struct table_index item_indexes[] = {{"user_id, [name]", true}, {0}};
const struct table item_table = TABLE("items", struct item, item_fields, .indexes = item_indexes);

void fixture_assert_kind(struct err *e, const struct err_kind *want, const char *file, int line)
{
    if ((e ? e->kind : NULL) == want)
        return;
    print_error("%s: %s\n", e ? e->kind->code : "no error", e ? e->detail : "");
    _fail(file, line);
}

// --- servers ------------------------------------------------------------------------

static const char *server(void)
{
    const char *dsn = getenv("TF_TEST_DSN");
    return dsn && *dsn ? dsn : NULL;
}

bool fixture_on(const char *scheme)
{
    return text_eq(scheme, server() ? dsn_scheme(server()) : "sqlite");
}

static void tell_server(struct arena *a, const char *command)
{
    struct db *db;
    assert_fine(db_connect(db_driver_of(server()), a, server(), &db));
    assert_fine(db_command(db, a, command));
    db_disconnect(db);
}

static const char *name_in(const char *dsn)
{
    return strchr(strstr(dsn, "://") + 3, '/') + 1;
}

static void make_on_server(struct arena *a, char *dsn, size_t size)
{
    static int made;
    const char *at = name_in(server()), *rest = at + strcspn(at, "?");
    const char *name = arena_printf(a, "tf_unit_%d_%d", (int)getpid(), made++);
    tell_server(a, arena_printf(a, "CREATE DATABASE %s", name));
    snprintf(dsn, size, "%.*s%s%s", (int)(at - server()), server(), name, rest);
}

void fixture_make(struct arena *a, const char *path, char *dsn, size_t size)
{
    if (server())
        make_on_server(a, dsn, size);
    else
        snprintf(dsn, size, "sqlite:%s", path);
}

void fixture_remove(struct arena *a, const char *path, const char *dsn)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    if (server()) {
        const char *name = arena_strndup(a, name_in(dsn), strcspn(name_in(dsn), "?"));
        tell_server(a, arena_printf(a, "DROP DATABASE %s%s", name,
                                    fixture_on("postgres") ? " WITH (FORCE)" : ""));
        return;
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        unlink(arena_printf(a, "%s%s", path, ends[i]));
}

// --- fixtures -----------------------------------------------------------------------

void fixture_path(struct fixture *x)
{
    crypto_setup(STR("the secret of the tests"));
    *x = (struct fixture){.a = arena_new()};
    snprintf(x->path, sizeof(x->path), "/tmp/tf-test-XXXXXX");
    int fd = mkstemp(x->path);
    assert_true(fd >= 0);
    close(fd);
    unlink(x->path);
    fixture_make(x->a, x->path, x->dsn, sizeof(x->dsn));
}

void fixture_pool(struct fixture *x, int connections)
{
    fixture_path(x);
    assert_fine(db_pool_open(x->a, x->dsn, connections, &x->pool));
}

void fixture_open(struct fixture *x)
{
    const struct table *const tables[] = {&item_table, NULL};
    fixture_pool(x, 1);
    assert_fine(db_lease(x->pool, x->a, &x->db));
    assert_fine(db_migrate(x->db, x->a, tables, NULL));
}

void fixture_close(struct fixture *x)
{
    db_return(x->db);
    db_pool_close(x->pool);
    fixture_remove(x->a, x->path, x->dsn);
    arena_free(x->a);
}

struct item fixture_item(int64_t user_id, const char *name)
{
    return (struct item){.user_id = user_id,
                         .name = name,
                         .secret = "s3cret",
                         .level = 2,
                         .on = true,
                         .ratio = 1.25,
                         .made_at = 1700000000 + user_id};
}
