// The journal and who books it: one bookkeeper, or two where the log has a database of its own.
// For the ledger: its bookkeeping thread calls these, unless it says otherwise.

#pragma once
#include "service/journal.h"
#include "service/ledger.h"

// *o must stay. err_internal if the journal is not these databases' (service/positions.h).
struct err *booking_open(struct arena *a, const struct ledger_options *o, struct journal **journal);
void booking_close(void);

// Everything there is, batch by batch. They reset the arena.
struct err *booking_balances(struct arena *a); // and the log, where it is in the same database
struct err *booking_log(struct arena *a);      // in its own, if it has one
struct err *booking_all(struct arena *a);      // neither database waits for the other

struct journal_at booking_place(void); // everything before is booked everywhere

// Any thread.
bool booking_has(struct journal_at end); // is everything before it booked everywhere?
int64_t booking_count(void);             // records booked everywhere since booking_count_anew
void booking_count_anew(void);
