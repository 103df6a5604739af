// Logging in and out, sessions and their end, one's own password and access token.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)
#define LOGIN "/api/user/login"
#define SELF "/api/user/self"

static void logs_in_and_out(void **state)
{
    (void)state;
    struct answer x = ask_for(200, &as_nobody, "POST", LOGIN,
                              "{'username':'root','password':'" ROOT_PASSWORD "'}");
    assert_int_equal(data_int(&x, "role"), 100);
    assert_int_equal(data_int(&x, "quota"), 100000000);
    assert_null(strstr(x.text.p, "password"));
    assert_null(strstr(x.text.p, "access_token"));
    assert_non_null(strstr(x.head.p, "HttpOnly"));
    assert_non_null(strstr(x.head.p, "SameSite=Lax"));
    assert_null(strstr(x.head.p, "Secure"));
    struct asking me = {.session = answer_cookie(&x, "tf_session"),
                        .csrf = answer_cookie(&x, "tf_csrf")};
    x = ask_for(200, &me, "GET", SELF, NULL);
    assert_string_equal(data_text(&x, "username"), "root");
    ask_for(200, &me, "POST", "/api/user/logout", NULL);
    x = ask_for(401, &me, "GET", SELF, NULL);
    assert_string_equal(x.code, "login_required");
}

static void tells_nothing_about_names(void **state)
{
    (void)state;
    struct answer wrong_name =
        ask_for(401, &as_nobody, "POST", LOGIN, "{'username':'nobody','password':'password1'}");
    struct answer wrong_password =
        ask_for(401, &as_nobody, "POST", LOGIN, "{'username':'root','password':'password1'}");
    assert_string_equal(wrong_name.text.p, wrong_password.text.p);
    assert_string_equal(wrong_name.code, "login_failed");
}

static void limits_guesses(void **state)
{
    (void)state;
    gateway_user("guessed", 1, NULL);
    struct answer x;
    int wrong = 0;
    do
        x = ask(&as_nobody, "POST", LOGIN, "{'username':'guessed','password':'not this'}");
    while (x.status == 401 && ++wrong < 50);
    assert_int_equal(x.status, 429);
    assert_in_range(wrong, 3, 10);
    assert_string_not_equal(answer_header(&x, "retry-after"), "");
    x = ask_for(429, &as_nobody, "POST", LOGIN, "{'username':'guessed','password':'password'}");
    assert_string_equal(x.code, "login_limited");
    gateway_user("free", 1, NULL);
    ask_for(200, &as_nobody, "POST", LOGIN, "{'username':'free','password':'password'}");
}

static void refuses_forged_requests(void **state)
{
    (void)state;
    struct asking me = {0}, other = {0};
    gateway_user("csrf", 1, &me);
    gateway_user("csrf-other", 1, &other);
    const char *body = "{'display_name':'changed'}";
    struct asking forged = me;
    forged.without_csrf_header = true;
    struct answer x = ask_for(403, &forged, "PUT", SELF, body);
    assert_string_equal(x.code, "csrf_failed");
    forged = me;
    forged.csrf = other.csrf; // fits its cookie, not the session
    ask_for(403, &forged, "PUT", SELF, body);
    forged = me;
    forged.csrf = "";
    ask_for(403, &forged, "PUT", SELF, body);
    forged = me;
    forged.headers[0] = "Sec-Fetch-Site: cross-site";
    ask_for(403, &forged, "GET", "/api/user/token", NULL);
    forged.headers[0] = "Sec-Fetch-Site: same-site";
    ask_for(403, &forged, "GET", "/api/user/token", NULL);
    forged.headers[0] = "Sec-Fetch-Site: same-origin";
    ask_for(200, &forged, "GET", "/api/user/token", NULL);
    x = ask_for(200, &me, "PUT", SELF, body);
    assert_string_equal(data_text(&x, "display_name"), "changed");
}

static void ignores_what_is_not_his_to_change(void **state)
{
    (void)state;
    struct asking me;
    gateway_user("modest", 1, &me);
    struct answer x =
        ask_for(200, &me, "PUT", SELF,
                "{'display_name':'m','role':100,'quota':1000000,'status':2,'group':'vip','id':1}");
    assert_int_equal(data_int(&x, "role"), 1);
    assert_int_equal(data_int(&x, "quota"), 5000);
    assert_string_equal(data_text(&x, "group"), "default");
    ask_for(400, &me, "PUT", SELF, "{'display_name':7}");
    ask_for(400, &me, "PUT", SELF, "{'display_name':''}");
}

static void a_new_password_ends_other_sessions(void **state)
{
    (void)state;
    struct asking me;
    gateway_user("changer", 1, &me);
    struct asking elsewhere = gateway_login("changer", "password");
    const char *path = "/api/user/self/password";
    struct answer x =
        ask_for(400, &me, "PUT", path, "{'original_password':'wrong','password':'new-password'}");
    assert_string_equal(x.code, "password_wrong");
    ask_for(400, &me, "PUT", path, "{'original_password':'password','password':'short'}");
    ask_for(200, &elsewhere, "GET", SELF, NULL);
    ask_for(200, &me, "PUT", path, "{'original_password':'password','password':'new-password'}");
    ask_for(200, &me, "GET", SELF, NULL);
    ask_for(401, &elsewhere, "GET", SELF, NULL);
    ask_for(401, &as_nobody, "POST", LOGIN, "{'username':'changer','password':'password'}");
    gateway_login("changer", "new-password");
}

static void an_access_token_replaces_the_last(void **state)
{
    (void)state;
    struct asking me;
    gateway_user("scripted", 1, &me);
    struct answer x = ask_for(200, &me, "GET", "/api/user/token", NULL);
    struct asking first = {.bearer = yyjson_get_str(x.data)};
    ask_for(200, &first, "GET", SELF, NULL);
    x = ask_for(200, &first, "GET", "/api/user/token", NULL);
    struct asking second = {.bearer = yyjson_get_str(x.data)};
    ask_for(401, &first, "GET", SELF, NULL);
    ask_for(200, &second, "PUT", SELF, "{'display_name':'by token'}"); // no CSRF for these
    ask_for(401, &(struct asking){.bearer = "sk-initial"}, "GET", SELF, NULL);
    ask_for(401, &(struct asking){.bearer = ""}, "GET", SELF, NULL);
}

static void registration_follows_the_option(void **state)
{
    (void)state;
    const char *path = "/api/user/register", *body = "{'username':'new one','password':'password'}";
    struct answer x = ask_for(403, &as_nobody, "POST", path, body);
    assert_string_equal(x.code, "register_off");
    ask_for(200, &as_root, "PUT", "/api/option/", "{'key':'RegisterEnabled','value':true}");
    ask_for(200, &as_root, "PUT", "/api/option/", "{'key':'QuotaForNewUser','value':'77'}");
    x = ask_for(200, &as_nobody, "POST", path, body);
    assert_int_equal(data_int(&x, "quota"), 77);
    assert_int_equal(data_int(&x, "role"), 1);
    x = ask_for(409, &as_nobody, "POST", path, body);
    assert_string_equal(x.code, "name_taken");
    ask_for(400, &as_nobody, "POST", path, "{'username':' x','password':'password'}");
    ask_for(400, &as_nobody, "POST", path,
            "{'username':'123456789012345678901','password':'password'}");
    ask_for(400, &as_nobody, "POST", path, "{'username':'short','password':'1234567'}");
    ask_for(200, &as_root, "PUT", "/api/option/", "{'key':'RegisterEnabled','value':false}");
}

static void the_set_up_is_over(void **state)
{
    (void)state;
    struct answer x = ask_for(409, &as_nobody, "POST", "/api/setup",
                              "{'token':'x','username':'y','password':'password'}");
    assert_string_equal(x.code, "setup_done");
    x = ask_for(200, &as_nobody, "GET", "/api/config", NULL);
    assert_true(json_bool_at(x.data, "setup", false));
    assert_int_equal(data_int(&x, "quota_per_unit"), 500000);
    x = ask_for(200, &as_nobody, "GET", "/api/user/status/", NULL);
    assert_string_equal(data_text(&x, "system_name"), "Token Factory");
}

static void lists_usable_groups(void **state)
{
    (void)state;
    struct answer x = ask_for(200, &as_root, "GET", "/api/user/groups", NULL);
    yyjson_val *group = yyjson_obj_get(x.data, "default");
    assert_string_equal(json_text_at(group, "desc"), "Default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(logs_in_and_out),
        T(tells_nothing_about_names),
        T(limits_guesses),
        T(refuses_forged_requests),
        T(ignores_what_is_not_his_to_change),
        T(a_new_password_ends_other_sessions),
        T(an_access_token_replaces_the_last),
        T(registration_follows_the_option),
        T(the_set_up_is_over),
        T(lists_usable_groups),
    };
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
