// Errors: one row each, found by code, passed up by TRY.

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"

static const char *const codes[] = {
#define ERR(code, status, retry) #code,
#include "common/errors.def"
#undef ERR
};
enum { COUNT = sizeof(codes) / sizeof(*codes) };

static void rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const struct err_kind *kind = err_kind_by_code(codes[i]);
        assert_non_null(kind);
        assert_string_equal(kind->code, codes[i]);
        assert_true(kind->status >= 400 && kind->status < 600);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(codes[k], codes[i]);
    }
    assert_null(err_kind_by_code("no_such_code"));
    assert_null(err_kind_by_code(""));
    assert_ptr_equal(err_kind_by_code("db_busy"), &err_db_busy);
}

static void made(void **state)
{
    (void)state;
    ARENA(a);
    struct err *e = err_new(a, &err_not_found, "%s %d", "token", 5);
    assert_ptr_equal(e->kind, &err_not_found);
    assert_string_equal(e->detail, "token 5");
    assert_int_equal(e->status, 404);
    assert_int_equal(e->retry_after, 0);
    e = err_new(a, &err_internal, "%5000d", 1);
    assert_true(strlen(e->detail) < 5000);
}

static int calls;
static struct err *counted(struct err *e)
{
    calls++;
    return e;
}

static struct err *tries(struct err *e)
{
    TRY(counted(e));
    TRY(counted(NULL));
    return NULL;
}

static void passed_up(void **state)
{
    (void)state;
    struct err e = {0};
    assert_ptr_equal(tries(&e), &e);
    assert_int_equal(calls, 1);
    assert_null(tries(NULL));
    assert_int_equal(calls, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(made),
        cmocka_unit_test(passed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
