// What balancers, orchestrators and Prometheus ask. None of it needs a database connection to
// begin.

#include "controller/process.h"

#include <stdatomic.h>

#include "common/arena.h"
#include "common/lane.h"
#include "service/metrics.h"
#include "service/shared.h"

enum { METRICS_MAX = 16 << 20 };

static struct db_pool *connections;
static atomic_bool draining;

static int64_t read_busy(void)
{
    return db_pool_busy(connections);
}

static int64_t read_size(void)
{
    return db_pool_size(connections);
}

static int64_t read_queue(void)
{
    return workers_waiting();
}

void process_setup(struct db_pool *pool)
{
    connections = pool;
    metric_read_with(METRIC_DB_BUSY, read_busy);
    metric_read_with(METRIC_DB_SIZE, read_size);
    metric_read_with(METRIC_WORKER_QUEUE, read_queue);
}

void process_drain(void)
{
    atomic_store(&draining, true);
}

struct err *api_process_alive(struct http *x)
{
    return http_ok(x);
}

struct err *api_process_ready(struct http *x)
{
    int64_t one = 0;
    struct db *logs;
    if (atomic_load(&draining))
        return err_new(x->arena, &err_shutting_down, "draining");
    TRY(ledger_admits(x->arena));
    TRY(http_db_take(x));
    TRY(db_int(x->db, x->arena, &one, "SELECT 1"));
    TRY(http_log_db(x, &logs));
    TRY(db_int(logs, x->arena, &one, "SELECT 1"));
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_str(&j, "redis", shared_state()); // without it we serve all the same
    return http_done(x, &j);
}

struct err *api_process_metrics(struct http *x)
{
    BUF_HERE(out, METRICS_MAX);
    metrics_write(&out);
    return http_reply_text(x, "text/plain; version=0.0.4; charset=utf-8", buf_view(&out));
}
