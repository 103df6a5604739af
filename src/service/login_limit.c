// A table of fixed size: a full neighbourhood gives up its oldest window.

#include "service/login_limit.h"

#include <pthread.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/str.h"
#include "service/client_ip.h"

enum { SLOTS = 16384, NEIGHBOURS = 16 };

struct window {
    uint64_t who; // 0 = free
    int64_t ends;
    int failures;
};

static struct window windows[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// An IPv6 client owns 64 bits of addresses.
static struct ip network_of(const char *address)
{
    struct ip ip = {{0}};
    if (!ip_parse(str_of(address), &ip))
        return ip;
    if (memchr(address, ':', strlen(address)) && !strchr(address, '.'))
        memset(ip.bytes + 8, 0, 8);
    return ip;
}

static uint64_t who(const char *address, const char *name)
{
    struct {
        struct ip network;
        uint64_t name;
    } both = {network_of(address), name ? hash_table(name, strlen(name)) : 0};
    return hash_table(&both, sizeof(both)) | 1;
}

// Under the lock: the window of this client, a fresh one if there is none.
static struct window *window_of(uint64_t id, int64_t now)
{
    struct window *oldest = NULL;
    for (uint64_t i = 0; i < NEIGHBOURS; i++) {
        struct window *w = &windows[(id / 2 + i) % SLOTS];
        if (w->who == id && w->ends > now)
            return w;
        if (!oldest || w->ends < oldest->ends)
            oldest = w;
    }
    *oldest = (struct window){.who = id, .ends = now + LOGIN_WINDOW_SECONDS};
    return oldest;
}

static struct err *limited(struct arena *a, const struct window *w, int64_t now)
{
    struct err *e = err_new(a, &err_login_limited, "%d failures", w->failures);
    e->retry_after = (int)(w->ends - now);
    return e;
}

struct err *login_limit_begin(struct arena *a, const char *ip, const char *name, int attempts)
{
    int64_t now = clock_now();
    struct err *e = NULL;
    pthread_mutex_lock(&lock);
    struct window *address = window_of(who(ip, NULL), now);
    int failed_here = address->failures;
    if (failed_here >= LOGIN_FAILURES_PER_ADDRESS)
        e = limited(a, address, now);
    struct window *both = e ? NULL : window_of(who(ip, name), now);
    if (both && both->failures >= attempts)
        e = limited(a, both, now);
    if (!e) {
        both->failures++;
        window_of(who(ip, NULL), now)->failures = failed_here + 1;
    }
    pthread_mutex_unlock(&lock);
    return e;
}

void login_limit_passed(const char *ip, const char *name)
{
    int64_t now = clock_now();
    pthread_mutex_lock(&lock);
    window_of(who(ip, name), now)->failures = 0;
    struct window *address = window_of(who(ip, NULL), now);
    address->failures -= address->failures > 0;
    pthread_mutex_unlock(&lock);
}
