// Making and removing the databases of the tests.

#include "unit/common/db/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/crypto.h"

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

void fixture_path(struct fixture *x)
{
    crypto_setup(STR("the secret of the tests"));
    *x = (struct fixture){.a = arena_new()};
    snprintf(x->path, sizeof(x->path), "/tmp/tf-test-XXXXXX");
    int fd = mkstemp(x->path);
    assert_true(fd >= 0);
    close(fd);
    unlink(x->path);
    snprintf(x->dsn, sizeof(x->dsn), "sqlite:%s", x->path);
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
    for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end; end++)
        unlink(arena_printf(x->a, "%s%s", x->path, *end));
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
