// Who is heard, who was asked, and who asks us.

#include "service/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/rand.h"
#include "common/redis/redis.h"
#include "service/metrics.h"

enum {
    HEARD_MS = 3000,
    WAIT_MS = 333,
    PEERS_MOST = 64,
    NAME_SIZE = 64,
    PROCESS_SIZE = 16,
};

struct peer {
    char name[NAME_SIZE + 1];
    int64_t heard_ms; // clock_steady_ms; 0: none
};

// Embedded in the asker's stack, listed while he waits.
struct question {
    struct question *next;
    int64_t serial;
    const char *waits_for[PEERS_MOST]; // NULL: has answered
    int left;
};

static struct {
    char node[NAME_SIZE + 1], process[PROCESS_SIZE + 1];
    void (*give_back)(enum account_kind kind, int64_t id);
    uv_mutex_t lock; // of everything below
    uv_cond_t answered;
    struct peer peers[PEERS_MOST];
    struct question *questions;
    int64_t serial;
    int64_t since_ms; // messages come
} peers;

static const char *const kinds[] = {[ACCOUNT_USER] = "user", [ACCOUNT_TOKEN] = "token"};

// --- who is heard --------------------------------------------------------------------------

// The place of the name, else the one that was silent for longest.
static struct peer *place_of(struct str name)
{
    struct peer *oldest = peers.peers;
    for (int i = 0; i < PEERS_MOST; i++) {
        if (str_is(name, peers.peers[i].name))
            return &peers.peers[i];
        if (peers.peers[i].heard_ms < oldest->heard_ms)
            oldest = &peers.peers[i];
    }
    return oldest;
}

static void on_here(struct str name)
{
    if (!name.n || name.n > NAME_SIZE || str_is(name, peers.node))
        return;
    uv_mutex_lock(&peers.lock);
    struct peer *p = place_of(name);
    snprintf(p->name, sizeof(p->name), "%.*s", STR_ARGS(name));
    p->heard_ms = clock_steady_ms();
    uv_mutex_unlock(&peers.lock);
}

static void on_subscribed(void)
{
    uv_mutex_lock(&peers.lock);
    peers.since_ms = clock_steady_ms();
    uv_mutex_unlock(&peers.lock);
}

// Who may not have had the time to be heard yet, is asked as well.
static bool may_hear(const char *node)
{
    const struct peer *p = place_of(str_of(node));
    int64_t before = clock_steady_ms() - HEARD_MS;
    return peers.since_ms > before || (!strcmp(p->name, node) && p->heard_ms > before);
}

static bool is_heard(const char *node)
{
    const struct peer *p = place_of(str_of(node));
    return !strcmp(p->name, node) && p->heard_ms && clock_steady_ms() - p->heard_ms < HEARD_MS;
}

bool peers_hear(const char *node)
{
    uv_mutex_lock(&peers.lock);
    bool heard = is_heard(node);
    uv_mutex_unlock(&peers.lock);
    return heard;
}

// --- we ask ----------------------------------------------------------------------------------

static void remove_question(struct question *q)
{
    struct question **at = &peers.questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

static void wait_for_answers(struct question *q)
{
    int64_t until = clock_steady_ms() + WAIT_MS, now;
    while (q->left && (now = clock_steady_ms()) < until)
        uv_cond_timedwait(&peers.answered, &peers.lock, (uint64_t)(until - now) * 1000000);
}

static bool say(const char *text)
{
    return redis_publish("leases", str_of(text));
}

bool peers_ask(enum account_kind kind, int64_t id, const char *const *nodes, size_t count)
{
    ARENA(a);
    struct question q = {0};
    uv_mutex_lock(&peers.lock);
    for (size_t i = 0; i < count && q.left < PEERS_MOST; i++)
        if (may_hear(nodes[i]))
            q.waits_for[q.left++] = nodes[i];
    q.serial = ++peers.serial;
    q.next = peers.questions;
    peers.questions = &q;
    bool asked = q.left > 0;
    uv_mutex_unlock(&peers.lock);
    if (asked)
        asked = say(arena_printf(a, "ask %s %lld %s %lld", peers.process, (long long)q.serial,
                                 kinds[kind], (long long)id));
    uv_mutex_lock(&peers.lock);
    if (asked)
        wait_for_answers(&q);
    remove_question(&q);
    uv_mutex_unlock(&peers.lock);
    return asked;
}

static void take_answer(struct question *q, struct str node)
{
    for (int i = 0; i < PEERS_MOST; i++)
        if (q->waits_for[i] && str_is(node, q->waits_for[i])) {
            q->waits_for[i] = NULL;
            q->left--;
        }
}

static void on_did(int64_t serial, struct str node)
{
    uv_mutex_lock(&peers.lock);
    for (struct question *q = peers.questions; q; q = q->next)
        if (q->serial == serial)
            take_answer(q, node);
    uv_cond_broadcast(&peers.answered);
    uv_mutex_unlock(&peers.lock);
}

// --- we are asked ----------------------------------------------------------------------------

struct asked {
    struct job job;
    enum account_kind kind;
    int64_t id, serial;
    char process[PROCESS_SIZE + 1];
};

static void on_asked(struct job *job)
{
    struct asked *q = (struct asked *)job;
    ARENA(a);
    peers.give_back(q->kind, q->id);
    say(arena_printf(a, "did %s %lld %s", q->process, (long long)q->serial, peers.node));
    free(q);
}

static bool read_kind(struct str text, enum account_kind *kind)
{
    *kind = str_is(text, kinds[ACCOUNT_TOKEN]) ? ACCOUNT_TOKEN : ACCOUNT_USER;
    return str_is(text, kinds[*kind]);
}

static bool answer(struct str process, int64_t serial, struct str rest)
{
    struct str kind, id;
    struct asked q = {.serial = serial, .job.on_worker = on_asked};
    if (!str_next(&rest, ' ', &kind) || !read_kind(kind, &q.kind) || !str_next(&rest, ' ', &id) ||
        !str_to_int(id, &q.id) || q.id <= 0 || rest.n)
        return false;
    memcpy(q.process, process.p, process.n);
    struct asked *kept = mem_new(sizeof(*kept));
    *kept = q;
    worker_run(&kept->job);
    return true;
}

static bool read_message(struct str message)
{
    struct str what, process, number;
    int64_t serial;
    if (!str_next(&message, ' ', &what) || !str_next(&message, ' ', &process) ||
        process.n != PROCESS_SIZE || !str_next(&message, ' ', &number) ||
        !str_to_int(number, &serial))
        return false;
    bool ours = str_is(process, peers.process);
    if (str_is(what, "did")) {
        if (ours)
            on_did(serial, message);
        return true;
    }
    return str_is(what, "ask") && (ours || answer(process, serial, message));
}

static void on_lease(struct str message)
{
    if (!read_message(message))
        metric_add(metric_cell(METRIC_CHANGES_MALFORMED, NULL), 1);
}

void peers_setup(const char *node, void (*give_back)(enum account_kind kind, int64_t id))
{
    static struct redis_channel here = {
        .name = "here", .on_message = on_here, .on_subscribed = on_subscribed};
    static struct redis_channel leases = {.name = "leases", .on_message = on_lease};
    static bool subscribed;
    snprintf(peers.node, sizeof(peers.node), "%s", node);
    rand_text(peers.process, PROCESS_SIZE);
    peers.give_back = give_back;
    if (subscribed)
        return;
    subscribed = true;
    if (uv_mutex_init(&peers.lock) || uv_cond_init(&peers.answered))
        abort();
    redis_subscribe(&here);
    redis_subscribe(&leases);
}
