// Channels: what is stored, what is refused, and what an upstream says when it is called.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/probe.h"
#include "unit/common/http/origin.h"
#include "unit/support/gateway.h"

#define T(f) cmocka_unit_test(f)
#define CHANNEL "/api/channel/"
#define MADE "'name':'c','type':'openai','key':'k','models':'m'"

static struct answer create(int status, const char *members)
{
    return ask_for(status, &as_root, "POST", CHANNEL, text_of("{%s}", members));
}

static struct answer change(int status, int64_t id, const char *members)
{
    return ask_for(status, &as_root, "PUT", CHANNEL,
                   text_of("{'id':%lld,%s}", (long long)id, members));
}

static const char *path_of(int64_t id)
{
    return text_of("/api/channel/%lld", (long long)id);
}

static int64_t abilities_of(int64_t id, const char *model)
{
    int64_t n = 0;
    DB(db);
    assert_null(db_lease(gateway.pool, gateway.a, &db));
    assert_null(db_int(db, gateway.a, &n,
                       "SELECT COUNT(*) FROM abilities WHERE channel_id = ? AND model = ?"
                       " AND enabled = 1",
                       P(id), P(model)));
    return n;
}

static void never_shows_keys(void **state)
{
    (void)state;
    struct answer x =
        create(200, "'name':'secretive','type':14,'key':'sk-ant-12345','models':'a,b'");
    int64_t id = data_int(&x, "id");
    assert_int_equal(data_int(&x, "type"), 14);
    assert_int_equal(data_int(&x, "key_count"), 1);
    assert_null(strstr(x.text.p, "sk-ant"));
    x = ask_for(200, &as_root, "GET", path_of(id), NULL);
    assert_null(strstr(x.text.p, "sk-ant"));
    x = ask_for(200, &as_root, "GET", "/api/channel?name=secretive", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    assert_null(strstr(x.text.p, "sk-ant"));
    x = change(200, id, "'key':'','remark':'r'");
    assert_int_equal(data_int(&x, "key_count"), 1);
    x = change(200, id, "'key':'one\\n two \\n\\none\\n'");
    assert_int_equal(data_int(&x, "key_count"), 2);
}

static void keeps_abilities_in_step(void **state)
{
    (void)state;
    struct answer x =
        create(200, "'name':'c','type':1,'key':'k','models':'s-1, s-2','group':'default,vip'");
    int64_t id = data_int(&x, "id");
    assert_int_equal(abilities_of(id, "s-1"), 2);
    change(200, id, "'models':'s-2,s-3'");
    assert_int_equal(abilities_of(id, "s-1"), 0);
    assert_int_equal(abilities_of(id, "s-3"), 2);
    change(200, id, "'status':2");
    assert_int_equal(abilities_of(id, "s-3"), 0);
    change(200, id, "'status':1");
    assert_int_equal(abilities_of(id, "s-3"), 2);
    x = ask_for(200, &as_root, "GET", "/api/channel/search?model=s-3&group=vip", NULL);
    assert_int_equal(data_int(&x, "total"), 1);
    x = ask_for(200, &as_root, "GET", "/api/channel/search?model=s-1", NULL);
    assert_int_equal(data_int(&x, "total"), 0);
    ask_for(200, &as_root, "DELETE", path_of(id), NULL);
    assert_int_equal(abilities_of(id, "s-3"), 0);
    ask_for(404, &as_root, "GET", path_of(id), NULL);
    ask_for(404, &as_root, "DELETE", path_of(id), NULL);
    change(404, id, "'status':1");
}

static void comes_in_batches(void **state)
{
    (void)state;
    struct answer x = ask_for(
        200, &as_root, "POST", CHANNEL,
        "{'mode':'batch','channel':{'name':'b','type':1,'key':'k1\\nk2\\nk3','models':'m'}}");
    assert_int_equal(yyjson_arr_size(x.data), 3);
    x = ask_for(200, &as_root, "POST", CHANNEL,
                "{'mode':'multi_to_single','channel':{'name':'m','type':1,'key':'k1\\nk2',"
                "'models':'m'}}");
    assert_int_equal(data_int(&x, "key_count"), 2);
    ask_for(400, &as_root, "POST", CHANNEL, "{'mode':'odd','channel':{" MADE "}}");
}

static void refuses_what_cannot_work(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "'type':1,'key':'k','models':'m'",
        "'name':'c','key':'k','models':'m'",
        "'name':'c','type':'no such provider','key':'k','models':'m'",
        "'name':'c','type':9998,'key':'k','models':'m'",
        "'name':'c','type':0,'key':'k','models':'m'",
        "'name':'c','type':1,'models':'m'",
        "'name':'c','type':1,'key':' \\n ','models':'m'",
        "'name':'c','type':1,'key':'k'",
        "'name':'c','type':1,'key':'k','models':' , '",
        "'name':'c','type':'custom','key':'k','models':'m'",
        MADE ",'base_url':'not a url'",
        MADE ",'base_url':'ftp://a.b'",
        MADE ",'base_url':'file:///etc/passwd'",
        MADE ",'proxy':'ftp://a.b'",
        MADE ",'model_mapping':'[]'",
        MADE ",'model_mapping':'{'",
        MADE ",'model_mapping':{'a':1}",
        MADE ",'model_mapping':{'a':'b','b':'c','c':'a'}",
        MADE ",'model_mapping':{'x':'a','a':'b','b':'a'}",
        MADE ",'header_override':{'X':1}",
        MADE ",'header_override':{'X':'a\\r\\nY: b'}",
        MADE ",'weight':-1",
        MADE ",'weight':1.5",
        MADE ",'status':3",
        MADE ",'priority':'high'",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        create(400, wrong[i]);
    create(200, MADE ",'model_mapping':{'a':'b','b':'c','d':'d'}");
    struct answer x = create(200, "'name':'c','type':'custom','key':'k','models':'m',"
                                  "'base_url':'http://127.0.0.1:1/prefix'");
    change(400, data_int(&x, "id"), "'base_url':''");
    change(400, data_int(&x, "id"), "'status':3");
    change(400, data_int(&x, "id"), "'name':''");
}

static void is_for_administrators(void **state)
{
    (void)state;
    struct asking common, admin;
    gateway_user("ch common", 1, &common);
    gateway_user("ch admin", 10, &admin);
    ask_for(403, &common, "GET", CHANNEL, NULL);
    ask_for(403, &common, "POST", CHANNEL, "{" MADE "}");
    ask_for(401, &as_nobody, "GET", CHANNEL, NULL);
    ask_for(200, &admin, "GET", CHANNEL, NULL);
    struct answer x = ask_for(200, &admin, "GET", "/api/channel/types", NULL);
    assert_non_null(strstr(x.text.p, "\"type\":14"));
}

// --- a fake upstream --------------------------------------------------------------------

static char heard[8192];

static void serve(struct origin_conn *c)
{
    const char *body = c->origin->script;
    if (!origin_request(c, heard, sizeof(heard)))
        return;
    origin_says(c,
                text_of("HTTP/1.1 %.3s X\r\nContent-Type: application/json\r\nContent-Length: %zu"
                        "\r\nConnection: close\r\n\r\n%s",
                        body, strlen(body + 4), body + 4));
}

// A channel to an upstream that answers everything with this ("200 {...}").
static int64_t channel_to(struct origin **p, const char *script)
{
    *p = origin_start("127.0.0.1", serve, script, NULL);
    struct answer x = create(
        200, text_of("'name':'probed','type':'openai','key':'sk-probe-key','models':'asked',"
                     "'model_mapping':{'asked':'sent'},'param_override':{'seed':7},"
                     "'header_override':{'X-Own':'v {api_key}'},'base_url':'http://127.0.0.1:%d/p'",
                     (*p)->port));
    return data_int(&x, "id");
}

static struct answer test_channel(int64_t id)
{
    return ask_for(200, &as_root, "POST", "/api/channel/test",
                   text_of("{'id':%lld}", (long long)id));
}

static void tests_a_channel(void **state)
{
    (void)state;
    struct origin *p;
    int64_t id = channel_to(
        &p, "200 {\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"sent\","
            "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},"
            "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,"
            "\"total_tokens\":2}}");
    struct answer x = test_channel(id);
    assert_true(json_bool_at(x.data, "ok", false));
    assert_int_equal(data_int(&x, "status"), 200);
    assert_string_equal(data_text(&x, "model"), "asked");
    assert_string_equal(data_text(&x, "message"), "");
    assert_memory_equal(heard, "POST /p/v1/chat/completions ", 28);
    assert_non_null(strstr(heard, "\"sent\""));
    assert_non_null(strstr(heard, "\"seed\":7"));
    assert_non_null(strstr(heard, "X-Own: v sk-probe-key\r\n"));
    assert_non_null(strstr(heard, "Bearer sk-probe-key\r\n"));
    ask_for(200, &as_root, "GET", text_of("/api/channel/test/%lld?model=asked", (long long)id),
            NULL);
    x = ask_for(200, &as_root, "GET", path_of(id), NULL);
    assert_true(data_int(&x, "test_time") > 0);
    ask_for(404, &as_root, "GET", "/api/channel/test/999999", NULL);
    origin_stop(p);
    x = test_channel(id); // nobody is there any more
    assert_false(json_bool_at(x.data, "ok", true));
    assert_int_equal(data_int(&x, "status"), 0);
    assert_string_not_equal(data_text(&x, "message"), "");
}

static void hides_a_key_that_comes_back(void **state)
{
    (void)state;
    struct origin *p;
    int64_t id = channel_to(
        &p, "401 {\"error\":{\"message\":\"bad key sk-probe-key, sk-probe-key\",\"type\":\"x\"}}");
    struct answer x = test_channel(id);
    assert_false(json_bool_at(x.data, "ok", true));
    assert_int_equal(data_int(&x, "status"), 401);
    assert_string_equal(data_text(&x, "message"), "HTTP 401: bad key ***, ***");
    x = ask_for(502, &as_root, "POST", "/api/channel/fetch/models",
                text_of("{'id':%lld}", (long long)id));
    assert_string_equal(x.code, "upstream_credentials");
    origin_stop(p);
}

static void an_odd_answer_is_no_success(void **state)
{
    (void)state;
    static const char *const odd[] = {"200 {\"hello\":1}", "200 <html>", "200 ", "200 []"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        struct origin *p;
        int64_t id = channel_to(&p, odd[i]);
        struct answer x = test_channel(id);
        assert_false(json_bool_at(x.data, "ok", true));
        origin_stop(p);
    }
}

static struct probe probe_stream(const char *frames)
{
    struct origin *p = origin_start("127.0.0.1", serve, text_of("200 %s", frames), NULL);
    struct channel c;
    struct probe out;
    fields_default(gateway.a, channel_table.fields, &c);
    c.key = "k";
    c.models = "first,second";
    c.base_url = text_of("http://127.0.0.1:%d", p->port);
    assert_null(probe_channel(gateway.a, &c, "", true, &out));
    origin_stop(p);
    return out;
}

#define PIECE "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
#define STOP                                                                                       \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"

static void tests_with_a_stream(void **state)
{
    (void)state;
    struct probe p = probe_stream(PIECE STOP "data: [DONE]\n\n");
    assert_true(p.fine);
    assert_string_equal(p.model, "first");
    assert_non_null(strstr(heard, "\"stream\":true"));
    p = probe_stream(PIECE);
    assert_false(p.fine);
    assert_string_equal(p.message, "The stream broke off.");
    p = probe_stream("data: {\"error\":{\"message\":\"no more k\",\"type\":\"x\"}}\n\n");
    assert_false(p.fine);
    assert_string_equal(p.message, "no more ***");
    assert_false(probe_stream("").fine);
}

static void fetches_models(void **state)
{
    (void)state;
    struct origin *p;
    int64_t id = channel_to(
        &p, "200 {\"data\":[{\"id\":\"one\"},{\"id\":\"two\"},{\"no\":1},{\"id\":\"a,b\"}]}");
    struct answer x = ask_for(200, &as_root, "POST", "/api/channel/fetch/models",
                              text_of("{'id':%lld}", (long long)id));
    assert_int_equal(yyjson_arr_size(x.data), 2);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(x.data, 1)), "two");
    assert_memory_equal(heard, "GET /p/v1/models ", 17);
    x = ask_for(200, &as_root, "POST", "/api/channel/fetch/models",
                text_of("{'type':'openai','base_url':'http://127.0.0.1:%d','key':'new'}", p->port));
    assert_int_equal(yyjson_arr_size(x.data), 2);
    assert_non_null(strstr(heard, "Bearer new\r\n"));
    origin_stop(p);
    ask_for(502, &as_root, "POST", "/api/channel/fetch/models",
            text_of("{'id':%lld}", (long long)id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(never_shows_keys),
        T(keeps_abilities_in_step),
        T(comes_in_batches),
        T(refuses_what_cannot_work),
        T(is_for_administrators),
        T(tests_a_channel),
        T(hides_a_key_that_comes_back),
        T(an_odd_answer_is_no_success),
        T(tests_with_a_stream),
        T(fetches_models),
    };
    return cmocka_run_group_tests(tests, gateway_start, gateway_stop);
}
