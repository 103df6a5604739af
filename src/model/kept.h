// Kept: what a later request will refer to by a name: replies of the Responses API, and the state
// of a model's thinking that a chat client has no place for.

#pragma once
#include "common/db/db.h"

enum kept_kind {
    KEPT_REPLY = 1, // name: the reply's id
    KEPT_STATE,     // name: the id of the tool call that it belongs to
    KEPT_ITEM,      // name: the id of an item of a reply that its provider keeps
};

struct kept {
    int64_t id, user_id;
    int kind; // enum kept_kind
    const char *name;
    const char *previous; // of a reply of ours: the one it follows, "" none
    int64_t channel_id;   // of what its provider keeps: where; 0: it is kept here
    const char *key_id;   // ... and under which of the channel's keys (struct health)
    const char *model;    // as the caller named it
    const char *document; // sealed; of a reply {"request":{"input"},"response":{}}, of a state
                          // [{"v","d","t","k"}] as carry.h wraps them; "" when it is not here
    int64_t size;         // bytes of the document
    int64_t created_at, expires_at;
};

enum { KEPT_NAME_MAX = 128 };

extern const struct table kept_table;

struct err *kept_by_name(struct db *db, struct arena *a, int64_t user_id, int kind,
                         const char *name, struct kept *out);
struct err *kept_delete(struct db *db, struct arena *a, int64_t user_id, int kind,
                        const char *name);
// The user's oldest go until what is left is within both bounds.
struct err *kept_trim(struct db *db, struct arena *a, int64_t user_id, int64_t count_most,
                      int64_t bytes_most);
