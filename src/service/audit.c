// The names of those who manage stand under admin_info, which users do not see.

#include "service/audit.h"

#include "common/arena.h"
#include "common/clock.h"
#include "service/rollup.h"

static const char *other_of(struct arena *a, const struct user *by)
{
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    if (!by)
        return "";
    json_obj(&j, NULL);
    json_obj(&j, "admin_info");
    json_int(&j, "admin_id", by->id);
    json_str(&j, "admin_username", by->username);
    json_end_all(&j);
    return arena_str(a, buf_view(&out));
}

struct err *audit_write(struct db *db, struct arena *a, const struct audit *what)
{
    struct log_row row;
    fields_default(a, log_table.fields, &row);
    row.request_id = what->request_id;
    row.created_at = clock_now();
    row.type = what->type;
    row.user_id = what->about->id;
    row.username = what->about->username;
    row.group = what->about->group;
    row.ip = what->ip;
    row.content = what->content;
    row.other = other_of(a, what->by);
    struct rollup *r = rollup_new(a, 1);
    rollup_add(r, &row);
    TRY(rollup_write(db, a, r));
    return db_insert(db, a, &log_table, &row);
}
