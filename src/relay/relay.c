// The life of a relay, told once, in order.

#include "relay/relay.h"

#include <stdatomic.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "relay/state.h"
#include "service/client_ip.h"
#include "service/metrics.h"
#include "setting/boot.h"

static enum relay_step choose(struct relay *r);
static enum relay_step send_up(struct relay *r);

static const struct {
    const char *name;
    enum relay_step (*run)(struct relay *r);
} steps[] = {
    [RELAY_ADMIT] = {"admit", relay_admit},       // who asks, may they, what might it cost
    [RELAY_LIMIT] = {"limit", relay_limit},       // have they asked for too much lately
    [RELAY_RESERVE] = {"reserve", relay_reserve}, // can they pay for it
    [RELAY_CHOOSE] = {"choose", choose},          // which channel and key will serve it
    [RELAY_SEND] = {"send", send_up},             // the request goes up, the answer comes down
    [RELAY_SETTLE] = {"settle", relay_settle},    // charge what was used, write it down
};

enum { LOOPS_MOST = 256, REFUSAL_MOST = 64 << 10, LINGER_MS = 2000, STATUS_CLASSES = 6 };

static struct {
    struct db_pool *pool;
    const struct boot *boot;
    struct {
        struct client *client;
        struct arena *scratch, *joined; // for whichever relay reads right now
    } loops[LOOPS_MOST];
    _Atomic int running;
    _Atomic bool cut;
    struct metric_cell *streams, *retries;
} shared;

// --- beginning ------------------------------------------------------------------------

static void on_gone(struct exchange *x);
static void on_drain(struct exchange *x);

static void free_document(void *relay)
{
    struct relay *r = relay;
    arena_free(r->document);
}

void relay_begin(struct exchange *x, const struct relay_route *route)
{
    struct relay *r = NEW(x->arena, struct relay);
    r->x = x;
    r->loop = x->loop;
    r->job.loop = x->loop;
    r->arena = x->arena;
    r->scratch = shared.loops[x->loop->index].scratch;
    r->joined = shared.loops[x->loop->index].joined;
    r->document = arena_new();
    arena_defer(r->arena, free_document, r);
    r->route = route;
    r->snapshot = snapshot_hold();
    r->ip = client_ip(x->arena, x->peer, &x->headers);
    if (route->mode == MODE_KEPT)
        relay_read_kept_path(r);
    r->in = r->out = r->text = r->keep = BUF(REFUSAL_MOST);
    r->dropped = BUF(1024);
    x->owner = r;
    x->on_gone = on_gone;
    x->on_drain = on_drain;
    atomic_fetch_add(&shared.running, 1);
    metric_add(shared.streams, 1);
    relay_go(r, RELAY_ADMIT);
}

// --- choose ---------------------------------------------------------------------------

// A channel that has just filled up is not asked.
static bool choose_any(struct relay *r, const struct tried *tried)
{
    struct choosing how = {tried, r->token_estimate, r->loop->now_ms, r->session};
    while (choose_channel(r->candidates, &how, &r->choice))
        if (relay_limit_channel(r))
            return true;
    return false;
}

static enum relay_step choose(struct relay *r)
{
    static const struct tried none;
    const struct tried *tried = r->tried ? r->tried : &none;
    bool found = relay_pinned(r) ? relay_choose_pinned(r) : choose_any(r, tried);
    if (!found && !r->failed && r->choice.full.wait_ms)
        return relay_limit_channels(r);
    if (!found) {
        const struct err_kind *kind =
            r->unsuited ? &err_mode_unsupported : &err_channel_unavailable;
        if (!r->failed)
            r->failed = err_new(r->arena, kind, "%s", r->head.model);
        r->ending = ENDED_ERROR;
        return RELAY_SETTLE;
    }
    if (r->attempts++)
        metric_add(shared.retries, 1);
    if (r->used_count < TRIED_MOST)
        r->used[r->used_count++] = r->choice.channel->row.id;
    r->failed = NULL;
    return RELAY_SEND;
}

// --- send -------------------------------------------------------------------------------

static void on_head(struct call *c);
static void on_body(struct call *c, struct str bytes);
static void on_rest(struct call *c);
static void on_done(struct call *c, struct err *e);
static bool may_try_again(const struct relay *r);

static enum relay_step send_up(struct relay *r)
{
    if (relay_counts_itself(r)) {
        r->step = RELAY_SETTLE; // where it goes on
        relay_on_worker(r, relay_count_tokens);
        return RELAY_WAIT;
    }
    struct err *e = r->failed ? r->failed : relay_prepare(r);
    if (!e && r->first) {
        void (*first)(struct relay *) = r->first;
        r->first = NULL;
        first(r);
        return RELAY_WAIT;
    }
    if (e) {
        r->failed = e;
        relay_attempt_failed(r, e);
        bool other = relay_unsuited(e) || may_try_again(r);
        r->ending = ENDED_ERROR;
        return other ? RELAY_CHOOSE : RELAY_SETTLE;
    }
    struct call *c = r->call;
    const struct boot *boot = shared.boot;
    c->client = shared.loops[r->loop->index].client;
    c->on_head = on_head;
    c->on_body = on_body;
    c->on_rest = on_rest;
    c->on_done = on_done;
    c->limits = call_default_limits;
    c->limits.connect_ms = boot->connect_timeout * 1000;
    c->limits.idle_ms = boot->streaming_timeout * 1000;
    c->limits.first_byte_ms =
        (boot->first_byte_timeout ? boot->first_byte_timeout : boot->streaming_timeout) * 1000;
    r->calling = true;
    health_begin(r->choice.key->health);
    call_start(c);
    return RELAY_WAIT;
}

static bool is_over(const struct relay *r)
{
    return r->step == RELAY_SETTLE || r->settled; // its last word has been said
}

static struct relay *relay_of_deadline(struct deadline *d)
{
    return (struct relay *)((char *)d - offsetof(struct relay, deadline));
}

static void wait_for_words(struct relay *r);

// Proxies and impatient clients take a silent stream for a dead one.
static void on_silence(struct deadline *d)
{
    struct relay *r = relay_of_deadline(d);
    if (is_over(r) || !r->calling)
        return;
    if (r->silent && !r->on_worker && !r->paused)
        relay_answer_live(r);
    wait_for_words(r);
}

// Looks twice in the time, so that no silence is longer.
static void wait_for_words(struct relay *r)
{
    r->silent = true;
    r->deadline.on_due = on_silence;
    deadline_set(r->loop, &r->deadline,
                 (int64_t)r->snapshot->settings.relay.silence_seconds * 1000 / 2);
}

static void on_head(struct call *c)
{
    struct relay *r = c->owner;
    r->refused = c->status < 200 || c->status > 299;
    if (r->refused) {
        r->in.limit = REFUSAL_MOST;
        return;
    }
    relay_answer_begin(r);
    if (relay_answer_may_live(r))
        wait_for_words(r);
}

static void hold_if_slow(struct relay *r)
{
    if (!r->paused && r->calling && exchange_queued(r->x) > http_default_limits.queue_high) {
        r->paused = true;
        call_pause(r->call);
    }
}

static void on_drain(struct exchange *x)
{
    struct relay *r = x->owner;
    if (r->paused && r->calling && !r->on_worker) {
        r->paused = false;
        call_resume(r->call);
    }
}

// The client is not there any more, of itself or because we cut it off.
static struct err *gone(struct relay *r)
{
    bool cut = atomic_load(&shared.cut);
    r->ending = cut ? ENDED_SHUTDOWN : ENDED_CLIENT_GONE;
    return err_new(r->arena, cut ? &err_shutting_down : &err_client_gone,
                   cut ? "cut off by the shutdown" : "the client left");
}

// The reservation has been extended from the balance, or could not be.
static void on_covered(struct job *job)
{
    struct relay *r = (struct relay *)job;
    r->on_worker = false;
    r->quota_wanted = 0;
    struct err *refused = r->failed;
    r->failed = NULL;
    if (refused)
        r->ending = ENDED_QUOTA;
    if (refused || r->gone) {
        relay_fail(r, refused ? refused : gone(r));
        return;
    }
    call_resume(r->call);
}

static void cover_more(struct relay *r)
{
    call_pause(r->call);
    r->on_worker = true;
    r->job.on_worker = relay_cover_on_worker;
    r->job.on_loop = on_covered;
    worker_run(&r->job);
}

static void answer_complete(struct relay *r)
{
    health_good(r->choice.key->health);
    r->ending = ENDED_WELL;
    relay_go(r, RELAY_SETTLE);
}

static void on_body(struct call *c, struct str bytes)
{
    struct relay *r = c->owner;
    if (is_over(r))
        return;
    if (!r->refused || r->in.n + bytes.n < r->in.limit)
        relay_answer_take(r, bytes);
}

static enum relay_ending ending_of(const struct err *e)
{
    if (e->kind == &err_upstream_timeout)
        return ENDED_TIMEOUT;
    bool broke = e->kind == &err_upstream_truncated || e->kind == &err_upstream_unreachable;
    return broke ? ENDED_CUT : ENDED_ERROR;
}

// Frames that came before a failure go to the client whether or not the network brought them in
// one piece with it: what happens must not depend on that.
static void pass_on(struct relay *r)
{
    if (r->streaming && r->spoken && !r->gone)
        relay_answer_flush(r);
}

// All that one read brought is there: it is read, and passed on, at once.
static void on_rest(struct call *c)
{
    struct relay *r = c->owner;
    if (is_over(r) || r->refused)
        return;
    struct err *e = relay_answer_feed(r, false);
    if (e) {
        pass_on(r);
        r->ending = ending_of(e);
        relay_fail(r, e);
    } else if (r->streaming && r->reader.ended) {
        answer_complete(r);
    } else if (r->streaming && r->spoken) {
        relay_answer_flush(r);
        hold_if_slow(r);
        if (r->quota_wanted)
            cover_more(r);
    }
}

static void finish(struct relay *r);

static void on_done(struct call *c, struct err *e)
{
    struct relay *r = c->owner;
    r->calling = false;
    if (r->settled) {
        finish(r);
    } else if (r->step == RELAY_SETTLE) {
        return; // a worker brings it back
    } else if (e) {
        r->ending = ending_of(e);
        relay_fail(r, e);
    } else if (r->refused) {
        relay_fail(r, relay_upstream_error(r));
    } else {
        e = relay_answer_feed(r, true);
        if (e) {
            pass_on(r);
            r->ending = ending_of(e);
            relay_fail(r, e);
        } else {
            answer_complete(r);
        }
    }
}

// --- when it goes wrong -------------------------------------------------------------------

static bool may_try_again(const struct relay *r)
{
    const struct relay_setting *s = &r->snapshot->settings.relay;
    if (r->answered || r->gone || !r->failed->kind->retry || r->attempts > s->retry_times)
        return false;
    bool said = r->call && r->refused;
    return !said || status_list_has(s->retry_status_codes, r->call->status);
}

// What the next attempt must not see.
static void forget_attempt(struct relay *r)
{
    buf_clear(&r->in);
    buf_clear(&r->out);
    buf_clear(&r->text);
    buf_clear(&r->keep);
    r->reader = r->gatherer = (struct chat_reader){0};
    r->refused = r->streaming = r->spoken = r->paused = false;
    r->written = 0;
    r->frames = r->received = r->covered = 0;
    r->upstream_error = (struct chat_error){0};
}

void relay_fail(struct relay *r, struct err *e)
{
    deadline_clear(r->loop, &r->deadline);
    if (r->calling) {
        r->calling = false;
        call_cancel(r->call);
    }
    r->failed = e;
    if (e->kind == &err_client_gone || r->ending == ENDED_QUOTA)
        health_unsaid(r->choice.key->health);
    else
        relay_attempt_failed(r, e);
    if (may_try_again(r)) {
        forget_attempt(r);
        relay_go(r, RELAY_CHOOSE);
        return;
    }
    if (r->ending == ENDED_WELL)
        r->ending = ENDED_ERROR;
    relay_go(r, RELAY_SETTLE);
}

static void on_gone(struct exchange *x)
{
    struct relay *r = x->owner;
    r->gone = true;
    if (r->on_worker)
        return; // seen when it comes back
    if (r->settled) {
        if (r->calling)
            call_cancel(r->call);
        r->calling = false;
        finish(r);
        return;
    }
    relay_fail(r, gone(r));
}

// --- from step to step ----------------------------------------------------------------------

static void on_back(struct job *job)
{
    struct relay *r = (struct relay *)job;
    r->on_worker = false;
    if (r->gone && r->step != RELAY_SETTLE) {
        r->failed = gone(r);
        relay_go(r, RELAY_SETTLE);
        return;
    }
    if (r->calling)
        call_resume(r->call);
    relay_go(r, r->step);
}

void relay_await(struct relay *r)
{
    r->on_worker = true;
    r->job.on_loop = on_back;
}

void relay_on_worker(struct relay *r, void (*work)(struct job *job))
{
    if (r->calling)
        call_pause(r->call); // nothing must move while somebody else has the relay
    r->job.on_worker = work;
    relay_await(r);
    worker_run(&r->job);
}

static void on_linger(struct deadline *d)
{
    struct relay *r = relay_of_deadline(d);
    r->calling = false;
    call_cancel(r->call);
    finish(r);
}

void relay_go(struct relay *r, enum relay_step step)
{
    while (step < RELAY_END) {
        r->step = step;
        step = steps[step].run(r);
    }
    if (step != RELAY_END)
        return;
    if (r->calling) { // everything was said: only the upstream's connection is still to be kept
        relay_answer_flush(r);
        r->deadline.on_due = on_linger;
        deadline_set(r->loop, &r->deadline, LINGER_MS);
        return;
    }
    finish(r);
}

// --- the one way out ----------------------------------------------------------------------------

// What a route counts into, fetched once per loop.
struct tally {
    const struct relay_route *route;
    struct metric_cell *fine, *duration, *first_byte;
};
enum { ROUTES_MOST = 64 };

static const struct tally *tally_of(const struct relay_route *route, const char *mode)
{
    static _Thread_local struct tally tallies[ROUTES_MOST];
    int i = 0;
    while (i < ROUTES_MOST - 1 && tallies[i].route && tallies[i].route != route)
        i++;
    struct tally *t = &tallies[i];
    const char *dialect = route->speaks->name;
    if (t->route != route)
        *t = (struct tally){route, metric_cell(METRIC_REQUESTS, dialect, mode, "200", NULL),
                            metric_cell(METRIC_DURATION, dialect, mode, NULL),
                            metric_cell(METRIC_FIRST_BYTE, dialect, mode, NULL)};
    return t;
}

static void count_answer(const struct relay *r, int status)
{
    static const char *const modes[MODE_COUNT] = {
        "chat",          "completion", "embedding", "rerank", "image",  "image_edit", "speech",
        "transcription", "moderation", "responses", "models", "tokens", "kept",       "compact"};
    const char *mode = modes[r->route->mode];
    const struct tally *t = tally_of(r->route, mode);
    struct metric_cell *cell = t->fine;
    char text[8];
    if (status != 200) {
        snprintf(text, sizeof(text), "%d", status);
        cell = metric_cell(METRIC_REQUESTS, r->route->speaks->name, mode, text, NULL);
    }
    metric_add(cell, 1);
    metric_observe_ms(t->duration, clock_steady_ms() - r->x->began_ms);
    if (r->first_ms)
        metric_observe_ms(t->first_byte, r->first_ms - r->x->began_ms);
}

static void release(struct relay *r)
{
    deadline_clear(r->loop, &r->deadline);
    relay_answer_release(r);
    directory_release(r->caller);
    snapshot_release(r->snapshot);
    metric_add(shared.streams, -1);
    atomic_fetch_sub(&shared.running, 1);
}

static void break_off(struct relay *r)
{
    struct chat_error words;
    BUF_HERE(out, 64 << 10);
    relay_answer_flush(r);
    relay_error_words(r->arena, r->route->speaks, r->failed, &r->upstream_error, &words);
    struct chat_writer passed = {.dialect = r->route->speaks,
                                 .arena = r->arena,
                                 .model = r->head.model,
                                 .id = r->reader.id.p,
                                 .passed = r->frames};
    struct chat_writer *w = r->translated ? &r->writer : &passed;
    w->out = &out;
    chat_write_stream_error(w, &r->head, &words, r->x->request_id);
    struct str piece = buf_view(&out);
    exchange_write(r->x, &piece, 1);
    log_write(LOG_WARN, r->x->request_id, "broken off: %s: %s", r->failed->kind->code,
              r->failed->detail);
}

static void finish(struct relay *r)
{
    struct exchange *x = r->x;
    if (r->failed && !r->answered && !r->gone) {
        count_answer(r, r->failed->status);
        release(r);
        relay_refuse_said(r, r->failed); // the exchange ends, and with it the relay
        return;
    }
    if (r->own_answer && !r->gone) {
        r->first_ms = clock_steady_ms();
        count_answer(r, 200);
        struct buf out = r->out;
        r->out = BUF(0);
        release(r);
        struct http_header headers[LIMIT_HEADERS];
        size_t n = relay_limit_headers(r, headers);
        exchange_reply(x, 200, "application/json", headers, n, buf_view(&out));
        buf_free(&out);
        return;
    }
    if (r->failed && !r->gone)
        break_off(r);
    else if (!r->gone)
        relay_answer_finish(r);
    count_answer(r,
                 r->gone ? err_client_gone.status : 200); // of whole answers the head has just left
    release(r);
    exchange_end(x);
}

// --- what all relays share
// ------------------------------------------------------------------------

struct db_pool *relay_pool(void)
{
    return shared.pool;
}

struct err *relay_setup(struct arena *a, const struct boot *boot, struct db_pool *pool)
{
    if (boot->workers > LOOPS_MOST)
        return err_new(a, &err_field_invalid, "WORKERS");
    shared.pool = pool;
    shared.boot = boot;
    shared.streams = metric_cell(METRIC_OPEN_STREAMS, NULL);
    shared.retries = metric_cell(METRIC_RETRIES, NULL);
    metric_read_with(METRIC_LIMIT_SUBJECTS, limit_subjects);
    metric_read_with(METRIC_CONNECTIONS, http_connections);
    metric_read_with(METRIC_UPSTREAM_CONNECTIONS, client_connections);
    relay_settle_setup();
    directory_setup();
    keep_setup(pool);
    return NULL;
}

void relay_attach(struct loop *loop)
{
    shared.loops[loop->index].client = client_new(loop);
    shared.loops[loop->index].scratch = arena_new();
    shared.loops[loop->index].joined = arena_new();
}

void relay_detach(struct loop *loop, void (*on_closed)(void *), void *arg)
{
    arena_free(shared.loops[loop->index].scratch);
    arena_free(shared.loops[loop->index].joined);
    client_close(shared.loops[loop->index].client, on_closed, arg);
}

void relay_cut(void)
{
    atomic_store(&shared.cut, true);
}

int relay_running(void)
{
    return atomic_load(&shared.running);
}
