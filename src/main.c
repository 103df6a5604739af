// Reads the environment, opens the database, starts the loops; drains and stops them at the end.

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/db/db.h"
#include "common/http/server.h"
#include "common/http/tls.h"
#include "common/lane.h"
#include "common/log.h"
#include "common/redis/redis.h"
#include "model/tables.h"
#include "relay/keeper.h"
#include "relay/relay.h"
#include "router/dispatch.h"
#include "service/client_ip.h"
#include "service/ledger.h"
#include "service/limit_redis.h"
#include "service/metrics.h"
#include "service/node.h"
#include "service/peers.h"
#include "service/session.h"
#include "service/setup.h"
#include "service/shared.h"
#include "service/snapshot.h"
#include "service/watch.h"
#include "setting/boot.h"

enum { EXIT_FINE, EXIT_FAILED, EXIT_USAGE };
enum { LARGE_BLOCK = 1 << 20, TRIMMED_ABOVE = 8 << 20 };
enum { WORKER_THREADS = 8, LEASE_CHUNK = 50000, LEASE_IDLE_MS = 60000 };

static const char usage[] =
    "Usage: token-factory [serve]\n"
    "\n"
    "Stands between applications and AI providers: one key, one address, exact bills.\n"
    "\n"
    "  serve       start everything (the default)\n"
    "  --check     validate settings, database and migrations, then exit\n"
    "  --release-node NAME\n"
    "              give back what a node has leased whose disk is lost, then exit\n"
    "  --version   print the version\n"
    "  --help      print this\n"
    "\n"
    "Settings come from the environment and a .env file (see .env.example):\n";

// The environment as the table has it.
static int print_help(void)
{
    if (fputs(usage, stdout) < 0)
        return EXIT_FAILED;
    for (const struct field *f = boot_fields; f->name; f++)
        if (printf("  %-28s %s\n", f->name, f->def ? f->def : "") < 0)
            return EXIT_FAILED;
    return EXIT_FINE;
}

// --- one loop -----------------------------------------------------------------------

struct node_loop {
    pthread_t thread;
    struct loop *loop;
    struct http_server *server;
    struct job drain, cut;
    bool closing;
};

static struct {
    struct boot boot;
    struct db_pool *pool, *log_pool; // the same where the log has no database of its own
    struct tls_context *tls;         // NULL: plain
    struct node_loop *loops;
    _Atomic int open; // loops that still have connections or run
} node;

static void on_client_closed(void *self)
{
    struct node_loop *n = self;
    loop_stop(n->loop);
}

static void on_server_closed(void *self)
{
    struct node_loop *n = self;
    relay_detach(n->loop, on_client_closed, n);
}

static void close_loop(struct node_loop *n)
{
    if (n->closing)
        return;
    n->closing = true;
    http_server_close(n->server, on_server_closed, n);
}

static void on_drained(void *self)
{
    close_loop(self);
}

static void on_drain(struct job *job)
{
    struct node_loop *n = (struct node_loop *)((char *)job - offsetof(struct node_loop, drain));
    http_server_drain(n->server, on_drained, n);
}

static void on_cut(struct job *job)
{
    struct node_loop *n = (struct node_loop *)((char *)job - offsetof(struct node_loop, cut));
    close_loop(n);
}

static void *run_loop(void *self)
{
    struct node_loop *n = self;
    loop_run(n->loop);
    atomic_fetch_sub(&node.open, 1);
    return NULL;
}

static struct http_limits server_limits(void)
{
    struct http_limits limits = http_default_limits;
    limits.header_ms = node.boot.header_timeout * 1000;
    limits.body_ms = node.boot.body_timeout * 1000;
    limits.connections = node.boot.max_connections / node.boot.workers + 1;
    limits.tls = node.tls;
    return limits;
}

static struct err *start_loop(struct arena *a, struct node_loop *n, int index)
{
    struct http_limits limits = server_limits();
    n->loop = loop_new(index);
    n->drain.on_loop = on_drain;
    n->cut.on_loop = on_cut;
    relay_attach(n->loop);
    TRY(http_server_new(a, n->loop, node.boot.host, node.boot.port, router_handlers(), &limits,
                        &n->server));
    node.boot.port = http_server_port(n->server); // where 0 was asked for, the others follow
    return NULL;
}

static struct err *start_loops(struct arena *a)
{
    if (node.boot.port)
        TRY(http_port_free(a, node.boot.host, node.boot.port));
    node.loops = mem_new(sizeof(*node.loops) * (size_t)node.boot.workers);
    for (int i = 0; i < node.boot.workers; i++)
        TRY(start_loop(a, &node.loops[i], i));
    for (int i = 0; i < node.boot.workers; i++) {
        atomic_fetch_add(&node.open, 1);
        if (pthread_create(&node.loops[i].thread, NULL, run_loop, &node.loops[i]))
            abort();
    }
    return NULL;
}

// --- what everything stands on ----------------------------------------------------------

// Says which variable of the environment is to blame.
static struct err *of_variable(struct arena *a, const char *name, struct err *e)
{
    return e ? err_new(a, e->kind, "%s: %s", name, e->detail) : NULL;
}

static struct err *open_pool(struct arena *a, const char *dsn, struct db_pool **pool,
                             const struct table *const *tables, const struct migration *migrations)
{
    int connections = node.boot.db_connections;
    if (connections < WORKER_THREADS * 2 + 4)
        connections = WORKER_THREADS * 2 + 4; // a worker may need a second one for a moment
    TRY(db_pool_open(a, dsn, connections, pool));
    DB(db);
    TRY(db_lease(*pool, a, &db));
    return db_migrate(db, a, tables, migrations);
}

static struct err *open_databases(struct arena *a)
{
    const struct boot *b = &node.boot;
    bool apart = !text_is_empty(b->log_sql_dsn) && !text_eq(b->log_sql_dsn, b->sql_dsn);
    TRY(of_variable(a, "SQL_DSN",
                    open_pool(a, b->sql_dsn, &node.pool, model_tables, model_migrations)));
    node.log_pool = node.pool;
    if (!apart)
        return NULL;
    node.log_pool = NULL;
    return of_variable(
        a, "LOG_SQL_DSN",
        open_pool(a, b->log_sql_dsn, &node.log_pool, model_log_tables, model_log_migrations));
}

static void close_databases(void)
{
    if (node.log_pool != node.pool)
        db_pool_close(node.log_pool);
    db_pool_close(node.pool);
}

static struct err *make_root(struct arena *a)
{
    DB(db);
    TRY(db_lease(node.pool, a, &db));
    return setup_root(db, a, &node.boot);
}

static struct err *trust_proxies(struct arena *a)
{
    struct ip_list *list = NEW(a, struct ip_list);
    TRY(of_variable(a, "TRUSTED_PROXIES", ip_list_parse(a, node.boot.trusted_proxies, list)));
    client_ip_trust(list);
    return NULL;
}

static struct err *start_ledger(struct arena *a)
{
    struct ledger_options o = {
        .pool = node.pool,
        .log_pool = node.log_pool,
        .node = node.boot.node_name,
        .data_dir = node.boot.data_dir,
        .sync_ms = node.boot.journal_sync_ms,
        .journal_bytes = (int64_t)node.boot.journal_max_mb << 20,
        .chunk = LEASE_CHUNK,
        .idle_ms = LEASE_IDLE_MS,
    };
    return ledger_start(a, &o);
}

// Both files, or neither.
static struct err *open_certificate(struct arena *a)
{
    const struct boot *b = &node.boot;
    if (text_is_empty(b->tls_cert) && text_is_empty(b->tls_key))
        return NULL;
    return of_variable(a, "TLS_CERT_FILE, TLS_KEY_FILE",
                       tls_server_context(a, b->tls_cert, b->tls_key, &node.tls));
}

static struct err *check_redis(struct arena *a)
{
    struct redis_address at;
    if (text_is_empty(node.boot.redis_dsn))
        return NULL;
    return of_variable(a, "REDIS_CONN_STRING", redis_parse(a, node.boot.redis_dsn, &at));
}

static struct err *prepare(struct arena *a)
{
    TRY(boot_load(a, &node.boot));
    // One heap for each loop and one for all other threads: else each of a dozen keeps its own
    // holes.
    mallopt(M_ARENA_MAX, node.boot.workers + 1);
    if (!log_setup(node.boot.log_level, node.boot.log_format))
        return err_new(a, &err_field_invalid, "LOG_LEVEL or LOG_FORMAT");
    crypto_setup(str_of(node.boot.crypto_secret));
    session_setup(str_of(node.boot.session_secret));
    TRY(trust_proxies(a));
    TRY(open_certificate(a));
    TRY(check_redis(a));
    return open_databases(a);
}

// Files are connections here: as many as the system allows.
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct err *start(struct arena *a)
{
    TRY(prepare(a));
    TRY(watch_setup(node.pool, a));
    TRY(snapshot_setup(node.pool, a));
    TRY(start_ledger(a));
    TRY(make_root(a));
    if (!text_is_empty(node.boot.redis_dsn))
        limit_redis_setup(node.boot.node_name);
    TRY(relay_setup(a, &node.boot, node.pool));
    router_setup(&node.boot, node.pool, node.log_pool);
    workers_start(WORKER_THREADS);
    keeper_start(node.pool, node.log_pool);
    TRY(shared_start(node.pool, a, node.boot.redis_dsn, node.boot.node_name));
    watch_start();
    limit_redis_start();
    return start_loops(a);
}

// --- serving and stopping -----------------------------------------------------------------

static bool wait_for_signal(const sigset_t *set, int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    return sigtimedwait(set, NULL, &t) > 0;
}

// Listeners close, running streams finish; what is left at the end of the time is cut. A second
// signal ends at once: the journal has what was settled, and the next start books it.
static void drain(const sigset_t *signals)
{
    int64_t until = clock_steady_ms() + (int64_t)node.boot.shutdown_timeout * 1000;
    router_drain();
    for (int i = 0; i < node.boot.workers; i++)
        loop_post(node.loops[i].loop, &node.loops[i].drain);
    while (atomic_load(&node.open) && clock_steady_ms() < until)
        if (wait_for_signal(signals, 50))
            _exit(EXIT_FAILED);
    if (!atomic_load(&node.open))
        return;
    log_warn("shutting down: time is up, %d relays are cut", relay_running());
    relay_cut();
    for (int i = 0; i < node.boot.workers; i++)
        loop_post(node.loops[i].loop, &node.loops[i].cut);
}

static void stop(void)
{
    for (int i = 0; i < node.boot.workers; i++)
        pthread_join(node.loops[i].thread, NULL);
    keeper_stop();
    workers_stop();
    limit_redis_stop();
    watch_stop();
    shared_stop();
    for (int i = 0; i < node.boot.workers; i++)
        loop_free(node.loops[i].loop);
    ledger_stop();
    snapshot_stop();
    close_databases();
    tls_context_free(node.tls);
    free(node.loops);
}

static int complain(const struct err *e)
{
    log_error("cannot start: %s: %s", e->kind->code, e->detail);
    return EXIT_FAILED;
}

static int serve(struct arena *a)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); // every thread inherits it: only we take them
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    // Large blocks go back when they are freed: else each thread would keep 19 MiB for its next
    // password.
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    mallopt(M_TRIM_THRESHOLD, TRIMMED_ABOVE); // the rest goes back once it is quiet (relay/keeper)
    struct err *e = start(a);
    if (e)
        return complain(e);
    log_info("Token Factory %s serves on port %d with %d loops", TF_VERSION, node.boot.port,
             node.boot.workers);
    const char *link = setup_link(a, &node.boot);
    if (link)
        log_warn("no account yet: open %s to make one", link);
    while (!wait_for_signal(&signals, 3600000))
        continue;
    log_info("shutting down");
    drain(&signals);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL); // a second one ends it at once
    stop();
    log_info("stopped");
    return EXIT_FINE;
}

static int check(struct arena *a)
{
    struct err *e = prepare(a);
    struct settings settings;
    const char *odd = "";
    DB(db);
    if (!e)
        e = db_lease(node.pool, a, &db);
    if (!e)
        e = settings_load(db, a, &settings, &odd);
    if (!e)
        e = setup_check(db, a, &node.boot);
    if (!e && *odd)
        e = err_new(a, &err_field_invalid, "stored options: %s", odd);
    db_return(db);
    db = NULL;
    close_databases();
    if (e)
        return complain(e);
    puts("fine");
    return EXIT_FINE;
}

// Everybody who lives says so on Redis within this time.
enum { LISTEN_MS = 3500 };

static struct err *release_node(struct arena *a, const char *name)
{
    TRY(prepare(a));
    peers_setup("", NULL);
    TRY(shared_start(node.pool, a, node.boot.redis_dsn, ""));
    if (!text_is_empty(node.boot.redis_dsn))
        uv_sleep(LISTEN_MS);
    struct err *e = node_release(node.pool, a, name, peers_hear);
    shared_stop();
    close_databases();
    return e;
}

static int release(struct arena *a, const char *name)
{
    struct err *e = release_node(a, name);
    if (!e)
        return EXIT_FINE;
    log_error("cannot release node %s: %s: %s", name, e->kind->code, e->detail);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "serve";
    ARENA(a);
    if (argc == 3 && !strcmp(command, "--release-node"))
        return release(a, argv[2]);
    if (argc > 2 || (argc == 2 && !strcmp(command, ""))) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(command, "serve"))
        return serve(a);
    if (!strcmp(command, "--check"))
        return check(a);
    if (!strcmp(command, "--version"))
        return puts("token-factory " TF_VERSION) < 0 ? EXIT_FAILED : EXIT_FINE;
    if (!strcmp(command, "--help") || !strcmp(command, "-h"))
        return print_help();
    fputs(usage, stderr);
    return EXIT_USAGE;
}
