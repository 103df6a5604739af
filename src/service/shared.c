// Starting Redis under this installation's own prefix, and telling people how it is.

#include "service/shared.h"

#include "common/arena.h"
#include "common/log.h"
#include "common/rand.h"
#include "common/redis/redis.h"
#include "model/fact.h"
#include "service/metrics.h"

enum { NAME_SIZE = 16 };

static void on_change(bool up, const char *why)
{
    if (up)
        log_info("Redis: connected");
    else
        log_warn("Redis: away: %s; going on without it", why);
}

static struct redis_state now(void)
{
    struct redis_state s;
    redis_state(&s);
    return s;
}

bool shared_is_up(void)
{
    struct redis_state s = now();
    return s.up && s.subscribed;
}

const char *shared_state(void)
{
    if (!now().configured)
        return "off";
    return shared_is_up() ? "up" : "down";
}

// --- metrics -----------------------------------------------------------------------------

static int64_t read_up(void)
{
    return shared_is_up();
}

static int64_t read_calls(void)
{
    return now().calls;
}

static int64_t read_failures(void)
{
    return now().failures;
}

static int64_t read_connects(void)
{
    return now().connects;
}

static int64_t read_messages(void)
{
    return now().messages;
}

static void show_metrics(void)
{
    metric_read_with(METRIC_REDIS_UP, read_up);
    metric_read_with(METRIC_REDIS_CALLS, read_calls);
    metric_read_with(METRIC_REDIS_FAILURES, read_failures);
    metric_read_with(METRIC_REDIS_CONNECTS, read_connects);
    metric_read_with(METRIC_REDIS_MESSAGES, read_messages);
}

// --- start and stop ----------------------------------------------------------------------

// Several installations may share one Redis, and database numbers do not keep messages apart.
static struct err *find_prefix(struct db_pool *pool, struct arena *a, const char **prefix)
{
    char random[NAME_SIZE + 1];
    const char *name;
    DB(db);
    TRY(db_lease(pool, a, &db));
    rand_text(random, NAME_SIZE);
    TRY(fact_keep(db, a, "installation", random, &name));
    *prefix = arena_printf(a, "tf:%s:", name);
    return NULL;
}

struct err *shared_start(struct db_pool *pool, struct arena *a, const char *redis_dsn,
                         const char *node)
{
    struct redis_options o = {.name = node, .on_change = on_change};
    show_metrics();
    if (text_is_empty(redis_dsn))
        return NULL;
    TRY(redis_parse(a, redis_dsn, &o.address));
    TRY(find_prefix(pool, a, &o.prefix));
    redis_start(&o);
    return NULL;
}

void shared_stop(void)
{
    redis_stop();
}
