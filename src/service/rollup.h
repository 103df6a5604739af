// Adding log rows up by hour, for the usage_hours table: one upsert for each key of a batch.
//
//     struct rollup *r = rollup_new(a, most);      // at most so many rows
//     rollup_add(r, &row);                         // for each; its texts must live as long as r
//     TRY(rollup_write(db, a, r));                 // in the transaction that inserts the rows

#pragma once
#include "model/log.h"

struct rollup;

struct rollup *rollup_new(struct arena *a, int most);
void rollup_add(struct rollup *r, const struct log_row *row);
struct err *rollup_write(struct db *db, struct arena *a, struct rollup *r);
