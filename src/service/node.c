// Claiming, beating, leaving, releasing: each one conditional UPDATE.

#include "service/node.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/rand.h"
#include "model/lease.h"
#include "model/node.h"
#include "model/token.h"
#include "model/user.h"
#include "service/move.h"
#include "setting/boot.h"

enum { PROCESS_SIZE = 16, WATCH_MS = 6000, LOOK_MS = 250 };

static struct {
    struct db_pool *pool;
    char name[65], process[PROCESS_SIZE + 1];
    _Atomic bool lost;
} node;

bool node_is_ours(void)
{
    return !atomic_load(&node.lost);
}

// --- is it alive? --------------------------------------------------------------------------

static struct err *find(struct db_pool *pool, struct arena *a, const char *name,
                        struct node_row *row)
{
    DB(db);
    TRY(db_lease(pool, a, &db));
    return db_find(db, a, &node_table, row, "name = ?", P(name));
}

// Our clocks need not agree: whoever lives is seen to beat.
static struct err *must_be_dead(struct db_pool *pool, struct arena *a, const struct node_row *row,
                                bool (*heard)(const char *name))
{
    int64_t until = clock_steady_ms() + WATCH_MS;
    while (*row->process && clock_steady_ms() < until) {
        struct node_row now;
        uv_sleep(LOOK_MS);
        TRY(find(pool, a, row->name, &now));
        if (now.beats != row->beats || (heard && heard(row->name)))
            return err_new(a, &err_node_taken, "a node named %s is alive, on another DATA_DIR",
                           row->name);
    }
    return NULL;
}

static struct err *must_have_no_leases(struct db_pool *pool, struct arena *a, const char *name)
{
    int64_t count = 0;
    DB(db);
    TRY(db_lease(pool, a, &db));
    TRY(db_int(db, a, &count, "SELECT COUNT(*) FROM leases WHERE node = ? AND amount <> 0",
               P(name)));
    if (!count)
        return NULL;
    return err_new(
        a, &err_node_taken,
        "node %s has leased %lld balances, and what it spent is in its DATA_DIR, which is"
        " another one: start it there, use another NODE_NAME, or, if that disk is lost,"
        " run token-factory --release-node %s",
        name, (long long)count, name);
}

// --- claiming ------------------------------------------------------------------------------

static struct err *insert(struct arena *a, const char *name, const char *folder)
{
    struct node_row row = {
        .name = name, .folder = folder, .process = node.process, .seen_at = clock_now()};
    DB(db);
    TRY(db_lease(node.pool, a, &db));
    struct err *e = db_insert(db, a, &node_table, &row);
    return e && e->kind == &err_db_duplicate
               ? err_new(a, &err_node_taken, "two nodes named %s start at once", name)
               : e;
}

static struct err *take(struct arena *a, const struct node_row *row, const char *folder)
{
    int64_t changed = 0;
    DB(db);
    TRY(db_lease(node.pool, a, &db));
    TRY(db_exec(db, a, &changed,
                "UPDATE nodes SET folder = ?, process = ?, beats = beats + 1, seen_at = ?"
                " WHERE name = ? AND process = ? AND folder = ?",
                P(folder), P(node.process), P(clock_now()), P(row->name), P(row->process),
                P(row->folder)));
    return changed ? NULL
                   : err_new(a, &err_node_taken, "two nodes named %s start at once", row->name);
}

struct err *node_claim(struct db_pool *pool, struct arena *a, const char *name,
                       const char *data_dir)
{
    struct node_row row;
    const char *folder;
    node.pool = pool;
    snprintf(node.name, sizeof(node.name), "%s", name);
    rand_text(node.process, PROCESS_SIZE);
    atomic_store(&node.lost, false);
    TRY(boot_keep(a, data_dir, "node_id", &folder));
    struct err *e = find(pool, a, name, &row);
    if (e && e->kind == &err_not_found)
        return insert(a, name, folder);
    TRY(e);
    if (strcmp(row.folder, folder) != 0) {
        TRY(must_be_dead(pool, a, &row, NULL));
        TRY(must_have_no_leases(pool, a, name));
    }
    return take(a, &row, folder);
}

struct err *node_beat(struct db *db, struct arena *a, bool *others)
{
    int64_t changed = 0, count = 0;
    TRY(db_exec(db, a, &changed,
                "UPDATE nodes SET beats = beats + 1, seen_at = ? WHERE name = ? AND process = ?",
                P(clock_now()), P(node.name), P(node.process)));
    if (!changed && !atomic_exchange(&node.lost, true))
        log_error("the name %s is no longer ours: somebody released it or serves under it; new work"
                  " is refused",
                  node.name);
    TRY(db_int(db, a, &count, "SELECT COUNT(*) FROM nodes WHERE process <> '' AND name <> ?",
               P(node.name)));
    *others = count > 0;
    return NULL;
}

static struct err *leave(struct arena *a)
{
    DB(db);
    TRY(db_lease(node.pool, a, &db));
    return db_exec(db, a, NULL, "UPDATE nodes SET process = '' WHERE name = ? AND process = ?",
                   P(node.name), P(node.process));
}

void node_leave(void)
{
    ARENA(a);
    struct err *e = leave(a);
    if (e)
        log_warn("node %s: %s: %s", node.name, e->kind->code, e->detail);
}

// --- releasing -----------------------------------------------------------------------------

static const char *owner_of(struct db *db, struct arena *a, const struct lease *l)
{
    struct user user = {0};
    struct token token = {0};
    if (!strcmp(l->kind, "user"))
        return user_by_id(db, a, l->owner_id, &user) ? "deleted" : user.username;
    return db_find(db, a, &token_table, &token, "id = ?", P(l->owner_id)) ? "deleted" : token.name;
}

static struct err *tell(struct db_pool *pool, struct arena *a, const char *name)
{
    struct rows rows;
    int64_t total = 0;
    DB(db);
    TRY(db_lease(pool, a, &db));
    TRY(db_list(db, a, &lease_table, &rows, "node = ? AND amount <> 0 ORDER BY kind DESC, owner_id",
                P(name)));
    const struct lease *leases = rows.items;
    for (size_t i = 0; i < rows.count; i++) {
        if (printf("%s %lld (%s): %lld given back\n", leases[i].kind, (long long)leases[i].owner_id,
                   owner_of(db, a, &leases[i]), (long long)leases[i].amount) < 0)
            return err_new(a, &err_internal, "standard output cannot be written");
        total += strcmp(leases[i].kind, "user") ? 0 : leases[i].amount;
    }
    printf("node %s: released; of the %lld given back to users, what it had spent and not booked is"
           " lost\n",
           name, (long long)total);
    return NULL;
}

struct err *node_release(struct db_pool *pool, struct arena *a, const char *name,
                         bool (*heard)(const char *name))
{
    struct node_row row;
    int64_t changed = 0;
    struct ledger_options o = {.pool = pool, .node = name};
    TRY(find(pool, a, name, &row));
    TRY(must_be_dead(pool, a, &row, heard));
    DB(db);
    TRY(db_lease(pool, a, &db));
    TRY(db_exec(db, a, &changed, "DELETE FROM nodes WHERE name = ? AND beats = ? AND process = ?",
                P(name), P(row.beats), P(row.process)));
    if (!changed)
        return err_new(a, &err_node_taken, "a node named %s is alive", name);
    db_return(db);
    db = NULL;
    TRY(tell(pool, a, name));
    return move_all_out(&o, a);
}
