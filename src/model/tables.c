// The schema: a row a table, and the numbered migrations for what new columns cannot say.

#include "model/tables.h"

#include "model/ability.h"
#include "model/change.h"
#include "model/channel.h"
#include "model/config.h"
#include "model/fact.h"
#include "model/kept.h"
#include "model/lease.h"
#include "model/log.h"
#include "model/node.h"
#include "model/session.h"
#include "model/token.h"
#include "model/usage.h"
#include "model/user.h"

const struct table *const model_tables[] = {
    &user_table,       &channel_table, &token_table,
    &ability_table,    &log_table,     &usage_table,
    &lease_table,      &config_table,  &journal_position_table,
    &session_table,    &fact_table,    &change_table,
    &node_table,       &kept_table,    &usage_model_table,
    &usage_user_table, NULL,
};

const struct table *const model_log_tables[] = {
    &log_table,   &usage_table, &usage_model_table, &usage_user_table, &journal_position_table,
    &moved_table, NULL,
};

// Pages of the log are ordered by time. The index over (user_id, id) has become useless by that,
// and would only slow down inserts.
static struct err *roll_up_logs(struct db *db, struct arena *a)
{
    TRY(usage_rebuild(db, a));
    return db_drop_index(db, a, &log_table, (struct table_index){"user_id, id", false});
}

const struct migration model_migrations[] = {
    {1, "roll up logs", roll_up_logs},
    {2, "sum up by model and by user", usage_rebuild_sums},
    {0},
};

const struct migration model_log_migrations[] = {
    {1, "sum up by model and by user", usage_rebuild_sums},
    {0},
};
