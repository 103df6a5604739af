// Tells everybody who keeps something in memory that it has changed. Call after the commit.

#pragma once
#include <stdint.h>

enum change_kind {
    CHANGE_USER,     // id: status, group, deletion ... (balances go through the ledger)
    CHANGE_TOKEN,    // id
    CHANGE_CHANNELS, // any channel or ability: a new snapshot is built
    CHANGE_SETTINGS,
};

// What a kind does here; the owner of the memory says so once, at start. Called on the publisher's
// thread, a worker, after its commit.
void change_listen(enum change_kind kind, void (*listener)(int64_t id));
void change_publish(enum change_kind kind, int64_t id);
