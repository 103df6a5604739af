// A note, then a deletion; one mover at a time.

#include "service/log_move.h"

#include "common/arena.h"
#include "common/clock.h"
#include "model/log.h"
#include "service/rollup.h"

enum { ROWS_MOST = 500, HOURS_AT_REST = 2 };

// What is moved alike: how the rows are named, found and taken in.
struct cargo {
    const struct table *table;
    const char *key; // the column that the note names them by
    struct err *(*find)(struct db *home, struct arena *a, struct rows *out);
    struct err *(*take_in)(struct db *logs, struct arena *a, const struct rows *rows);
    struct err *(*forget)(struct db *home, struct arena *a, int64_t key);
};

static struct err *find_rows(struct db *home, struct arena *a, struct rows *out)
{
    return db_list(home, a, &log_table, out, "ORDER BY id LIMIT ?", P((int)ROWS_MOST));
}

// Of what management wrote there is no roll-up here yet; of the rest it comes by itself.
static struct err *take_rows(struct db *logs, struct arena *a, const struct rows *rows)
{
    const struct log_row *row = rows->items;
    struct rollup *r = rollup_new(a, ROWS_MOST);
    for (size_t i = 0; i < rows->count; i++)
        if (row[i].type != LOG_TYPE_CONSUME && row[i].type != LOG_TYPE_ERROR)
            rollup_add(r, &row[i]);
    TRY(rollup_write(logs, a, r));
    return db_insert_all(logs, a, &log_table, row, rows->count);
}

// The oldest hour. Nodes whose log is still in the main database write into the newest ones.
static struct err *find_hour(struct db *home, struct arena *a, struct rows *out)
{
    int64_t before = clock_now() - (int64_t)HOURS_AT_REST * USAGE_HOUR;
    return db_list(home, a, &usage_table, out,
                   "hour = (SELECT MIN(hour) FROM usage_hours) AND hour < ?", P(before));
}

static struct err *take_hour(struct db *logs, struct arena *a, const struct rows *rows)
{
    const struct usage_hour *hours = rows->items;
    struct rollup *r = rollup_new(a, (int)rows->count);
    for (size_t i = 0; i < rows->count; i++)
        rollup_add_hour(r, &hours[i]);
    return rollup_write(logs, a, r);
}

// What else is left of its day is added up anew.
static struct err *forget_hour(struct db *home, struct arena *a, int64_t hour)
{
    int64_t day = hour - hour % USAGE_DAY;
    TRY(usage_forget(home, a, hour));
    return usage_add_users(home, a, day, day + USAGE_DAY);
}

static struct err *forget_row(struct db *home, struct arena *a, int64_t id)
{
    return db_exec(home, a, NULL, "DELETE FROM logs WHERE id = ?", P(id));
}

static const struct cargo cargoes[] = {
    {&log_table, "id", find_rows, take_rows, forget_row},
    {&usage_table, "hour", find_hour, take_hour, forget_hour},
};

// Deletes what the note names; "" names nothing.
static struct err *delete_noted(struct db *home, struct arena *a, const struct cargo *c,
                                const char *ids)
{
    struct str rest = str_of(ids), id;
    TX tx = tx_begin(home, a);
    TRY(tx.failed);
    while (str_next(&rest, ',', &id)) {
        int64_t n;
        if (!str_to_int(id, &n))
            return err_new(a, &err_internal, "moved_rows: %s is noted as '%.*s'", c->table->name,
                           STR_ARGS(id));
        TRY(c->forget(home, a, n));
    }
    return tx_commit(&tx, a);
}

static const char *note_of(struct arena *a, const struct cargo *c, const struct rows *rows)
{
    BUF_HERE(out, 1 << 20);
    const struct field *key = field_by_name(c->table->fields, c->key);
    int64_t last = -1;
    for (size_t i = 0; i < rows->count; i++) {
        int64_t id = field_get(key, (const char *)rows->items + i * c->table->row_size).i;
        if (id == last)
            continue; // rows of one hour
        buf_puts(&out, out.n ? "," : "");
        buf_int(&out, id);
        last = id;
    }
    return arena_str(a, buf_view(&out));
}

static struct err *read_note(struct db *logs, struct arena *a, const struct cargo *c,
                             struct moved_rows *out)
{
    struct err *e = db_find(logs, a, &moved_table, out, "kind = ?", P(c->table->name));
    if (!e || e->kind != &err_not_found)
        return e;
    *out = (struct moved_rows){c->table->name, ""};
    return NULL;
}

static struct err *move(struct db *home, struct db *logs, struct arena *a, const struct cargo *c,
                        int64_t *moved)
{
    struct moved_rows note;
    struct rows rows;
    TX tx = tx_begin(logs, a);
    TRY(tx.failed);
    TRY(db_alone(logs, a)); // of all nodes
    TRY(read_note(logs, a, c, &note));
    if (!text_is_empty(note.ids))
        TRY(delete_noted(home, a, c, note.ids));
    TRY(c->find(home, a, &rows));
    if (!rows.count && text_is_empty(note.ids))
        return NULL;
    TRY(c->take_in(logs, a, &rows));
    note.ids = note_of(a, c, &rows);
    TRY(db_upsert(logs, a, &moved_table, &note, "kind"));
    *moved += (int64_t)rows.count;
    return tx_commit(&tx, a);
}

struct err *log_move(struct db_pool *from, struct db_pool *to, struct arena *a, int64_t *moved)
{
    DB(home);
    DB(logs);
    *moved = 0;
    TRY(db_lease(from, a, &home));
    TRY(db_lease(to, a, &logs));
    for (size_t i = 0; i < sizeof(cargoes) / sizeof(*cargoes); i++)
        TRY(move(home, logs, a, &cargoes[i], moved));
    return NULL;
}
