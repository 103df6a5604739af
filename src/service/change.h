// Tells everybody who keeps something in memory that it has changed. Call after the commit.

#pragma once
#include "common/err.h"
#include "common/str.h"

enum change_kind {
    CHANGE_USER,     // id: status, group, deletion ... (balances go through the ledger)
    CHANGE_TOKEN,    // id
    CHANGE_CHANNELS, // any channel or ability: a new snapshot is built
    CHANGE_SETTINGS,
    CHANGE_KINDS
};

// What a kind does here; the owner of the memory says so once, at start. Called on a thread that
// may wait, after the commit; id 0: it may be any of them. After an error it is called again, with
// id 0, until it succeeds.
typedef struct err *change_listener(struct arena *a, int64_t id);
void change_listen(enum change_kind kind, change_listener *listener);

// Here at once; on the other nodes soon (service/watch).
void change_publish(enum change_kind kind, int64_t id);

// Here only.
struct err *change_apply(struct arena *a, enum change_kind kind, int64_t id);

// How others are told, and who tries again what failed here: set once, at start.
void change_tell_with(void (*tell)(enum change_kind kind, int64_t id),
                      void (*again)(enum change_kind kind));

// Names for messages and rows.
const char *change_name(enum change_kind kind);
bool change_named(struct str name, enum change_kind *out);
