// Adding log rows up, for usage_hours and the sums of it (model/usage.h): one upsert for each key
// of a batch.
//
//     struct rollup *r = rollup_new(a, most);      // at most so many rows
//     rollup_add(r, &row);                         // for each; its texts must live as long as r
//     TRY(rollup_write(db, a, r));                 // in the transaction that inserts the rows
//
// Late in a transaction: every node writes the rows of an hour's models, and waits for who did.

#pragma once
#include "model/log.h"
#include "model/usage.h"

struct rollup;

struct rollup *rollup_new(struct arena *a, int most);
void rollup_add(struct rollup *r, const struct log_row *row);
void rollup_add_hour(struct rollup *r, const struct usage_hour *hour);
struct err *rollup_write(struct db *db, struct arena *a, struct rollup *r);
