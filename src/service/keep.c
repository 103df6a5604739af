// One table under one lock, in the order in which things were put, and a writer that empties what
// is new in it into SQL.

#include "service/keep.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/lane.h"
#include "common/log.h"

enum {
    SLOTS = 4096,
    ENTRIES_MOST = 32768,
    BYTES_MOST = 64 << 20, // of documents in memory
    BATCH_ROWS = 64,       // of one transaction
    BATCH_BYTES = 8 << 20,
    TRIM_EVERY = 16, // how often a user's bounds are looked at: once in so many rows
};

struct entry {
    struct entry *next;          // in its slot
    struct entry *older, *newer; // of all
    struct kept row;
    struct keep_limits limits;
    bool waiting, dropped; // to be written; deleted while a writer had it
    char bytes[];          // its texts
};

static struct {
    struct db_pool *pool;
    pthread_mutex_t lock;
    struct entry *slots[SLOTS];
    struct entry *oldest, *newest;
    size_t count, bytes;
    bool writing; // a writer is on its way, or at work
    bool full;    // said so
} keep = {.lock = PTHREAD_MUTEX_INITIALIZER};

void keep_setup(struct db_pool *pool)
{
    keep.pool = pool;
}

// --- the table --------------------------------------------------------------------------

static struct entry **slot_of(int64_t user_id, int kind, const char *name)
{
    uint64_t h = hash_table(name, strlen(name)) + (uint64_t)user_id * 31 + (uint64_t)kind;
    return &keep.slots[h % SLOTS];
}

static bool is_it(const struct entry *e, int64_t user_id, int kind, const char *name)
{
    return e->row.user_id == user_id && e->row.kind == kind && !strcmp(e->row.name, name);
}

static struct entry *look(int64_t user_id, int kind, const char *name)
{
    struct entry *e = *slot_of(user_id, kind, name);
    while (e && !is_it(e, user_id, kind, name))
        e = e->next;
    return e;
}

static void unlink_entry(struct entry *e)
{
    struct entry **at = slot_of(e->row.user_id, e->row.kind, e->row.name);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    *(e->older ? &e->older->newer : &keep.oldest) = e->newer;
    *(e->newer ? &e->newer->older : &keep.newest) = e->older;
    keep.count--;
    keep.bytes -= (size_t)e->row.size;
}

static void forget(struct entry *e)
{
    unlink_entry(e);
    free(e);
}

static void link_entry(struct entry *e)
{
    struct entry **slot = slot_of(e->row.user_id, e->row.kind, e->row.name);
    e->next = *slot;
    *slot = e;
    e->older = keep.newest;
    *(keep.newest ? &keep.newest->newer : &keep.oldest) = e;
    keep.newest = e;
    keep.count++;
    keep.bytes += (size_t)e->row.size;
}

static bool make_room(size_t bytes)
{
    for (struct entry *e = keep.oldest, *next; e; e = next) {
        if (keep.count < ENTRIES_MOST && keep.bytes + bytes <= BYTES_MOST)
            return true;
        next = e->newer;
        if (!e->waiting)
            forget(e);
    }
    return keep.count < ENTRIES_MOST && keep.bytes + bytes <= BYTES_MOST;
}

// --- putting ------------------------------------------------------------------------------

static const char *place(char **at, const char *text)
{
    size_t n = strlen(text ? text : "") + 1;
    const char *to = memcpy(*at, text ? text : "", n);
    *at += n;
    return to;
}

static struct entry *entry_new(const struct kept *row, const struct str *document, size_t parts)
{
    const char *const texts[] = {row->name, row->previous, row->key_id, row->model};
    size_t n = 1, size = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        n += strlen(texts[i] ? texts[i] : "") + 1;
    for (size_t i = 0; i < parts; i++)
        size += document[i].n;
    struct entry *e = mem_new(sizeof(*e) + n + size);
    char *at = e->bytes;
    e->row = *row;
    e->row.name = place(&at, row->name);
    e->row.previous = place(&at, row->previous);
    e->row.key_id = place(&at, row->key_id);
    e->row.model = place(&at, row->model);
    e->row.document = at;
    e->row.size = (int64_t)size;
    for (size_t i = 0; i < parts; i++) {
        memcpy(at, document[i].p, document[i].n);
        at += document[i].n;
    }
    e->waiting = true;
    return e;
}

static void write_waiting(struct job *job);

static void start_writer(void)
{
    struct job *job = mem_new(sizeof(*job));
    job->on_worker = write_waiting;
    worker_run(job);
}

static bool put(struct entry *e)
{
    struct entry *before = look(e->row.user_id, e->row.kind, e->row.name);
    if (before && !before->waiting)
        forget(before);
    if (!make_room((size_t)e->row.size))
        return false;
    link_entry(e);
    return true;
}

void keep_put(const struct kept *row, const struct str *document, size_t parts,
              const struct keep_limits *limits)
{
    struct entry *e = entry_new(row, document, parts);
    e->limits = *limits;
    pthread_mutex_lock(&keep.lock);
    bool fits = put(e), start = fits && !keep.writing, say = !fits && !keep.full;
    keep.writing = keep.writing || start;
    keep.full = !fits;
    pthread_mutex_unlock(&keep.lock);
    if (start)
        start_writer();
    if (say)
        log_warn("replies are not kept: too many wait to be written");
    if (!fits)
        free(e);
}

// --- writing ------------------------------------------------------------------------------

struct batch {
    struct entry *entries[BATCH_ROWS];
    struct kept rows[BATCH_ROWS];
    size_t count, bytes;
};

// Of a request only what it said counts, not the tools it had.
static struct str trimmed(struct arena *a, struct str document)
{
    yyjson_val *root;
    if (json_read(a, document, &root) || !yyjson_is_obj(root))
        return document;
    BUF_HERE(out, SIZE_MAX / 4);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    json_obj(&j, "request");
    json_val(&j, "input", yyjson_obj_get(yyjson_obj_get(root, "request"), "input"));
    json_end(&j);
    json_val(&j, "response", yyjson_obj_get(root, "response"));
    json_end(&j);
    return str_of(arena_str(a, buf_view(&out)));
}

static void take_batch(struct batch *b)
{
    pthread_mutex_lock(&keep.lock);
    for (struct entry *e = keep.oldest; e && b->count < BATCH_ROWS; e = e->newer) {
        if (!e->waiting || (b->count && b->bytes + (size_t)e->row.size > BATCH_BYTES))
            continue;
        b->bytes += (size_t)e->row.size;
        b->rows[b->count] = e->row;
        b->entries[b->count++] = e;
    }
    if (!b->count)
        keep.writing = false;
    pthread_mutex_unlock(&keep.lock);
}

static struct err *write_rows(struct db *db, struct arena *a, void *batch)
{
    struct batch *b = batch;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    for (size_t i = 0; i < b->count; i++)
        TRY(db_upsert(db, a, &kept_table, &b->rows[i], "user_id,kind,name"));
    return tx_commit(&tx, a);
}

static bool is_due(const struct entry *e)
{
    static unsigned n; // one writer at a time
    return ++n % TRIM_EVERY == 0 || e->row.size > e->limits.bytes_most / TRIM_EVERY;
}

static struct err *write_batch(struct db *db, struct arena *a, struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->rows[i].kind != KEPT_REPLY || !b->rows[i].size)
            continue;
        struct str whole = {b->rows[i].document, (size_t)b->rows[i].size};
        struct str small = trimmed(a, whole);
        b->rows[i].document = small.p;
        b->rows[i].size = (int64_t)small.n;
    }
    TRY(db_retry(db, a, write_rows, b));
    for (size_t i = 0; i < b->count; i++)
        if (is_due(b->entries[i]))
            TRY(kept_trim(db, a, b->rows[i].user_id, b->entries[i]->limits.count_most,
                          b->entries[i]->limits.bytes_most));
    return NULL;
}

// What was deleted while it was written. Entries that wait are nobody else's to free.
static void delete_dropped(struct db *db, struct arena *a, struct batch *b)
{
    bool gone[BATCH_ROWS];
    pthread_mutex_lock(&keep.lock);
    for (size_t i = 0; i < b->count; i++)
        gone[i] = b->entries[i]->dropped;
    pthread_mutex_unlock(&keep.lock);
    for (size_t i = 0; i < b->count; i++)
        if (gone[i] && kept_delete(db, a, b->rows[i].user_id, b->rows[i].kind, b->rows[i].name))
            log_warn("kept: %s is not deleted", b->rows[i].name);
}

// Others may change or delete a conversation's rows on another node: they are read where they are.
static bool is_document(const struct entry *e)
{
    return e->row.kind == KEPT_REPLY && e->row.size;
}

static void finish_batch(struct batch *b, bool failed)
{
    pthread_mutex_lock(&keep.lock);
    for (size_t i = 0; i < b->count; i++) {
        struct entry *e = b->entries[i];
        e->waiting = false;
        if (failed || e->dropped || is_document(e))
            forget(e);
    }
    pthread_mutex_unlock(&keep.lock);
}

// Until nothing waits: one writer at a time.
static void write_waiting(struct job *job)
{
    free(job);
    for (;;) {
        ARENA(a);
        DB(db);
        struct batch *b = NEW(a, struct batch);
        take_batch(b);
        if (!b->count)
            return;
        struct err *e = db_lease(keep.pool, a, &db);
        if (!e)
            e = write_batch(db, a, b);
        if (e)
            log_warn("kept: %zu replies are lost: %s: %s", b->count, e->kind->code, e->detail);
        else
            delete_dropped(db, a, b);
        finish_batch(b, e != NULL);
    }
}

// --- finding ------------------------------------------------------------------------------

static void copy_row(struct arena *a, const struct entry *e, bool whole, struct kept *out)
{
    *out = e->row;
    out->name = arena_strdup(a, e->row.name);
    out->previous = arena_strdup(a, e->row.previous);
    out->key_id = arena_strdup(a, e->row.key_id);
    out->model = arena_strdup(a, e->row.model);
    out->document = whole ? arena_strndup(a, e->row.document, (size_t)e->row.size) : "";
}

enum place { NOT_HERE, HERE, DELETED };

static enum place find_here(struct arena *a, int64_t user_id, int kind, const char *name,
                            bool whole, struct kept *out)
{
    pthread_mutex_lock(&keep.lock);
    const struct entry *e = look(user_id, kind, name);
    enum place found = !e ? NOT_HERE : e->dropped ? DELETED : HERE;
    if (found == HERE)
        copy_row(a, e, whole, out);
    pthread_mutex_unlock(&keep.lock);
    return found;
}

bool keep_peek(struct arena *a, int64_t user_id, int kind, const char *name, struct kept *out)
{
    return find_here(a, user_id, kind, name, false, out) == HERE;
}

struct err *keep_find(struct db *db, struct arena *a, int64_t user_id, int kind, const char *name,
                      struct kept *out)
{
    enum place place = find_here(a, user_id, kind, name, true, out);
    if (place == NOT_HERE)
        TRY(kept_by_name(db, a, user_id, kind, name, out));
    if (place == DELETED || out->expires_at <= clock_now())
        return err_new(a, &err_not_found, "%s", name);
    return NULL;
}

struct err *keep_drop(struct db *db, struct arena *a, int64_t user_id, int kind, const char *name)
{
    pthread_mutex_lock(&keep.lock);
    struct entry *e = look(user_id, kind, name);
    if (e && e->waiting)
        e->dropped = true; // its writer deletes it, if it was written meanwhile
    else if (e)
        forget(e);
    pthread_mutex_unlock(&keep.lock);
    return kept_delete(db, a, user_id, kind, name);
}
