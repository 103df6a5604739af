// One conditional UPDATE decides; the lease and the move's number are written with it.

#include "service/move.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/rand.h"
#include "model/lease.h"
#include "service/node.h"

static const struct words {
    const char *kind; // as in the leases table
    const char *read, *take, *give;
    const struct err_kind *short_of;
} words[] = {
    [ACCOUNT_USER] = {"user", "SELECT quota FROM users WHERE id = ?",
                      "UPDATE users SET quota = quota - ? WHERE id = ? AND quota >= ?",
                      "UPDATE users SET quota = quota + ? WHERE id = ?", &err_quota_insufficient},
    [ACCOUNT_TOKEN] = {"token", "SELECT remain_quota FROM tokens WHERE id = ?",
                       "UPDATE tokens SET remain_quota = remain_quota - ? WHERE id = ? AND"
                       " remain_quota >= ?",
                       "UPDATE tokens SET remain_quota = remain_quota + ? WHERE id = ?",
                       &err_token_exhausted},
};

// Adds (or, negative, takes) and leaves the move's number.
static struct err *change_lease(const struct ledger_options *o, struct db *db, struct arena *a,
                                const struct account *account, int64_t by, int64_t move)
{
    const char *kind = words[account->kind].kind;
    int64_t changed = 0;
    TRY(db_exec(db, a, &changed,
                "UPDATE leases SET amount = amount + ?, last_move = ?, updated_at = ?"
                " WHERE kind = ? AND owner_id = ? AND node = ?",
                P(by), P(move), P(clock_now()), P(kind), P(account->id), P(o->node)));
    if (changed)
        return NULL;
    struct lease row = {.node = o->node,
                        .kind = kind,
                        .owner_id = account->id,
                        .amount = by,
                        .last_move = move,
                        .updated_at = clock_now()};
    return db_insert(db, a, &lease_table, &row);
}

// Until the commit is answered, what moves belongs to nobody in memory.
static struct err *commit_move(struct tx *tx, struct arena *a, struct account *account,
                               struct doubt doubt)
{
    account->doubt = doubt;
    TRY(tx_commit(tx, a));
    account->doubt = (struct doubt){0};
    return NULL;
}

static int64_t new_move(void)
{
    return 1 + (int64_t)rand_below(INT64_MAX);
}

// Asks whether the move in doubt happened. Touching the balance waits for a transaction that the
// database may still be finishing.
static struct err *resolve_doubt(const struct ledger_options *o, struct db *db, struct arena *a,
                                 struct account *account)
{
    const struct words *w = &words[account->kind];
    struct doubt doubt = account->doubt;
    int64_t last = 0;
    if (!doubt.move)
        return NULL;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_exec(db, a, NULL, w->give, P((int64_t)0), P(account->id)));
    TRY(db_int(db, a, &last,
               "SELECT last_move FROM leases WHERE kind = ? AND owner_id = ? AND node = ?",
               P(w->kind), P(account->id), P(o->node)));
    if ((last == doubt.move) == doubt.in)
        account_give_back(account, doubt.amount);
    account->doubt = (struct doubt){0};
    return NULL;
}

struct err *move_connect(const struct ledger_options *o, struct arena *a, struct account *account,
                         struct db **db)
{
    if (!node_is_ours())
        return err_new(a, &err_node_replaced, "node %s", o->node);
    TRY(db_lease(o->pool, a, db));
    return resolve_doubt(o, *db, a, account);
}

enum { SHARES = 4 }; // what is not needed at once is a quarter of what there is, at most

static int64_t amount_of(const struct slice *slice, int64_t balance)
{
    int64_t need = balance < slice->need ? balance : slice->need;
    int64_t spare = slice->most < balance / SHARES ? slice->most : balance / SHARES;
    if (balance < slice->least || balance <= 0)
        return 0;
    return need > spare ? need : spare;
}

struct err *move_in(const struct ledger_options *o, struct db *db, struct arena *a,
                    struct account *account, struct slice *slice)
{
    const struct words *w = &words[account->kind];
    int64_t balance = 0, changed = 0, taken = 0, move = new_move();
    slice->got = 0;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    while (!changed) { // another node may take some in between: then there is less
        TRY(db_int(db, a, &balance, w->read, P(account->id)));
        taken = amount_of(slice, balance);
        if (!taken)
            return NULL;
        TRY(db_exec(db, a, &changed, w->take, P(taken), P(account->id), P(taken)));
    }
    TRY(change_lease(o, db, a, account, taken, move));
    TRY(commit_move(&tx, a, account, (struct doubt){move, taken, true}));
    slice->got = taken;
    return NULL;
}

struct err *move_out(const struct ledger_options *o, struct db *db, struct arena *a,
                     struct account *account, int64_t quota)
{
    int64_t move = new_move();
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_exec(db, a, NULL, words[account->kind].give, P(quota), P(account->id)));
    TRY(change_lease(o, db, a, account, -quota, move));
    return commit_move(&tx, a, account, (struct doubt){move, quota, false});
}

static struct err *all_out(struct db *db, struct arena *a, void *arg)
{
    const struct ledger_options *o = arg;
    struct rows rows;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    // users first, as everybody locks them
    TRY(db_list(db, a, &lease_table, &rows, "node = ? ORDER BY kind DESC, owner_id", P(o->node)));
    const struct lease *leases = rows.items;
    for (size_t i = 0; i < rows.count; i++) {
        bool user = !strcmp(leases[i].kind, words[ACCOUNT_USER].kind);
        const struct words *w = &words[user ? ACCOUNT_USER : ACCOUNT_TOKEN];
        TRY(db_exec(db, a, NULL, w->give, P(leases[i].amount), P(leases[i].owner_id)));
    }
    TRY(db_exec(db, a, NULL, "DELETE FROM leases WHERE node = ?", P(o->node)));
    return tx_commit(&tx, a);
}

struct err *move_all_out(const struct ledger_options *o, struct arena *a)
{
    DB(db);
    TRY(db_lease(o->pool, a, &db));
    return db_retry(db, a, all_out, (void *)o);
}

struct err *move_others(const struct ledger_options *o, struct arena *a,
                        const struct account *account, const char ***nodes, size_t *count)
{
    struct rows rows;
    DB(db);
    *count = 0;
    TRY(db_lease(o->pool, a, &db));
    TRY(lease_of_others(db, a, words[account->kind].kind, account->id, o->node, &rows));
    const struct lease *leases = rows.items;
    *nodes = NEW_ARRAY(a, const char *, rows.count + 1);
    for (; *count < rows.count; (*count)++)
        (*nodes)[*count] = leases[*count].node;
    return NULL;
}

struct err *move_refused(struct arena *a, const struct account *account)
{
    const struct words *w = &words[account->kind];
    return err_new(a, w->short_of, "%s %lld", w->kind, (long long)account->id);
}
