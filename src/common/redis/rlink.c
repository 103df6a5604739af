// The states of a connection, each with its own patience.

#include "common/redis/rlink.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/rand.h"
#include "common/redis/adapter.h"

enum {
    CONNECT_MS = 2000, // name, connection and greetings
    ANSWER_MS = 1000,  // without a word while an answer is due
    SILENCE_MS = 3000, // where our own messages should be heard
    BACKOFF_MS = 100,
    BACKOFF_MOST_MS = 5000,
};

// --- losing ------------------------------------------------------------------------------

// 0.1 s, doubled each time, up to 5 s; half of it by chance, so that not all nodes come at once.
static int64_t backoff(int failures)
{
    int64_t ms = failures < 6 ? BACKOFF_MS << failures : BACKOFF_MOST_MS;
    return ms / 2 + (int64_t)rand_below((uint64_t)ms / 2 + 1);
}

static void lost(struct rlink *l, const char *why)
{
    bool was_up = l->state == RLINK_UP;
    dns_forget(&l->query);
    if (l->ac)
        l->ac->data = NULL; // it may have more to say
    l->ac = NULL;
    l->state = RLINK_DOWN;
    l->waiting = 0;
    l->retry_ms = l->loop->now_ms + backoff(l->failures);
    l->failures += l->failures < 30;
    l->on_lost(l, was_up, why);
}

void rlink_drop(struct rlink *l, const char *why)
{
    redisAsyncContext *ac = l->ac;
    char text[160];
    if (l->state == RLINK_DOWN)
        return;
    snprintf(text, sizeof(text), "%s", why); // it may be the connection's own
    if (ac) {
        ac->data = NULL; // we know
        l->ac = NULL;
        redisAsyncFree(ac); // whoever waits gets NULL, now or when hiredis is out of its callback
    }
    lost(l, text);
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
    struct rlink *l = ac->data;
    (void)status;
    if (l)
        lost(l, ac->err ? ac->errstr : "closed");
}

// --- making ------------------------------------------------------------------------------

static struct rlink *rlink_of(const redisAsyncContext *ac)
{
    return ac->data;
}

void rlink_answered(struct rlink *l)
{
    l->waiting--;
    l->heard_ms = l->loop->now_ms;
}

bool rlink_send(struct rlink *l, redisCallbackFn *fn, void *arg, const char *bytes, size_t n)
{
    if (!l->ac || redisAsyncFormattedCommand(l->ac, fn, arg, bytes, n) != REDIS_OK)
        return false;
    if (!l->waiting++)
        l->heard_ms = l->loop->now_ms;
    return true;
}

bool rlink_greeted(struct rlink *l, const redisReply *reply)
{
    if (!l || !reply)
        return false;
    rlink_answered(l);
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    rlink_drop(l, reply->str);
    return false;
}

static void on_greeted(redisAsyncContext *ac, void *reply, void *unused)
{
    (void)unused;
    rlink_greeted(rlink_of(ac), reply);
}

void rlink_ready(struct rlink *l)
{
    l->state = RLINK_UP;
    l->failures = 0;
    l->on_up(l);
}

static void on_last_greeted(redisAsyncContext *ac, void *reply, void *unused)
{
    (void)unused;
    if (rlink_greeted(rlink_of(ac), reply))
        rlink_ready(rlink_of(ac));
}

void rlink_greet_with(struct rlink *l, int argc, const char *const *argv,
                      redisCallbackFn *on_answer, void *arg)
{
    char *bytes = NULL;
    long long n = redisFormatCommandArgv(&bytes, argc, (const char **)argv, NULL);
    if (n < 0)
        abort();
    rlink_send(l, on_answer, arg, bytes, (size_t)n);
    redisFreeCommand(bytes);
}

void rlink_greet(struct rlink *l, int argc, const char *const *argv)
{
    rlink_greet_with(l, argc, argv, on_greeted, NULL);
}

static void greet(struct rlink *l)
{
    const struct redis_address *at = l->address;
    char database[16];
    snprintf(database, sizeof(database), "%d", at->database);
    if (!text_is_empty(at->user))
        rlink_greet(l, 3, (const char *[]){"AUTH", at->user, at->password});
    else if (!text_is_empty(at->password))
        rlink_greet(l, 2, (const char *[]){"AUTH", at->password});
    if (at->database)
        rlink_greet(l, 2, (const char *[]){"SELECT", database});
    rlink_greet(l, 3, (const char *[]){"CLIENT", "SETNAME", "token-factory"});
    l->on_greeting(l);
    if (!l->listens)
        rlink_greet_with(l, 1, (const char *[]){"PING"}, on_last_greeted, NULL);
}

static void on_connect(const redisAsyncContext *ac, int status)
{
    struct rlink *l = rlink_of(ac);
    if (!l)
        return;
    if (status == REDIS_OK)
        greet(l);
    else
        lost(l, ac->errstr); // hiredis frees it
}

static void connect_to(struct rlink *l, const struct dns_answer *answer)
{
    char ip[INET6_ADDRSTRLEN];
    const union dns_address *at = &answer->at[l->failures % answer->count];
    bool six = at->any.sa_family == AF_INET6;
    inet_ntop(at->any.sa_family, six ? (void *)&at->v6.sin6_addr : (void *)&at->v4.sin_addr, ip,
              sizeof(ip));
    redisAsyncContext *ac = redisAsyncConnect(ip, l->address->port);
    if (!ac)
        abort();
    if (ac->err) {
        char why[160];
        snprintf(why, sizeof(why), "%s", ac->errstr);
        redisAsyncFree(ac);
        lost(l, why);
        return;
    }
    ac->data = l;
    l->ac = ac;
    l->state = RLINK_GREETING;
    adapter_attach(ac, &l->loop->uv);
    redisAsyncSetConnectCallback(ac, on_connect);
    redisAsyncSetDisconnectCallback(ac, on_disconnect);
}

static void on_resolved(struct dns_query *q)
{
    struct rlink *l = (struct rlink *)((char *)q - offsetof(struct rlink, query));
    if (!q->answer) {
        lost(l, q->why);
        return;
    }
    connect_to(l, q->answer);
    dns_release(q->answer);
}

static void rlink_connect(struct rlink *l)
{
    l->state = RLINK_RESOLVING;
    l->since_ms = l->loop->now_ms;
    struct dns_answer *literal = dns_literal(l->address->host);
    if (literal) {
        connect_to(l, literal);
        dns_release(literal);
        return;
    }
    l->query.on_answer = on_resolved;
    if (dns_lookup(l->dns, l->address->host, &l->query) != DNS_WAITS)
        on_resolved(&l->query);
}

// --- watching ----------------------------------------------------------------------------

void rlink_tick(struct rlink *l)
{
    int64_t now = l->loop->now_ms;
    switch (l->state) {
    case RLINK_DOWN:
        if (now >= l->retry_ms)
            rlink_connect(l);
        return;
    case RLINK_RESOLVING:
    case RLINK_GREETING:
        if (now - l->since_ms > CONNECT_MS)
            rlink_drop(l, "no answer to the greeting");
        return;
    case RLINK_UP:
        if (l->listens ? now - l->heard_ms > SILENCE_MS
                       : l->waiting && now - l->heard_ms > ANSWER_MS)
            rlink_drop(l, "no answer");
        return;
    }
}
