// A table of names with what is known of them; look-ups run in libuv's own threads.

#include "common/http/dns.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/arena.h"
#include "common/hash.h"
#include "common/lane.h"

enum { BUCKETS = 256, NAME_MAX_LENGTH = 253, ADDRESSES_MAX = 16 };

struct dns_name {
    struct dns_name *next; // in its bucket
    struct dns *dns;
    struct dns_answer *answer; // the last good one
    const char *why;           // of the last failure, NULL if the last look-up was good
    int64_t at_ms;             // when the last look-up ended
    int64_t good_ms;           // when the last good one did
    bool asking;
    struct dns_query *waiting, **waiting_tail;
    uv_getaddrinfo_t request;
    char host[];
};

struct dns {
    struct loop *loop;
    struct dns_name *buckets[BUCKETS];
    int names, running, asked;
    bool closing;
    void (*on_closed)(void *);
    void *arg;
};

// --- answers --------------------------------------------------------------------

static struct dns_answer *answer_new(int count)
{
    struct dns_answer *a = mem_new(sizeof(*a) + sizeof(a->at[0]) * (size_t)count);
    a->refs = 1;
    a->count = count;
    return a;
}

struct dns_answer *dns_hold(struct dns_answer *a)
{
    a->refs++;
    return a;
}

void dns_release(struct dns_answer *a)
{
    if (a && --a->refs == 0)
        free(a);
}

struct dns_answer *dns_literal(const char *host)
{
    union dns_address address = {0};
    if (uv_ip4_addr(host, 0, &address.v4) != 0 && uv_ip6_addr(host, 0, &address.v6) != 0)
        return NULL;
    struct dns_answer *a = answer_new(1);
    a->at[0] = address;
    return a;
}

static struct dns_answer *answer_of(const struct addrinfo *list)
{
    int count = 0;
    for (const struct addrinfo *i = list; i; i = i->ai_next)
        count += i->ai_family == AF_INET || i->ai_family == AF_INET6;
    if (!count)
        return NULL;
    struct dns_answer *a = answer_new(count < ADDRESSES_MAX ? count : ADDRESSES_MAX);
    int n = 0;
    for (const struct addrinfo *i = list; i && n < a->count; i = i->ai_next)
        if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
            memcpy(&a->at[n++], i->ai_addr, i->ai_addrlen);
    return a;
}

// --- the table --------------------------------------------------------------------

static struct dns_name **bucket_of(struct dns *d, const char *host)
{
    return &d->buckets[hash_table(host, strlen(host)) % BUCKETS];
}

static void name_free(struct dns_name *n)
{
    n->dns->names--;
    dns_release(n->answer);
    free(n);
}

static void sweep_bucket(struct dns_name **at, int64_t before)
{
    while (*at) {
        struct dns_name *n = *at;
        if (n->asking || n->at_ms >= before) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        name_free(n);
    }
}

// Removes names that nobody waits for and whose last look-up is older than that.
static void sweep(struct dns *d, int64_t before)
{
    for (int i = 0; i < BUCKETS; i++)
        sweep_bucket(&d->buckets[i], before);
}

static struct dns_name *name_of(struct dns *d, const char *host)
{
    struct dns_name **bucket = bucket_of(d, host);
    for (struct dns_name *n = *bucket; n; n = n->next)
        if (!strcmp(n->host, host))
            return n;
    if (d->names >= DNS_NAMES_MAX) {
        sweep(d, d->loop->now_ms - DNS_STALE_MS);
        if (d->names >= DNS_NAMES_MAX)
            sweep(d, INT64_MAX);
    }
    size_t length = strlen(host);
    struct dns_name *n = mem_new(sizeof(*n) + length + 1);
    memcpy(n->host, host, length);
    n->dns = d;
    n->waiting_tail = &n->waiting;
    n->next = *bucket;
    *bucket = n;
    d->names++;
    return n;
}

// --- looking up ---------------------------------------------------------------------

static enum dns_state known(struct dns_name *n, struct dns_query *q)
{
    int64_t now = n->dns->loop->now_ms;
    if (n->answer && now - n->good_ms < DNS_STALE_MS) {
        q->answer = dns_hold(n->answer);
        return DNS_READY;
    }
    if (n->why && now - n->at_ms < DNS_FAILED_MS) {
        q->why = n->why;
        return DNS_FAILED;
    }
    return DNS_WAITS;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct dns_name *n = request->data;
    struct dns *d = n->dns;
    struct dns_answer *answer = status == 0 ? answer_of(list) : NULL;
    uv_freeaddrinfo(list);
    n->at_ms = d->loop->now_ms;
    n->why = answer ? NULL : status ? uv_strerror(status) : "no address";
    if (answer) {
        dns_release(n->answer);
        n->answer = answer;
        n->good_ms = n->at_ms;
    }
    // One by one: a callback may make another query of the list go away. The name counts as asking
    // meanwhile, so that it is not swept; new queries find the result and do not join the list.
    while (n->waiting) {
        struct dns_query *q = n->waiting;
        dns_forget(q);
        q->answer = answer ? dns_hold(answer) : NULL;
        q->why = n->why;
        q->on_answer(q);
    }
    n->asking = false;
    d->running--;
    if (d->closing && !d->running) {
        sweep(d, INT64_MAX);
        d->on_closed(d->arg);
        free(d);
    }
}

static void ask(struct dns_name *n)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct dns *d = n->dns;
    n->request.data = n;
    int status = uv_getaddrinfo(&d->loop->uv, &n->request, on_looked_up, n->host, NULL, &hints);
    if (status != 0) {
        n->why = uv_strerror(status);
        n->at_ms = d->loop->now_ms;
        return;
    }
    n->asking = true;
    d->running++;
    d->asked++;
}

enum dns_state dns_lookup(struct dns *d, const char *host, struct dns_query *q)
{
    q->answer = NULL;
    q->why = NULL;
    q->name = NULL;
    if (!*host || strlen(host) > NAME_MAX_LENGTH) {
        q->why = "not a host name";
        return DNS_FAILED;
    }
    struct dns_name *n = name_of(d, host);
    enum dns_state state = known(n, q);
    bool outdated = d->loop->now_ms - n->at_ms >= (n->why ? DNS_FAILED_MS : DNS_FRESH_MS);
    if (!n->asking && (state == DNS_WAITS || outdated))
        ask(n);
    if (state != DNS_WAITS)
        return state;
    if (!n->asking) {
        q->why = n->why;
        return DNS_FAILED;
    }
    q->name = n;
    q->next = NULL;
    *n->waiting_tail = q;
    n->waiting_tail = &q->next;
    return DNS_WAITS;
}

void dns_learn(struct dns *d, const char *host, struct dns_answer *answer)
{
    struct dns_name *n = name_of(d, host);
    dns_release(n->answer);
    n->answer = answer;
    n->why = NULL;
    n->at_ms = n->good_ms = d->loop->now_ms;
}

void dns_forget(struct dns_query *q)
{
    struct dns_name *n = q->name;
    if (!n)
        return;
    q->name = NULL;
    for (struct dns_query **at = &n->waiting; *at; at = &(*at)->next) {
        if (*at != q)
            continue;
        *at = q->next;
        if (!*at)
            n->waiting_tail = at;
        return;
    }
}

int dns_asked(const struct dns *d)
{
    return d->asked;
}

struct dns *dns_new(struct loop *loop)
{
    struct dns *d = mem_new(sizeof(*d));
    d->loop = loop;
    return d;
}

void dns_close(struct dns *d, void (*on_closed)(void *), void *arg)
{
    d->closing = true;
    d->on_closed = on_closed;
    d->arg = arg;
    sweep(d, INT64_MAX);
    if (d->running)
        return;
    on_closed(arg);
    free(d);
}
