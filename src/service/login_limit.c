// A table of fixed size: a full neighbourhood gives up its oldest window.

#include "service/login_limit.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/str.h"
#include "service/client_ip.h"

enum { SLOTS = 16384, NEIGHBOURS = 16, WAIT_SECONDS = 5 };

struct window {
    uint64_t who; // 0 = free
    int64_t ends;
    int failures, trying;
};

static struct window windows[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static uint64_t who(const char *address, const char *name)
{
    struct {
        struct ip network;
        uint64_t name;
    } both = {ip_network(address), name ? hash_table(name, strlen(name)) : 0};
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
    e->retry_after = w->ends > now ? (int)(w->ends - now) : 1;
    return e;
}

// Under the lock, which is let go while waiting: until the attempts of others leave room for one
// more failure, or the limit is reached. The window is looked up anew: it may have moved on.
static struct window *wait_for_room(uint64_t id, int attempts)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    struct window *w = window_of(id, clock_now());
    int late = 0;
    while (w->failures < attempts && w->failures + w->trying >= attempts && !late) {
        late = pthread_cond_timedwait(&ended, &lock, &until);
        w = window_of(id, clock_now());
    }
    return w;
}

struct err *login_limit_begin(struct arena *a, const char *ip, const char *name, int attempts)
{
    struct err *e = NULL;
    pthread_mutex_lock(&lock);
    struct window *address = window_of(who(ip, NULL), clock_now());
    if (address->failures >= LOGIN_FAILURES_PER_ADDRESS)
        e = limited(a, address, clock_now());
    struct window *both = e ? NULL : wait_for_room(who(ip, name), attempts);
    if (both && both->failures + both->trying >= attempts)
        e = limited(a, both, clock_now());
    else if (both)
        both->trying++;
    pthread_mutex_unlock(&lock);
    return e;
}

void login_limit_end(const char *ip, const char *name, enum login_outcome outcome)
{
    int64_t now = clock_now();
    pthread_mutex_lock(&lock);
    struct window *both = window_of(who(ip, name), now);
    both->trying -= both->trying > 0;
    if (outcome == LOGIN_RIGHT)
        both->failures = 0;
    if (outcome == LOGIN_WRONG) {
        both->failures++;
        window_of(who(ip, NULL), now)->failures++;
    }
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
}
