// Managing users: ranks, quotas, and that rights end at once.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "service/ledger.h"
#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)
#define SELF "/api/user/self"
#define MANAGE "/api/user/manage"

static struct answer manage(int status, const struct asking *who, int64_t id, const char *rest)
{
    return ask_for(status, who, "POST", MANAGE, text_of("{'id':%lld,%s}", (long long)id, rest));
}

static const char *path_of(int64_t id)
{
    return text_of("/api/users/%lld", (long long)id);
}

static void makes_and_lists_users(void **state)
{
    (void)state;
    int64_t id = gateway_user("listed", 1, NULL);
    struct answer x = ask_for(200, &as_root, "GET", "/api/users?username=listed", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    yyjson_val *items = yyjson_obj_get(x.data, "items"), *item = yyjson_arr_get(items, 0);
    assert_int_equal(json_int_at(item, "id", 0), id);
    assert_int_equal(json_int_at(item, "quota", 0), 5000);
    assert_null(strstr(x.text.p, "argon2"));
    x = ask_for(200, &as_root, "GET", "/api/users/search?keyword=LISTE", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    x = ask_for(200, &as_root, "GET", path_of(id), NULL);
    assert_string_equal(data_text(&x, "username"), "listed");
    ask_for(404, &as_root, "GET", "/api/users/999999", NULL);
    ask_for(404, &as_root, "GET", "/api/users/x", NULL);
    x = ask_for(409, &as_root, "POST", "/api/users", "{'username':'listed','password':'password'}");
    assert_string_equal(x.code, "name_taken");
    ask_for(400, &as_root, "POST", "/api/users",
            "{'username':'unbilled','password':'password','group':'no such group'}");
}

static void pages_without_gap_or_overlap(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        gateway_user(text_of("page %d", i), 1, NULL);
    struct answer x = ask_for(200, &as_root, "GET",
                              "/api/users/search?keyword=page&page_size=2&p=2&sort=username", NULL);
    assert_int_equal(data_int(&x, "page"), 2);
    assert_int_equal(data_int(&x, "page_size"), 2);
    assert_int_equal(data_int(&x, "total"), 5);
    yyjson_val *items = yyjson_obj_get(x.data, "items");
    assert_string_equal(json_text_at(yyjson_arr_get(items, 0), "username"), "page 2");
    assert_string_equal(json_text_at(yyjson_arr_get(items, 1), "username"), "page 3");
    x = ask_for(200, &as_root, "GET", "/api/users/?sort=-username&page_size=1", NULL);
    items = yyjson_obj_get(x.data, "items");
    assert_int_equal(yyjson_arr_size(items), 1);
    static const char *const wrong[] = {"p=0",           "p=x",     "page_size=0", "page_size=101",
                                        "sort=password", "sort=-x", "role=x",      "username=%ff"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        ask_for(400, &as_root, "GET", text_of("/api/users?%s", wrong[i]), NULL);
}

static void nobody_touches_his_equals(void **state)
{
    (void)state;
    struct asking admin, common;
    int64_t admin_id = gateway_user("rank admin", 10, &admin);
    int64_t other_id = gateway_user("rank other", 10, NULL);
    int64_t common_id = gateway_user("rank common", 1, &common);
    ask_for(403, &common, "GET", "/api/users", NULL);
    ask_for(403, &common, "POST", MANAGE, "{'id':1,'action':'enable'}");
    struct answer x = ask_for(403, &admin, "PUT", path_of(other_id), "{'remark':'x'}");
    assert_string_equal(x.code, "rank_forbidden");
    ask_for(403, &admin, "PUT", path_of(admin_id), "{'role':100}");
    ask_for(403, &admin, "DELETE", path_of(other_id), NULL);
    ask_for(403, &admin, "GET", path_of(1), NULL);
    x = ask_for(200, &admin, "GET", "/api/users/search?keyword=rank", NULL);
    assert_int_equal(data_int(&x, "total"), 2); // himself and the one below
    ask_for(403, &admin, "PUT", path_of(common_id), "{'role':10}");
    ask_for(403, &admin, "POST", "/api/users",
            "{'username':'too high','password':'password','role':10}");
    manage(403, &admin, common_id, "'action':'promote'");
    manage(403, &admin, admin_id, "'action':'add_quota','value':1");
    x = ask_for(200, &admin, "PUT", path_of(common_id), "{'remark':'fine','quota':999999}");
    assert_string_equal(data_text(&x, "remark"), "fine");
    assert_int_equal(data_int(&x, "quota"), 5000);
    x = ask_for(200, &common, "GET", SELF, NULL);
    assert_null(yyjson_obj_get(x.data, "remark")); // not his to see
    ask_for(400, &as_root, "PUT", path_of(common_id), "{'role':50}");
}

static void root_stays(void **state)
{
    (void)state;
    struct asking admin;
    gateway_user("usurper", 10, &admin);
    ask_for(403, &as_root, "DELETE", path_of(1), NULL);
    ask_for(403, &admin, "DELETE", path_of(1), NULL);
    manage(403, &as_root, 1, "'action':'disable'");
    manage(403, &as_root, 1, "'action':'demote'");
    manage(403, &as_root, 1, "'action':'delete'");
    ask_for(403, &as_root, "PUT", path_of(1), "{'role':1}");
    ask_for(200, &as_root, "GET", SELF, NULL);
}

static void rights_end_at_once(void **state)
{
    (void)state;
    struct asking me;
    int64_t id = gateway_user("falling", 1, &me);
    manage(200, &as_root, id, "'action':'promote'");
    me = gateway_login("falling", "password");
    ask_for(200, &me, "GET", "/api/users", NULL);
    manage(200, &as_root, id, "'action':'demote'");
    ask_for(401, &me, "GET", SELF, NULL);
    me = gateway_login("falling", "password");
    ask_for(403, &me, "GET", "/api/users", NULL);
    manage(200, &as_root, id, "'action':'disable'");
    ask_for(401, &me, "GET", SELF, NULL);
    struct answer x = ask_for(403, &as_nobody, "POST", "/api/user/login",
                              "{'username':'falling','password':'password'}");
    assert_string_equal(x.code, "user_disabled");
    manage(200, &as_root, id, "'action':'enable'");
    me = gateway_login("falling", "password");
    ask_for(200, &as_root, "PUT", path_of(id), "{'password':'another-one'}");
    ask_for(401, &me, "GET", SELF, NULL);
    me = gateway_login("falling", "another-one");
    ask_for(200, &as_root, "DELETE", path_of(id), NULL);
    ask_for(401, &me, "GET", SELF, NULL);
    ask_for(404, &as_root, "GET", path_of(id), NULL);
}

static void changes_quota_and_says_so(void **state)
{
    (void)state;
    struct asking me;
    int64_t id = gateway_user("rich", 1, &me);
    struct answer x = manage(200, &as_root, id, "'action':'add_quota','mode':'add','value':1000");
    assert_int_equal(data_int(&x, "quota"), 6000);
    x = manage(200, &as_root, id, "'action':'add_quota','mode':'subtract','value':2500");
    assert_int_equal(data_int(&x, "quota"), 3500);
    x = manage(409, &as_root, id, "'action':'add_quota','mode':'subtract','value':3501");
    assert_string_equal(x.code, "quota_too_low");
    x = manage(200, &as_root, id, "'action':'add_quota','mode':'override','value':42");
    assert_int_equal(data_int(&x, "quota"), 42);
    manage(400, &as_root, id, "'action':'add_quota','value':-1");
    manage(400, &as_root, id, "'action':'add_quota','value':1.5");
    manage(400, &as_root, id, "'action':'add_quota','mode':'double','value':1");
    manage(400, &as_root, id, "'action':'add_quota','value':1000000000000000");
    manage(400, &as_root, id, "'action':'explode'");
    manage(404, &as_root, 999999, "'action':'enable'");
    x = ask_for(200, &me, "GET", SELF, NULL);
    assert_int_equal(data_int(&x, "quota"), 42);
    x = ask_for(200, &me, "GET", "/api/log/self?type=3", NULL);
    assert_int_equal(data_int(&x, "total"), 3);
    assert_non_null(strstr(x.text.p, "Quota -3458: 42, before 3500"));
    assert_null(strstr(x.text.p, "admin_info"));
    x = ask_for(200, &as_root, "GET", "/api/logs?type=3&username=rich", NULL);
    assert_non_null(strstr(x.text.p, "admin_info"));
}

// What this node holds for spending is still his, and what is being spent right now is not.
static void counts_what_nodes_hold(void **state)
{
    (void)state;
    int64_t id = gateway_user("leaser", 1, NULL), got = 0;
    struct account *held = account_hold(ACCOUNT_USER, id);
    assert_null(ledger_extend(gateway.a, held, 100, false, &got));
    struct answer x = ask_for(200, &as_root, "GET", path_of(id), NULL);
    assert_int_equal(data_int(&x, "quota"), 5000);
    x = ask_for(200, &as_root, "GET", "/api/users?username=leaser", NULL);
    assert_int_equal(json_int_at(yyjson_arr_get(yyjson_obj_get(x.data, "items"), 0), "quota", 0),
                     5000);
    manage(409, &as_root, id, "'action':'add_quota','mode':'subtract','value':4901");
    x = manage(200, &as_root, id, "'action':'add_quota','mode':'override','value':100");
    assert_int_equal(data_int(&x, "quota"), 100); // all of it reserved
    account_give_back(held, 100);
    x = manage(200, &as_root, id, "'action':'add_quota','mode':'subtract','value':100");
    assert_int_equal(data_int(&x, "quota"), 0);
    account_release(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(makes_and_lists_users),     T(pages_without_gap_or_overlap),
        T(nobody_touches_his_equals), T(root_stays),
        T(rights_end_at_once),        T(changes_quota_and_says_so),
        T(counts_what_nodes_hold),
    };
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
