// The first start, both ways: a link that works once, or an account from the environment.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "model/tables.h"
#include "model/token.h"
#include "service/setup.h"
#include "unit/common/db/fixture.h"

#define T(f) cmocka_unit_test(f)

static struct fixture x;
static struct boot boot;

static void open(void)
{
    fixture_pool(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &x.db));
    assert_fine(db_migrate(x.db, x.a, model_tables, model_migrations));
    fields_default(x.a, boot_fields, &boot);
}

// In this order: that a root exists is remembered by the process.
static void a_link_works_once(void **state)
{
    (void)state;
    struct user root;
    bool done;
    open();
    boot.host = "::";
    boot.port = 3000;
    assert_null(setup_link(x.a, &boot));
    assert_fine(setup_root(x.db, x.a, &boot));
    const char *link = setup_link(x.a, &boot);
    assert_memory_equal(link, "http://localhost:3000/setup?token=", 34);
    const char *token = link + 34;
    assert_int_equal(strlen(token), 40);
    assert_fine(setup_is_done(x.db, x.a, &done));
    assert_false(done);
    assert_err(setup_token_invalid, setup_by_link(x.db, x.a, "", "r", "password", &root));
    assert_err(setup_token_invalid, setup_by_link(x.db, x.a, "x", "r", "password", &root));
    assert_err(password_weak, setup_by_link(x.db, x.a, token, "r", "short", &root));
    assert_err(name_invalid, setup_by_link(x.db, x.a, token, "", "password", &root));
    assert_fine(setup_by_link(x.db, x.a, token, "admin", "password", &root));
    assert_int_equal(root.role, ROLE_ROOT);
    assert_int_equal(root.quota, ROOT_QUOTA);
    assert_fine(setup_is_done(x.db, x.a, &done));
    assert_true(done);
    assert_err(setup_done, setup_by_link(x.db, x.a, token, "other", "password", &root));
    assert_fine(setup_root(x.db, x.a, &boot));
    assert_null(setup_link(x.a, &boot));
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(a_link_works_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
