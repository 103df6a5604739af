// Sessions: what is let in, and everything that ends one.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "model/tables.h"
#include "service/session.h"
#include "unit/common/db/fixture.h"

#define T(f) cmocka_unit_test_setup_teardown(f, open, close)

static struct fixture x;
static struct user user;
static struct session_ticket ticket;

static int open(void **state)
{
    (void)state;
    fixture_pool(&x, 1);
    assert_fine(db_lease(x.pool, x.a, &x.db));
    assert_fine(db_migrate(x.db, x.a, model_tables, model_migrations));
    session_setup(STR("a secret"));
    fields_default(x.a, user_table.fields, &user);
    user.username = "anna";
    assert_fine(db_insert(x.db, x.a, &user_table, &user));
    assert_fine(session_begin(x.db, x.a, &user, &(struct session_visit){"1.2.3.4", "a browser", 1},
                              &ticket));
    return 0;
}

static int close(void **state)
{
    (void)state;
    fixture_close(&x);
    return 0;
}

static struct err *check(void)
{
    struct session session;
    struct user found;
    return session_check(x.db, x.a, str_of(ticket.jwt), &session, &found);
}

static int64_t sessions(void)
{
    int64_t n = -1;
    assert_fine(db_int(x.db, x.a, &n, "SELECT COUNT(*) FROM sessions"));
    return n;
}

static void lets_its_owner_in(void **state)
{
    (void)state;
    struct session session;
    struct user found;
    assert_fine(session_check(x.db, x.a, str_of(ticket.jwt), &session, &found));
    assert_int_equal(found.id, user.id);
    assert_string_equal(session.ip, "1.2.3.4");
    assert_string_equal(session.user_agent, "a browser");
    assert_null(strstr(ticket.jwt, session.digest)); // the row cannot be turned into a cookie
    assert_true(session_csrf_fits(x.a, &session, str_of(ticket.csrf)));
    assert_false(session_csrf_fits(x.a, &session, STR("")));
    session.digest = "other";
    assert_false(session_csrf_fits(x.a, &session, str_of(ticket.csrf)));
}

static void another_secret_lets_nobody_in(void **state)
{
    (void)state;
    session_setup(STR("another secret"));
    assert_err(login_required, check());
}

static void ends_when_revoked(void **state)
{
    (void)state;
    struct session session;
    struct user found;
    assert_fine(session_check(x.db, x.a, str_of(ticket.jwt), &session, &found));
    assert_fine(session_revoke(x.db, x.a, session.digest));
    assert_err(login_required, check());
}

static void ends_with_time(void **state)
{
    (void)state;
    assert_fine(db_exec(x.db, x.a, NULL, "UPDATE sessions SET expires_at = ?", P(clock_now())));
    assert_err(login_required, check());
    struct session_ticket next;
    assert_fine(session_begin(x.db, x.a, &user, &(struct session_visit){"", "", 1}, &next));
    assert_int_equal(sessions(), 1); // the old one is gone
}

static void ends_with_the_user(void **state)
{
    (void)state;
    assert_fine(db_exec(x.db, x.a, NULL, "UPDATE users SET status = 2"));
    assert_err(user_disabled, check());
    assert_fine(db_exec(x.db, x.a, NULL, "DELETE FROM users"));
    assert_err(login_required, check());
}

static void others_can_be_ended(void **state)
{
    (void)state;
    struct session_ticket mine;
    struct session session;
    struct user found;
    assert_fine(session_begin(x.db, x.a, &user, &(struct session_visit){"", "", 1}, &mine));
    assert_fine(session_check(x.db, x.a, str_of(mine.jwt), &session, &found));
    assert_fine(session_end_others(x.db, x.a, user.id, session.id));
    assert_err(login_required, check());
    assert_fine(session_check(x.db, x.a, str_of(mine.jwt), &session, &found));
    assert_fine(session_end_others(x.db, x.a, user.id, 0));
    assert_err(login_required, session_check(x.db, x.a, str_of(mine.jwt), &session, &found));
}

static void long_agents_are_cut_between_characters(void **state)
{
    (void)state;
    char agent[1201];
    for (int i = 0; i < 400; i++)
        memcpy(agent + 3 * i, "界", 3);
    agent[1200] = '\0';
    assert_fine(session_begin(x.db, x.a, &user, &(struct session_visit){"", agent, 1}, &ticket));
    assert_fine(session_begin(x.db, x.a, &user, &(struct session_visit){"", "\xff", 1}, &ticket));
    struct rows rows;
    assert_fine(db_list(x.db, x.a, &session_table, &rows, "id > 0 ORDER BY id"));
    const struct session *all = rows.items;
    assert_int_equal(strlen(all[1].user_agent) % 3, 0);
    assert_in_range(strlen(all[1].user_agent), 490, 500);
    assert_string_equal(all[2].user_agent, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(lets_its_owner_in),
        T(another_secret_lets_nobody_in),
        T(ends_when_revoked),
        T(ends_with_time),
        T(ends_with_the_user),
        T(others_can_be_ended),
        T(long_agents_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
