// Changes reach those who listen for their kind, in order, with the id.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/change.h"

static char heard[64];

static struct err *on_token(struct arena *a, int64_t id)
{
    (void)a;
    snprintf(heard + (heard[0] ? 3 : 0), 8, "t%02d", (int)id);
    return NULL;
}

static struct err *on_user(struct arena *a, int64_t id)
{
    (void)a;
    snprintf(heard + (heard[0] ? 3 : 0), 8, "u%02d", (int)id);
    return NULL;
}

static struct err *on_user_too(struct arena *a, int64_t id)
{
    (void)a;
    snprintf(heard + (heard[0] ? 3 : 0), 8, "v%02d", (int)id);
    return NULL;
}

static void only_the_kind_listened_for(void **state)
{
    (void)state;
    change_publish(CHANGE_USER, 1); // nobody listens yet
    change_listen(CHANGE_TOKEN, on_token);
    change_listen(CHANGE_USER, on_user);
    change_listen(CHANGE_USER, on_user_too);
    change_publish(CHANGE_CHANNELS, 5);
    assert_string_equal(heard, "");
    change_publish(CHANGE_TOKEN, 7);
    assert_string_equal(heard, "t07");
    heard[0] = '\0';
    change_publish(CHANGE_USER, 8);
    assert_string_equal(heard, "u08v08");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_kind_listened_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
