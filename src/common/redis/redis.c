// The thread that speaks to Redis, and what others hand over to it.

#include "common/redis/redis.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/http/http.h"
#include "common/redis/rlink.h"

enum { TICK_MS = 100, ECHO_MS = 1000, CHANNELS_MAX = 16, WAITING_MAX = 20000, ARGUMENTS_MAX = 64 };

static struct {
    struct redis_options o; // with texts of its own, in:
    struct arena *arena;    // NULL: no Redis
    struct redis_script *scripts;
    struct redis_channel *channels;
    pthread_t thread;
    struct loop *loop;
    struct dns *dns;
    struct rlink commands, messages;
    uv_timer_t tick;
    struct job stop, end;
    const char *here; // the channel on which we hear ourselves, and others us
    int64_t echoed_ms;
    int unsubscribed; // channels that are not confirmed yet

    pthread_mutex_t lock; // of:
    bool up;              // whoever sees it set, under the lock, may post
    _Atomic bool subscribed;
    _Atomic int64_t calls, failures, connects, heard;
} redis = {.lock = PTHREAD_MUTEX_INITIALIZER};

// --- REDIS_CONN_STRING -------------------------------------------------------------------

static struct err *malformed(struct arena *a, const char *what)
{
    return err_new(a, &err_field_invalid, "%s", what);
}

struct err *redis_parse(struct arena *a, const char *text, struct redis_address *out)
{
    struct url url;
    int64_t database = 0;
    if (str_starts(str_of(text), "rediss://"))
        return malformed(a, "rediss:// (TLS) is not supported: use redis:// on a private network");
    if (!str_starts(str_of(text), "redis://"))
        return malformed(a, "it must begin with redis://");
    TRY(url_parse(a, text, &url));
    struct str path = str_of(url.path + 1);
    if (path.n && (!str_to_int(path, &database) || database < 0 || database > 65535))
        return malformed(a, "what follows the address must be a database's number");
    if (!text_is_empty(url.user) && text_is_empty(url.password))
        return malformed(a, "a user without a password");
    *out = (struct redis_address){url.host, url.port, url.user, url.password, (int)database};
    return NULL;
}

// --- being there or not ------------------------------------------------------------------

static void set_up(bool up)
{
    pthread_mutex_lock(&redis.lock);
    redis.up = up;
    pthread_mutex_unlock(&redis.lock);
}

static void on_commands_up(struct rlink *l)
{
    (void)l;
    atomic_fetch_add(&redis.connects, 1);
    set_up(true);
    if (redis.o.on_change)
        redis.o.on_change(true, "");
}

static void on_commands_lost(struct rlink *l, bool was_up, const char *why)
{
    set_up(false);
    if (redis.o.on_change && (was_up || l->failures == 1))
        redis.o.on_change(false, why);
}

static void on_messages_up(struct rlink *l)
{
    (void)l;
    atomic_store(&redis.subscribed, true);
    for (struct redis_channel *c = redis.channels; c; c = c->next)
        if (c->on_subscribed)
            c->on_subscribed();
}

static void on_messages_lost(struct rlink *l, bool was_up, const char *why)
{
    (void)l, (void)was_up, (void)why;
    atomic_store(&redis.subscribed, false);
}

void redis_state(struct redis_state *out)
{
    pthread_mutex_lock(&redis.lock);
    *out = (struct redis_state){.configured = redis.arena, .up = redis.up};
    pthread_mutex_unlock(&redis.lock);
    out->subscribed = atomic_load(&redis.subscribed);
    out->calls = atomic_load(&redis.calls);
    out->failures = atomic_load(&redis.failures);
    out->connects = atomic_load(&redis.connects);
    out->messages = atomic_load(&redis.heard);
}

const char *redis_prefix(void)
{
    return redis.arena ? redis.o.prefix : "";
}

// --- scripts -----------------------------------------------------------------------------

void redis_script_add(struct redis_script *script)
{
    script->next = redis.scripts;
    redis.scripts = script;
}

// Answers come in the order of the commands, so the list tells whose this one is.
static void on_script(redisAsyncContext *ac, void *reply, void *arg)
{
    struct redis_script *script = arg;
    struct str sha = redis_text(reply);
    struct rlink *l = ac->data;
    if (!rlink_greeted(l, reply))
        return;
    if (sha.n == sizeof(script->sha) - 1)
        memcpy(script->sha, sha.p, sha.n);
}

static void load_scripts(struct rlink *l)
{
    for (struct redis_script *s = redis.scripts; s; s = s->next)
        rlink_greet_with(l, 3, (const char *[]){"SCRIPT", "LOAD", s->text}, on_script, s);
}

// --- calls -------------------------------------------------------------------------------

static struct redis_call *call_of(struct job *job)
{
    return (struct redis_call *)((char *)job - offsetof(struct redis_call, job));
}

static void finish(struct redis_call *call, const struct redisReply *reply)
{
    redisFreeCommand(call->bytes);
    call->bytes = NULL;
    if (!reply)
        atomic_fetch_add(&redis.failures, 1);
    call->on_reply(call, reply);
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg);

static void send_call(struct redis_call *call)
{
    if (!rlink_send(&redis.commands, on_reply, call, call->bytes, (size_t)call->size))
        finish(call, NULL);
}

// Somebody has flushed the scripts: once more, behind them.
static bool was_forgotten(struct redis_call *call, const struct redisReply *reply)
{
    const char *error = redis_error(reply);
    if (!call->script || call->again || !error || strncmp(error, "NOSCRIPT", 8) != 0)
        return false;
    call->again = true;
    load_scripts(&redis.commands);
    send_call(call);
    return true;
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
    struct rlink *l = ac->data;
    if (l && reply)
        rlink_answered(l);
    if (!was_forgotten(arg, reply))
        finish(arg, reply);
}

static void on_call(struct job *job)
{
    struct redis_call *call = call_of(job);
    if (redis.commands.waiting < WAITING_MAX)
        send_call(call);
    else
        finish(call, NULL);
}

static bool post(struct redis_call *call, int argc, const struct str *argv)
{
    const char *texts[ARGUMENTS_MAX];
    size_t sizes[ARGUMENTS_MAX];
    if (!redis.up || argc > ARGUMENTS_MAX)
        return false;
    for (int i = 0; i < argc; i++) {
        texts[i] = argv[i].p ? argv[i].p : "";
        sizes[i] = argv[i].n;
    }
    call->again = false;
    call->size = redisFormatCommandArgv(&call->bytes, argc, texts, sizes);
    if (call->size < 0)
        abort();
    call->job = (struct job){.on_loop = on_call};
    atomic_fetch_add(&redis.calls, 1);
    loop_post(redis.loop, &call->job);
    return true;
}

bool redis_run(struct redis_call *call, int argc, const struct str *argv)
{
    call->script = NULL;
    pthread_mutex_lock(&redis.lock);
    bool posted = post(call, argc, argv);
    pthread_mutex_unlock(&redis.lock);
    return posted;
}

bool redis_eval(struct redis_call *call, const struct redis_script *script, int keys, int argc,
                const struct str *argv)
{
    struct str all[ARGUMENTS_MAX];
    char count[16];
    if (argc > ARGUMENTS_MAX - 3)
        return false;
    snprintf(count, sizeof(count), "%d", keys);
    for (int i = 0; i < argc; i++)
        all[i + 3] = argv[i];
    pthread_mutex_lock(&redis.lock);
    all[0] = STR("EVALSHA");
    all[1] = str_of(script->sha);
    all[2] = str_of(count);
    call->script = script;
    bool posted = post(call, argc + 3, all);
    pthread_mutex_unlock(&redis.lock);
    return posted;
}

static void on_published(struct redis_call *call, const struct redisReply *reply)
{
    (void)reply;
    free(call);
}

bool redis_publish(const char *channel, struct str message)
{
    ARENA(a);
    struct str name = str_of(arena_printf(a, "%s%s", redis_prefix(), channel));
    struct redis_call *call = mem_new(sizeof(*call));
    call->on_reply = on_published;
    if (redis_run(call, 3, (struct str[]){STR("PUBLISH"), name, message}))
        return true;
    free(call);
    return false;
}

// --- messages ----------------------------------------------------------------------------

void redis_subscribe(struct redis_channel *channel)
{
    channel->next = redis.channels;
    redis.channels = channel;
}

static void dispatch(struct str name, struct str message)
{
    size_t n = strlen(redis.o.prefix);
    if (name.n < n)
        return;
    atomic_fetch_add(&redis.heard, 1);
    for (struct redis_channel *c = redis.channels; c; c = c->next)
        if (str_is(str_skip(name, n), c->name))
            c->on_message(message);
}

// Confirmations and messages alike: ["subscribe", channel, count], ["message", channel, text].
static void on_message(redisAsyncContext *ac, void *reply, void *unused)
{
    struct rlink *l = ac->data;
    struct str what = redis_text(redis_item(reply, 0));
    (void)unused;
    if (!l || !reply)
        return;
    l->heard_ms = l->loop->now_ms;
    if (str_is(what, "message"))
        dispatch(redis_text(redis_item(reply, 1)), redis_text(redis_item(reply, 2)));
    else if (str_is(what, "subscribe") && --redis.unsubscribed == 0)
        rlink_ready(l);
}

static void subscribe(struct rlink *l)
{
    ARENA(a);
    const char *argv[CHANNELS_MAX + 2] = {"SUBSCRIBE", redis.here};
    int n = 2;
    for (struct redis_channel *c = redis.channels; c && n < CHANNELS_MAX + 2; c = c->next)
        if (strcmp(c->name, "here") != 0)
            argv[n++] = arena_printf(a, "%s%s", redis.o.prefix, c->name);
    redis.unsubscribed = n - 1;
    rlink_greet_with(l, n, argv, on_message, NULL);
}

// --- the thread --------------------------------------------------------------------------

static void on_echoed(redisAsyncContext *ac, void *reply, void *unused)
{
    (void)unused;
    if (ac->data && reply)
        rlink_answered(ac->data);
}

static void echo(void)
{
    if (redis.commands.state != RLINK_UP || redis.loop->now_ms - redis.echoed_ms < ECHO_MS)
        return;
    redis.echoed_ms = redis.loop->now_ms;
    rlink_greet_with(&redis.commands, 3, (const char *[]){"PUBLISH", redis.here, redis.o.name},
                     on_echoed, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    rlink_tick(&redis.commands);
    rlink_tick(&redis.messages);
    echo();
}

static void *run(void *unused)
{
    (void)unused;
    loop_run(redis.loop);
    return NULL;
}

static void rlink_init(struct rlink *l)
{
    l->loop = redis.loop;
    l->dns = redis.dns;
    l->address = &redis.o.address;
}

static void keep_options(const struct redis_options *o)
{
    struct arena *a = redis.arena = arena_new();
    redis.o = *o;
    redis.o.prefix = arena_strdup(a, o->prefix);
    redis.o.address.host = arena_strdup(a, o->address.host);
    redis.o.address.user = arena_strdup(a, o->address.user);
    redis.o.address.password = arena_strdup(a, o->address.password);
    redis.o.name = arena_strdup(a, o->name);
    redis.here = arena_printf(a, "%shere", redis.o.prefix);
}

void redis_start(const struct redis_options *o)
{
    keep_options(o);
    redis.loop = loop_new(-1);
    redis.dns = dns_new(redis.loop);
    redis.commands = (struct rlink){
        .on_greeting = load_scripts, .on_up = on_commands_up, .on_lost = on_commands_lost};
    redis.messages = (struct rlink){.listens = true,
                                    .on_greeting = subscribe,
                                    .on_up = on_messages_up,
                                    .on_lost = on_messages_lost};
    rlink_init(&redis.commands);
    rlink_init(&redis.messages);
    uv_timer_init(&redis.loop->uv, &redis.tick);
    uv_timer_start(&redis.tick, on_tick, 0, TICK_MS);
    if (pthread_create(&redis.thread, NULL, run, NULL))
        abort();
}

static void on_dns_closed(void *unused)
{
    (void)unused;
    loop_stop(redis.loop);
}

// Behind everything that was posted while we were up.
static void on_end(struct job *job)
{
    (void)job;
    rlink_drop(&redis.commands, "stopping");
    rlink_drop(&redis.messages, "stopping");
    uv_close((uv_handle_t *)&redis.tick, NULL);
    dns_close(redis.dns, on_dns_closed, NULL);
}

static void on_stop(struct job *job)
{
    (void)job;
    redis.o.on_change = NULL;
    set_up(false);
    redis.end = (struct job){.on_loop = on_end};
    loop_post(redis.loop, &redis.end);
}

void redis_stop(void)
{
    if (!redis.arena)
        return;
    redis.stop = (struct job){.on_loop = on_stop};
    loop_post(redis.loop, &redis.stop);
    pthread_join(redis.thread, NULL);
    loop_free(redis.loop);
    arena_free(redis.arena);
    redis.arena = NULL;
    redis.loop = NULL;
}

// --- replies -----------------------------------------------------------------------------

const char *redis_error(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR ? reply->str : NULL;
}

bool redis_int(const struct redisReply *reply, int64_t *out)
{
    if (!reply || reply->type != REDIS_REPLY_INTEGER)
        return false;
    *out = reply->integer;
    return true;
}

struct str redis_text(const struct redisReply *reply)
{
    if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
        return (struct str){0};
    return (struct str){reply->str, reply->len};
}

size_t redis_count(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const struct redisReply *redis_item(const struct redisReply *reply, size_t index)
{
    return index < redis_count(reply) ? reply->element[index] : NULL;
}
