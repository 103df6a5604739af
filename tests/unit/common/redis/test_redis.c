// Calls, scripts and messages against a real Redis that is killed, frozen and started again.

#include "common/redis/redis.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "unit/common/redis/server.h"

enum { SOON_MS = 8000 };

// --- addresses ---------------------------------------------------------------------------

static const struct {
    const char *url, *host;
    int64_t port;
    const char *user, *password;
    int64_t database;
} good[] = {
    {"redis://localhost", "localhost", 6379, "", "", 0},
    {"redis://localhost/", "localhost", 6379, "", "", 0},
    {"redis://10.0.0.1:7000/3", "10.0.0.1", 7000, "", "", 3},
    {"redis://:p%40ss%2Fw@h:1/0", "h", 1, "", "p@ss/w", 0},
    {"redis://me:pw@[::1]:6380/15", "::1", 6380, "me", "pw", 15},
};

static const char *const bad[] = {
    "rediss://:sesame@host:6379",
    "host:6379",
    "http://:sesame@host",
    "redis://sesame@host",
    "redis://host/x",
    "redis://host/-1",
    "redis://host:0",
    "redis://:sesame@",
    "redis://host/0?sesame=1",
    "redis://host:70000",
    "redis:/:sesame@h/1",
    "",
};

static void addresses(void **state)
{
    (void)state;
    ARENA(a);
    struct redis_address at;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_null(redis_parse(a, good[i].url, &at));
        assert_string_equal(at.host, good[i].host);
        assert_int_equal(at.port, good[i].port);
        assert_string_equal(at.user, good[i].user);
        assert_string_equal(at.password, good[i].password);
        assert_int_equal(at.database, good[i].database);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err *e = redis_parse(a, bad[i], &at);
        assert_non_null(e);
        assert_null(strstr(e->detail, "sesame"));
    }
}

// --- the fixture -------------------------------------------------------------------------

static _Atomic int ups, downs, subscribed, heard;
static char last_why[200], last_message[64];

static void on_change(bool up, const char *why)
{
    if (!up)
        snprintf(last_why, sizeof(last_why), "%s", why);
    atomic_fetch_add(up ? &ups : &downs, 1);
}

static void on_message(struct str message)
{
    snprintf(last_message, sizeof(last_message), "%.*s", STR_ARGS(message));
    atomic_fetch_add(&heard, 1);
}

static void on_subscribed(void)
{
    atomic_fetch_add(&subscribed, 1);
}

static struct redis_channel news = {
    .name = "news", .on_message = on_message, .on_subscribed = on_subscribed};
static struct redis_script twice = {
    .text = "return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[1] * 2, 'text'}"};

static void wait_for(_Atomic int *count, int least)
{
    int64_t until = clock_steady_ms() + SOON_MS;
    while (atomic_load(count) < least && clock_steady_ms() < until)
        usleep(2000);
    assert_true(atomic_load(count) >= least);
}

static void start(const char *password)
{
    struct redis_options o = {
        .address = {"127.0.0.1", server_port(), "", password, 1},
        .prefix = "test:",
        .name = "me",
        .on_change = on_change,
    };
    ups = downs = subscribed = heard = 0;
    redis_start(&o);
}

static int end(void **state)
{
    (void)state;
    redis_stop();
    server_down();
    return 0;
}

// A call that somebody waits for; `seen` is what its reply was.
struct asked {
    struct redis_call call;
    _Atomic int done;
    bool answered;
    int64_t number, items[2];
    char text[128], error[128];
};

static void on_reply(struct redis_call *call, const struct redisReply *reply)
{
    struct asked *q = (struct asked *)call;
    q->answered = reply;
    redis_int(reply, &q->number);
    redis_int(redis_item(reply, 0), &q->items[0]);
    redis_int(redis_item(reply, 1), &q->items[1]);
    struct str text = redis_text(redis_count(reply) ? redis_item(reply, 2) : reply);
    snprintf(q->text, sizeof(q->text), "%.*s", STR_ARGS(text));
    snprintf(q->error, sizeof(q->error), "%s", redis_error(reply) ? redis_error(reply) : "");
    atomic_store(&q->done, 1);
}

static struct asked ask(int argc, const char *const *argv)
{
    struct asked q = {.call.on_reply = on_reply, .number = -1};
    struct str args[8];
    for (int i = 0; i < argc; i++)
        args[i] = str_of(argv[i]);
    assert_true(redis_run(&q.call, argc, args));
    wait_for(&q.done, 1);
    return q;
}
#define ASK(...)                                                                                   \
    ask((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                             \
        (const char *[]){__VA_ARGS__})

static struct redis_state now(void)
{
    struct redis_state s;
    redis_state(&s);
    return s;
}

// --- calls -------------------------------------------------------------------------------

static void calls(void **state)
{
    (void)state;
    server_up("sesame");
    start("sesame");
    wait_for(&ups, 1);
    assert_string_equal(ASK("SET", "k", "v").text, "OK");
    assert_string_equal(ASK("GET", "k").text, "v");
    assert_int_equal(ASK("INCRBY", "n", "9007199254740993").number, 9007199254740993);
    assert_string_equal(ASK("GET", "absent").text, "");
    assert_non_null(strstr(ASK("INCR", "k").error, "not an integer"));
    assert_non_null(strstr(ASK("NONSENSE").error, "unknown command"));
    struct asked binary = {.call.on_reply = on_reply};
    assert_true(redis_run(&binary.call, 3,
                          (struct str[]){STR("SETRANGE"), STR("k"), STR("7")})); // one is missing
    wait_for(&binary.done, 1);
    assert_true(*binary.error);
    binary = (struct asked){.call.on_reply = on_reply};
    assert_true(redis_run(&binary.call, 3, (struct str[]){STR("SET"), STR("k"), STR("a\0b\r\n")}));
    wait_for(&binary.done, 1);
    assert_int_equal(ASK("STRLEN", "k").number, 5);
    assert_string_equal(redis_prefix(), "test:");
}

static void scripts(void **state)
{
    (void)state;
    server_up("");
    start("");
    wait_for(&ups, 1);
    for (int i = 1; i <= 3; i++) {
        struct asked q = {.call.on_reply = on_reply};
        if (i == 2)
            assert_string_equal(ASK("SCRIPT", "FLUSH").text, "OK");
        assert_true(redis_eval(&q.call, &twice, 1, 2, (struct str[]){STR("n"), STR("21")}));
        wait_for(&q.done, 1);
        assert_string_equal(q.error, "");
        assert_int_equal(q.items[0], 21 * i);
        assert_int_equal(q.items[1], 42);
        assert_string_equal(q.text, "text");
    }
}

static _Atomic int crowd_done;
static void on_crowd(struct redis_call *call, const struct redisReply *reply)
{
    assert_non_null(reply);
    atomic_fetch_add(&crowd_done, 1);
    free(call);
}

static void *crowd(void *unused)
{
    for (int i = 0; i < 500; i++) {
        struct redis_call *call = mem_new(sizeof(*call));
        call->on_reply = on_crowd;
        assert_true(redis_eval(call, &twice, 1, 2, (struct str[]){STR("c"), STR("1")}));
    }
    return unused;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    server_up("");
    start("");
    wait_for(&ups, 1);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, crowd, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    wait_for(&crowd_done, 2000);
    assert_string_equal(ASK("GET", "c").text, "2000");
    assert_int_equal(now().failures, 0);
}

// --- messages ----------------------------------------------------------------------------

static void messages(void **state)
{
    (void)state;
    server_up("");
    start("");
    wait_for(&subscribed, 1);
    wait_for(&ups, 1);
    assert_true(redis_publish("news", STR("hello")));
    wait_for(&heard, 1);
    assert_string_equal(last_message, "hello");
    assert_int_equal(ASK("PUBLISH", "test:other", "x").number, 0);
    assert_int_equal(ASK("PUBLISH", "news", "x").number, 0); // another deployment's
    usleep(20000);
    assert_int_equal(atomic_load(&heard), 1);
    assert_true(now().subscribed);
}

// --- coming and going --------------------------------------------------------------------

static bool refused(void)
{
    struct asked *q = mem_new(sizeof(*q));
    q->call.on_reply = on_reply;
    bool taken = redis_run(&q->call, 1, (struct str[]){STR("PING")});
    if (taken)
        wait_for(&q->done, 1);
    bool none = !taken || !q->answered;
    free(q);
    return none;
}

static void killed_and_started(void **state)
{
    (void)state;
    start("");
    wait_for(&downs, 1);
    assert_true(refused());
    assert_false(redis_publish("news", STR("nobody")));
    assert_true(now().configured && !now().up && !now().subscribed);
    for (int round = 1; round <= 3; round++) {
        server_up("");
        wait_for(&ups, round);
        wait_for(&subscribed, round);
        assert_false(refused());
        server_down();
        wait_for(&downs, 1 + round);
        assert_true(refused());
    }
}

static void frozen(void **state)
{
    (void)state;
    server_up("");
    start("");
    wait_for(&ups, 1);
    wait_for(&subscribed, 1);
    server_freeze(true);
    struct asked q = {.call.on_reply = on_reply};
    assert_true(redis_run(&q.call, 1, (struct str[]){STR("PING")}));
    wait_for(&q.done, 1);
    assert_false(q.answered);
    wait_for(&downs, 1);
    assert_string_equal(last_why, "no answer");
    assert_true(refused());
    for (int i = 0; i < 600 && now().subscribed; i++)
        usleep(10000);
    assert_false(now().subscribed); // not even our own messages came
    server_freeze(false);
    wait_for(&ups, 2);
    wait_for(&subscribed, 2);
    assert_false(refused());
}

static void wrong_password(void **state)
{
    (void)state;
    server_up("sesame");
    start("open");
    wait_for(&downs, 1);
    assert_non_null(strstr(last_why, "WRONGPASS"));
    assert_true(refused());
    assert_int_equal(atomic_load(&ups), 0);
    redis_stop();
    start("");
    wait_for(&downs, 1);
    assert_non_null(strstr(last_why, "NOAUTH"));
}

static void none_and_stopped(void **state)
{
    (void)state;
    redis_stop();
    assert_false(now().configured);
    assert_true(refused());
    for (int i = 0; i < 5; i++) {
        start("");
        if (i % 2)
            usleep(3000);
        redis_stop();
    }
}

int main(void)
{
    static const struct CMUnitTest on_server[] = {
        cmocka_unit_test_teardown(calls, end),
        cmocka_unit_test_teardown(scripts, end),
        cmocka_unit_test_teardown(many_threads, end),
        cmocka_unit_test_teardown(messages, end),
        cmocka_unit_test_teardown(killed_and_started, end),
        cmocka_unit_test_teardown(frozen, end),
        cmocka_unit_test_teardown(wrong_password, end),
    };
    static const struct CMUnitTest alone[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test_teardown(none_and_stopped, end),
    };
    redis_script_add(&twice);
    redis_subscribe(&news);
    int failed = cmocka_run_group_tests(alone, NULL, NULL);
    if (server_installed())
        return failed + cmocka_run_group_tests(on_server, NULL, NULL);
    print_message("redis-server IS NOT INSTALLED: nothing was tested on it\n");
    return failed;
}
