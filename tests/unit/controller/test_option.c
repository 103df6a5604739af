// Options, and what holds for every request: bodies, languages, paths, headers.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "service/snapshot.h"
#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)
#define OPTION "/api/option/"

static struct answer set(int status, const char *key, const char *value)
{
    return ask_for(status, &as_root, "PUT", OPTION, text_of("{'key':'%s','value':%s}", key, value));
}

static const char *get(const char *key)
{
    struct answer x = ask_for(200, &as_root, "GET", text_of(OPTION "%s", key), NULL);
    assert_string_equal(data_text(&x, "key"), key);
    return data_text(&x, "value");
}

static void takes_text_and_json(void **state)
{
    (void)state;
    set(200, "RetryTimes", "'7'");
    assert_string_equal(get("RetryTimes"), "7");
    set(200, "RetryTimes", "3");
    assert_string_equal(get("RetryTimes"), "3");
    set(200, "GroupRatio", "{'default':1,'gold':0.5}");
    assert_string_equal(get("GroupRatio"), "{\"default\":1,\"gold\":0.5}");
    set(200, "SelfUseModeEnabled", "true");
    assert_string_equal(get("SelfUseModeEnabled"), "true");
    const struct snapshot *s = snapshot_hold(); // readers have it before the answer came
    assert_true(s->settings.ratio.self_use_mode);
    snapshot_release(s);
}

static void refuses_and_changes_nothing(void **state)
{
    (void)state;
    set(200, "RetryTimes", "4");
    set(400, "RetryTimes", "-1");
    set(400, "RetryTimes", "'x'");
    set(400, "RetryTimes", "{}");
    set(400, "RetryTimes", "null");
    set(404, "NoSuchOption", "1");
    ask_for(400, &as_root, "PUT", OPTION, "{'value':1}");
    ask_for(400, &as_root, "PUT", OPTION, "{'key':'RetryTimes'}");
    ask_for(400, &as_root, "PUT", OPTION, "{'key':7,'value':1}");
    assert_string_equal(get("RetryTimes"), "4");
    ask_for(404, &as_root, "GET", OPTION "NoSuchOption", NULL);
}

static void is_for_root(void **state)
{
    (void)state;
    struct asking admin;
    gateway_user("opt admin", 10, &admin);
    ask_for(403, &admin, "GET", OPTION, NULL);
    ask_for(403, &admin, "PUT", OPTION, "{'key':'RetryTimes','value':1}");
    struct answer x = ask_for(200, &as_root, "GET", OPTION, NULL);
    assert_true(yyjson_arr_size(x.data) > 20);
}

static void bodies_are_json(void **state)
{
    (void)state;
    struct asking form = as_root, text = as_root;
    form.content_type = "application/x-www-form-urlencoded";
    text.content_type = "application/json; charset=utf-8";
    struct answer x = ask_for(400, &as_root, "PUT", OPTION, "{'key':");
    assert_string_equal(x.code, "json_invalid");
    char deep[4096] = "{'key':";
    memset(deep + 7, '[', 200);
    ask_for(400, &as_root, "PUT", OPTION, deep);
    ask_for(400, &as_root, "PUT", OPTION, "'text'");
    ask_for(400, &as_root, "PUT", OPTION, "{'key':'RetryTimes','value':'\xff'}");
    x = ask_for(415, &form, "PUT", OPTION, "{'key':'RetryTimes','value':1}");
    assert_string_equal(x.code, "content_type_unsupported");
    ask_for(200, &text, "PUT", OPTION, "{'key':'RetryTimes','value':1}");
}

static void speaks_the_readers_language(void **state)
{
    (void)state;
    struct asking chinese = {.headers = {"Accept-Language: zh-CN,en;q=0.5"}};
    struct answer x = ask_for(401, &chinese, "GET", OPTION, NULL);
    assert_string_equal(x.message, "请先登录。");
    x = ask_for(401, &as_nobody, "GET", OPTION, NULL);
    assert_string_equal(x.message, "Please log in.");
    assert_string_equal(x.code, "login_required");
}

static void knows_paths_and_methods(void **state)
{
    (void)state;
    struct answer x = ask_for(404, &as_nobody, "GET", "/api/nothing", NULL);
    assert_string_equal(x.code, "route_not_found");
    assert_string_not_equal(answer_header(&x, "x-request-id"), "");
    assert_string_equal(answer_header(&x, "x-content-type-options"), "nosniff");
    x = ask_for(405, &as_nobody, "DELETE", "/api/user/self", NULL);
    assert_string_equal(answer_header(&x, "allow"), "GET, PUT");
    x = ask_for(404, &as_nobody, "GET", "/v1/nothing", NULL);
    assert_non_null(yyjson_obj_get(x.root, "error"));
}

static void large_bodies_are_refused(void **state)
{
    (void)state;
    static char large[(1 << 20) + 64];
    memset(large, ' ', sizeof(large) - 1);
    struct answer x = ask_for(413, &as_root, "PUT", OPTION, large);
    assert_string_equal(x.code, "body_too_large");
}

static void the_process_tells_about_itself(void **state)
{
    (void)state;
    ask_for(200, &as_nobody, "GET", "/healthz", NULL);
    ask_for(200, &as_nobody, "GET", "/readyz", NULL);
    struct answer x = ask_for(200, &as_nobody, "GET", "/metrics", NULL);
    assert_non_null(strstr(x.text.p, "tf_open_streams 0\n"));
    assert_non_null(strstr(x.text.p, "tf_db_connections 4\n"));
    assert_memory_equal(answer_header(&x, "content-type"), "text/plain", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(takes_text_and_json),      T(refuses_and_changes_nothing),    T(is_for_root),
        T(bodies_are_json),          T(speaks_the_readers_language),    T(knows_paths_and_methods),
        T(large_bodies_are_refused), T(the_process_tells_about_itself),
    };
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
