// The root account made from the environment: once, whole, and not again on the next start.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "model/tables.h"
#include "model/token.h"
#include "service/setup.h"
#include "service/user.h"
#include "unit/common/db/fixture.h"

#define T(f) cmocka_unit_test(f)

static void makes_the_account_and_its_keys(void **state)
{
    (void)state;
    struct fixture x;
    struct boot boot;
    struct user root;
    struct token token;
    fixture_pool(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &x.db));
    assert_fine(db_migrate(x.db, x.a, model_tables, model_migrations));
    fields_default(x.a, boot_fields, &boot);
    boot.root_password = "short";
    assert_err(password_weak, setup_root(x.db, x.a, &boot));
    boot.root_password = "long enough";
    boot.root_username = "boss";
    boot.root_access_token = "an-access-token";
    boot.root_token = "sk-relay-key";
    for (int start = 0; start < 2; start++) {
        assert_fine(setup_root(x.db, x.a, &boot));
        assert_null(setup_link(x.a, &boot));
    }
    assert_fine(user_by_name(x.db, x.a, "boss", &root));
    assert_int_equal(root.role, ROLE_ROOT);
    assert_int_equal(root.quota, ROOT_QUOTA);
    assert_fine(user_by_access_token(x.db, x.a, token_digest(x.a, "an-access-token"), &root));
    assert_fine(token_by_digest(x.db, x.a, token_digest(x.a, token_bare("sk-relay-key")), &token));
    assert_string_equal(token.key, "relay-key");
    assert_true(token.unlimited_quota);
    assert_int_equal(token.user_id, root.id);
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(makes_the_account_and_its_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
