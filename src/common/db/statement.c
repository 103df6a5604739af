// The cache of prepared statements, least recently used out first, and running them.

#include "common/db/statement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "common/hash.h"

static uint64_t hash_of(struct sql_key key)
{
    struct {
        const struct table *table;
        uint64_t text, verb, rows;
    } parts = {key.table, 0, key.verb, (uint64_t)key.rows};
    if (key.text)
        parts.text = hash_table(key.text, strlen(key.text));
    return hash_table(&parts, sizeof(parts));
}

// The content of the text decides: its address may have held another one before.
static bool same_key(struct sql_key a, struct sql_key b)
{
    return a.verb == b.verb && a.rows == b.rows && a.table == b.table && text_eq(a.text, b.text);
}

static void use_unlink(struct statements *c, struct statement *s)
{
    *(s->newer ? &s->newer->older : &c->newest) = s->older;
    *(s->older ? &s->older->newer : &c->oldest) = s->newer;
}

static void use_link(struct statements *c, struct statement *s)
{
    s->newer = NULL;
    s->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = s;
    c->newest = s;
}

static struct statement *look_up(struct statements *c, struct sql_key key, uint64_t hash)
{
    struct statement *s = c->slots[hash % STATEMENT_SLOTS];
    while (s && (s->hash != hash || !same_key(s->key, key)))
        s = s->chain;
    if (s && s != c->newest) {
        use_unlink(c, s);
        use_link(c, s);
    }
    return s;
}

static void statement_free(struct db *db, struct statement *s)
{
    if (s->handle)
        db->driver->finish(db, s->handle);
    free((char *)s->key.text);
    free(s->sql);
    free(s);
}

static void evict_oldest(struct db *db)
{
    struct statements *c = &db->statements;
    struct statement *s = c->oldest, **at = &c->slots[s->hash % STATEMENT_SLOTS];
    while (*at != s)
        at = &(*at)->chain;
    *at = s->chain;
    use_unlink(c, s);
    c->count--;
    statement_free(db, s);
}

void statements_done(struct db *db)
{
    while (db->statements.count)
        evict_oldest(db);
}

static void keep(struct db *db, struct statement *s)
{
    struct statements *c = &db->statements;
    if (c->count == STATEMENTS_MAX)
        evict_oldest(db);
    struct statement **slot = &c->slots[s->hash % STATEMENT_SLOTS];
    s->chain = *slot;
    *slot = s;
    use_link(c, s);
    c->count++;
}

// Notes what a failure means for the connection, and says which statement it was.
static struct err *explain(struct db *db, struct arena *a, struct err *e, const char *sql)
{
    if (!e)
        return NULL;
    if (e->kind == &err_db_unavailable)
        db->broken = true;
    db->tx_lost = db->in_tx; // PostgreSQL knows no other way, so nobody does
    e->detail = arena_printf(a, "%s: %.500s", e->detail, sql);
    return e;
}

static struct err *prepare(struct db *db, struct arena *a, struct sql_key key, uint64_t hash,
                           struct statement **out)
{
    BUF_HERE(built, SQL_TEXT_MAX);
    BUF_HERE(text, SQL_TEXT_MAX);
    size_t places = 0;
    sql_build(&built, &db->driver->words, key);
    bool whole = sql_rewrite(&text, &db->driver->words, built.p, &places);
    if (!whole || built.overflow || text.overflow)
        return err_new(a, &err_db_failed, "malformed or too long: %.500s", built.p);
    void *handle = NULL;
    TRY(explain(db, a, db->driver->prepare(db, a, text.p, &handle), text.p));
    struct statement *s = mem_new(sizeof(*s));
    *s = (struct statement){.key = key, .hash = hash, .handle = handle, .places = places};
    s->key.text = key.text ? mem_strdup(key.text) : NULL;
    s->sql = mem_strdup(text.p);
    keep(db, s);
    *out = s;
    return NULL;
}

// Some databases would take them, some would refuse, and some make NULL of them.
static struct err *check_finite(struct arena *a, const struct statement *s,
                                const struct field_value *params, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (params[i].type == FIELD_REAL && !isfinite(params[i].r))
            return err_new(a, &err_db_failed, "value %zu is not finite: %.500s", i + 1, s->sql);
    return NULL;
}

struct err *running_start(struct running *r, struct arena *a, struct sql_key key,
                          const struct field_value *params, size_t count)
{
    struct db *db = r->db;
    if (db->tx_lost)
        return err_new(a, &err_db_failed, "an earlier failure has ended the transaction");
    uint64_t hash = hash_of(key);
    struct statement *s = look_up(&db->statements, key, hash);
    s ? db->statements.hits++ : db->statements.misses++;
    if (!s)
        TRY(prepare(db, a, key, hash, &s));
    if (s->places != count)
        return err_new(a, &err_db_failed, "%zu values for %zu places: %.500s", count, s->places,
                       s->sql);
    TRY(check_finite(a, s, params, count));
    r->statement = s;
    return explain(db, a, db->driver->run(db, a, s->handle, params, count), s->sql);
}

struct err *running_next(struct running *r, struct arena *a, bool *row)
{
    *row = false;
    return explain(r->db, a, r->db->driver->next(r->db, a, r->statement->handle, row),
                   r->statement->sql);
}

void running_end(struct running *r)
{
    if (r->statement)
        r->db->driver->reset(r->db, r->statement->handle);
    r->statement = NULL;
}

struct err *db_command(struct db *db, struct arena *a, const char *sql)
{
    return explain(db, a, db->driver->command(db, a, sql), sql);
}
