// Management goes to a worker and comes back; relays stay on their loop.

#include "router/dispatch.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "controller/process.h"
#include "middleware/guards.h"
#include "router/router.h"
#include "router/web.h"
#include "service/client_ip.h"
#include "service/ledger.h"
#include "service/metrics.h"
#include "service/snapshot.h"
#include "setting/boot.h"

enum { MANAGEMENT_BODY = 1 << 20, UNKNOWN_BODY = 64 << 10, ANSWER_MAX = 64 << 20 };

static struct {
    struct db_pool *pool, *log_pool;
    size_t relay_body;
    bool https;
} shared;

// A management request in somebody's hands: the loop's, then a worker's, then the loop's again.
struct request {
    struct job job;
    struct http http;
    const struct route *route; // NULL: nothing there
    struct err *failed;        // what the handler answered
    struct user user;
    struct session session;
};

static void on_worker(struct job *job);
static void on_answered(struct job *job);

void router_setup(const struct boot *boot, struct db_pool *pool, struct db_pool *log_pool)
{
    shared.pool = pool;
    shared.log_pool = log_pool;
    shared.relay_body = (size_t)boot->max_request_body_mb << 20;
    shared.https = !text_is_empty(boot->tls_cert);
    process_setup(pool);
}

void router_drain(void)
{
    process_drain();
}

static bool under(struct str path, const char *folder)
{
    size_t n = strlen(folder);
    return str_starts(path, folder) && (path.n == n || path.p[n] == '/');
}

static struct err *on_head(struct exchange *x)
{
    struct route_match match;
    router_match(x->method, x->path, &match);
    x->owner = (void *)match.route;
    x->body_limit = !match.route                       ? UNKNOWN_BODY
                    : match.route->kind == ROUTE_RELAY ? shared.relay_body
                                                       : MANAGEMENT_BODY;
    return NULL;
}

// --- management -------------------------------------------------------------------------

static struct request *request_new(struct exchange *x, const struct route *route)
{
    struct arena *a = arena_new(); // not x->arena: the loop may use that meanwhile
    struct request *r = NEW(a, struct request);
    r->route = route;
    r->job = (struct job){.loop = x->loop, .on_worker = on_worker, .on_loop = on_answered};
    r->http = (struct http){
        .exchange = x,
        .arena = a,
        .pool = shared.pool,
        .log_pool = shared.log_pool,
        .role = route ? (int)route->who : ROLE_GUEST,
        .ip = x->peer,
        .https = shared.https,
        .user = &r->user,
        .session = &r->session,
        .out = BUF(ANSWER_MAX),
    };
    return r;
}

static void set_params(struct http *x, const struct route_match *match)
{
    memcpy(x->params, match->params, sizeof(x->params));
    x->param_count = match->param_count;
}

// One line for what went wrong: ours is an error, an upstream's or the load's a warning.
static void log_failure(const struct http *x, const struct err *e)
{
    int status = e->kind->status;
    enum log_level level = status == 500 ? LOG_ERROR : status > 500 ? LOG_WARN : LOG_INFO;
    log_write(level, x->exchange->request_id, "%.*s %.*s: %s: %s", STR_ARGS(x->exchange->method),
              STR_ARGS(x->exchange->path), e->kind->code, e->detail);
}

static void fail(struct http *x, const struct err *e)
{
    log_failure(x, e);
    http_fail(x, e);
}

// What another transaction stood in the way of (a deadlock) is done again, unless some of it is
// done already.
static struct err *handle(struct db *db, struct arena *a, void *arg)
{
    struct request *r = arg;
    (void)db;
    (void)a;
    r->failed = r->route->handler(&r->http);
    return r->http.change_count ? NULL : r->failed;
}

// Guards, then the handler, with a connection for both.
static struct err *manage(struct request *r)
{
    struct http *x = &r->http;
    TRY(http_db_take(x));
    TRY(guards_run(x));
    TRY(db_retry(x->db, x->arena, handle, r));
    return r->failed;
}

static void publish(const struct http *x)
{
    for (size_t i = 0; i < x->change_count; i++)
        change_publish(x->changes[i].kind, x->changes[i].id);
}

static struct err *run(struct request *r)
{
    guard_language(&r->http);
    if (r->route->kind == ROUTE_MANAGEMENT)
        return manage(r);
    return r->route->handler(&r->http);
}

static void on_worker(struct job *job)
{
    struct request *r = (struct request *)job;
    struct err *e = run(r);
    http_db_release(&r->http);
    if (e)
        fail(&r->http, e);
    else
        publish(&r->http);
}

static void request_free(struct request *r)
{
    struct buf out = r->http.out;
    arena_free(r->http.arena); // r too
    buf_free(&out);
}

// The client may have left meanwhile: then the answer is dropped, and the exchange ends all the
// same.
static void on_answered(struct job *job)
{
    struct request *r = (struct request *)job;
    struct http *x = &r->http;
    exchange_reply(x->exchange, x->status, x->content_type, x->headers, x->header_count,
                   buf_view(&x->out));
    request_free(r);
}

// --- what has no handler ------------------------------------------------------------------

// Where nobody answers, the path still tells who asked. The first that fits counts.
static const struct {
    const char *folder, *mark; // mark: something that must stand in it
    const struct dialect *speaks;
} folders[] = {
    {"/v1/messages", "", &claude_dialect}, {"/v1/models", ":", &gemini_dialect},
    {"/v1beta", "", &gemini_dialect},      {"/v2", "", &cohere_dialect},
    {"/v1", "", &openai_dialect},          {"/model", "", &bedrock_dialect},
};

static const struct dialect *dialect_of(struct str path, const struct route *route)
{
    if (route)
        return route->kind == ROUTE_RELAY ? route->relay.speaks : NULL;
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        if (under(path, folders[i].folder) &&
            memmem(path.p, path.n, folders[i].mark, strlen(folders[i].mark)))
            return folders[i].speaks;
    return NULL;
}

static void refuse(struct exchange *x, const struct route *route, const struct err *e)
{
    const struct dialect *speaks = dialect_of(x->path, route);
    if (speaks) {
        relay_refuse(x, speaks, e);
        return;
    }
    struct request *r = request_new(x, route);
    guard_secure(&r->http);
    guard_language(&r->http);
    if (e->kind == &err_method_not_allowed)
        http_header_add(&r->http, "Allow", router_allow(r->http.arena, x->path));
    fail(&r->http, e);
    on_answered(&r->job);
}

static void on_reject(struct exchange *x, const struct err *e)
{
    struct route_match match;
    router_match(x->method, x->path, &match);
    refuse(x, match.route ? match.route : match.other, e);
}

// Another method of the path tells its dialect.
static void refuse_unknown(struct exchange *x, const struct route *other)
{
    const struct err_kind *kind = other ? &err_method_not_allowed : &err_route_not_found;
    if (other && other->kind == ROUTE_RELAY && http_header(&x->headers, "upgrade").n)
        kind = &err_websocket_unsupported; // Codex then goes on without one
    refuse(x, other, err_new(x->arena, kind, "%.*s", STR_ARGS(x->path)));
}

// --- requests -------------------------------------------------------------------------------

// What comes too often from one address costs no worker anything.
static struct err *limit_address(struct exchange *x)
{
    const struct snapshot *s = snapshot_hold();
    struct limits limits = s->limits.api;
    snapshot_release(s);
    limits.most[LIMIT_CONCURRENT] = 0; // workers and the pool bound that
    if (!limits_any(&limits))
        return NULL;
    struct limit_who who = {LIMIT_API, .name = client_ip(x->arena, x->peer, &x->headers)};
    struct limit_ticket ticket = {0};
    struct limit_refusal why;
    if (limit_take(&ticket, &who, &limits, 0, x->loop->now_ms, &why)) {
        limit_settle(&ticket, 0, x->loop->now_ms);
        return NULL;
    }
    return limit_error(x->arena, &why);
}

static void on_request(struct exchange *x)
{
    const struct route *route = x->owner;
    struct route_match match;
    x->owner = NULL;
    if (route && route->kind == ROUTE_RELAY) {
        relay_begin(x, &route->relay);
        return;
    }
    router_match(x->method, x->path, &match);
    if (!match.route) {
        if (match.other || !web_serve(x))
            refuse_unknown(x, match.other);
        return;
    }
    struct err *e = match.route->kind == ROUTE_MANAGEMENT ? limit_address(x) : NULL;
    if (e) {
        refuse(x, match.route, e);
        return;
    }
    struct request *r = request_new(x, match.route);
    set_params(&r->http, &match);
    if (match.route->kind == ROUTE_PLAIN && match.route->lane == LOOP) {
        on_worker(&r->job);
        on_answered(&r->job);
        return;
    }
    worker_run(&r->job);
}

static void on_finish(struct exchange *x)
{
    static const char *const often[] = {"/v1",      "/v1beta", "/v2",      "/model",
                                        "/healthz", "/readyz", "/metrics", "/assets"};
    bool busy = x->status >= 400; // a refusal has its line already
    for (size_t i = 0; i < sizeof(often) / sizeof(*often); i++)
        busy = busy || under(x->path, often[i]);
    enum log_level level = busy ? LOG_DEBUG : LOG_INFO;
    if (under(x->path, "/api"))
        metric_add(metric_cell(METRIC_MANAGEMENT, arena_printf(x->arena, "%d", x->status), NULL),
                   1);
    if (log_enabled(level))
        log_write(level, x->request_id, "%.*s %.*s %d %lld ms %lld bytes", STR_ARGS(x->method),
                  STR_ARGS(x->path), x->status, (long long)(clock_steady_ms() - x->began_ms),
                  (long long)x->sent);
}

const struct http_handlers *router_handlers(void)
{
    static const struct http_handlers handlers = {
        .on_head = on_head,
        .on_request = on_request,
        .on_reject = on_reject,
        .before_send = ledger_write_down,
        .on_finish = on_finish,
    };
    return &handlers;
}
