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
#include "model/session.h"
#include "model/token.h"
#include "model/user.h"

const struct table *const model_tables[] = {
    &user_table,    &channel_table, &token_table,  &ability_table,
    &log_table,     &lease_table,   &config_table, &journal_position_table,
    &session_table, &fact_table,    &change_table, &kept_table,
    NULL,
};

const struct migration model_migrations[] = {
    {0},
};
