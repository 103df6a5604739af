// One's own keys: shown once, masked later, checked before they are stored.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "service/ledger.h"
#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)
#define TOKEN "/api/token/"

static const char *path_of(int64_t id, const char *rest)
{
    return text_of("/api/token/%lld%s", (long long)id, rest);
}

static void shows_the_key_once(void **state)
{
    (void)state;
    struct answer x = ask_for(200, &as_root, "POST", TOKEN,
                              "{'name':'mine','remain_quota':100,'used_quota':7,'user_id':9}");
    const char *key = data_text(&x, "key");
    int64_t id = data_int(&x, "id");
    assert_int_equal(strlen(key), 51);
    assert_memory_equal(key, "sk-", 3);
    assert_int_equal(data_int(&x, "used_quota"), 0);
    assert_int_equal(data_int(&x, "user_id"), 1);
    assert_int_equal(data_int(&x, "expired_time"), -1);
    x = ask_for(200, &as_root, "GET", path_of(id, ""), NULL);
    assert_null(strstr(x.text.p, key));
    assert_null(strstr(x.text.p, key + 3));
    assert_memory_equal(data_text(&x, "key"), key, 7);
    assert_null(strstr(x.text.p, "digest"));
    x = ask_for(200, &as_root, "GET", "/api/token?name=mine", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    assert_null(strstr(x.text.p, key + 3));
    x = ask_for(200, &as_root, "POST", path_of(id, "/key"), NULL);
    assert_string_equal(data_text(&x, "key"), key);
}

static void keeps_strangers_out(void **state)
{
    (void)state;
    struct asking me, other;
    gateway_user("owner", 1, &me);
    gateway_user("stranger", 10, &other);
    struct answer x = ask_for(200, &me, "POST", TOKEN, "{'name':'private','unlimited_quota':true}");
    int64_t id = data_int(&x, "id");
    const struct asking *strangers[] = {&other, &as_root};
    for (int i = 0; i < 2; i++) {
        ask_for(404, strangers[i], "GET", path_of(id, ""), NULL);
        ask_for(404, strangers[i], "POST", path_of(id, "/key"), NULL);
        ask_for(404, strangers[i], "DELETE", path_of(id, ""), NULL);
        ask_for(404, strangers[i], "PUT", TOKEN,
                text_of("{'id':%lld,'name':'taken'}", (long long)id));
        x = ask_for(200, strangers[i], "GET", "/api/token/search?keyword=private", NULL);
        assert_int_equal(data_int(&x, "total"), 0);
    }
    ask_for(401, &as_nobody, "GET", TOKEN, NULL);
    x = ask_for(200, &me, "GET", path_of(id, ""), NULL);
    assert_string_equal(data_text(&x, "name"), "private");
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{'name':'x','remain_quota':-1}",
        "{'name':'x','remain_quota':1.5}",
        "{'name':'x','remain_quota':'1'}",
        "{'name':'x','remain_quota':1e30}",
        "{'name':'x','group':'no such group'}",
        "{'name':'x','allow_ips':'10.0.0.0/8\\n10.0.0.0/33'}",
        "{'name':'x','expired_time':-2}",
        "{'name':'x','status':4}",
        "{'name':''}",
        "{'remain_quota':1}",
        "{'name':'x','name':'y'}",
        "[]",
        "{",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        ask_for(400, &as_root, "POST", TOKEN, wrong[i]);
    ask_for(400, &as_root, "POST", TOKEN, NULL);
    struct answer x = ask_for(400, &as_root, "POST", TOKEN, "{'name':'x','remain_quota':-1}");
    assert_non_null(strstr(x.message, "remain_quota"));
    assert_string_equal(x.code, "field_invalid");
    ask_for(400, &as_root, "PUT", TOKEN, "{'name':'x'}");
    ask_for(404, &as_root, "PUT", TOKEN, "{'id':999999,'name':'x'}");
}

static void changes_what_is_said_and_nothing_else(void **state)
{
    (void)state;
    struct answer x = ask_for(
        200, &as_root, "POST", TOKEN,
        "{'name':'before','remain_quota':500,'model_limits':'a,b','allow_ips':'10.0.0.0/8'}");
    int64_t id = data_int(&x, "id");
    x = ask_for(200, &as_root, "PUT", TOKEN, text_of("{'id':%lld,'status':2}", (long long)id));
    assert_string_equal(data_text(&x, "name"), "before");
    assert_int_equal(data_int(&x, "remain_quota"), 500);
    assert_int_equal(data_int(&x, "status"), 2);
    x = ask_for(200, &as_root, "PUT", TOKEN,
                text_of("{'id':%lld,'name':'after','remain_quota':20,'used_quota':9,'key':'k'}",
                        (long long)id));
    assert_int_equal(data_int(&x, "remain_quota"), 20);
    assert_int_equal(data_int(&x, "used_quota"), 0);
    assert_string_equal(data_text(&x, "name"), "after");
    assert_string_equal(data_text(&x, "model_limits"), "a,b");
    ask_for(200, &as_root, "DELETE", path_of(id, ""), NULL);
    ask_for(404, &as_root, "GET", path_of(id, ""), NULL);
}

static void counts_what_nodes_hold(void **state)
{
    (void)state;
    struct answer x = ask_for(200, &as_root, "POST", TOKEN, "{'name':'held','remain_quota':500}");
    int64_t id = data_int(&x, "id"), got = 0;
    struct account *held = account_hold(ACCOUNT_TOKEN, id);
    assert_null(ledger_extend(gateway.a, held, 60, false, &got));
    x = ask_for(200, &as_root, "GET", "/api/token?name=held", NULL);
    assert_int_equal(
        json_int_at(yyjson_arr_get(yyjson_obj_get(x.data, "items"), 0), "remain_quota", 0), 500);
    const char *less = text_of("{'id':%lld,'remain_quota':59}", (long long)id);
    x = ask_for(409, &as_root, "PUT", TOKEN, less);
    assert_string_equal(x.code, "quota_too_low");
    account_give_back(held, 60);
    x = ask_for(200, &as_root, "PUT", TOKEN, less);
    assert_int_equal(data_int(&x, "remain_quota"), 59);
    account_release(held);
}

static void tells_the_true_status(void **state)
{
    (void)state;
    struct answer x = ask_for(200, &as_root, "POST", TOKEN, "{'name':'empty'}");
    assert_int_equal(data_int(&x, "status"), 4);
    x = ask_for(200, &as_root, "POST", TOKEN, "{'name':'old','remain_quota':1,'expired_time':1}");
    assert_int_equal(data_int(&x, "status"), 3);
    x = ask_for(200, &as_root, "POST", TOKEN, "{'name':'fine','unlimited_quota':true}");
    assert_int_equal(data_int(&x, "status"), 1);
}

static void has_a_ceiling(void **state)
{
    (void)state;
    struct asking me;
    gateway_user("collector", 1, &me);
    ask_for(200, &as_root, "PUT", "/api/option/", "{'key':'MaxUserTokens','value':'2'}");
    ask_for(200, &me, "POST", TOKEN, "{'name':'1'}");
    ask_for(200, &me, "POST", TOKEN, "{'name':'2'}");
    struct answer x = ask_for(409, &me, "POST", TOKEN, "{'name':'3'}");
    assert_string_equal(x.code, "too_many_tokens");
    ask_for(200, &as_root, "PUT", "/api/option/", "{'key':'MaxUserTokens','value':1000}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(shows_the_key_once),     T(keeps_strangers_out),
        T(refuses_what_cannot_be), T(changes_what_is_said_and_nothing_else),
        T(counts_what_nodes_hold), T(tells_the_true_status),
        T(has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
