// The directory: who a relay key belongs to and what it may do, in memory.
//
// Found by the SHA-256 of the key, whole; a miss is loaded by a worker; keys that do not exist are
// remembered for a few seconds. Entries are immutable: a change removes them.

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/db/db.h"
#include "common/hash.h"
#include "service/client_ip.h"
#include "service/ledger.h"
#include "service/limit.h"

enum { DIRECTORY_INDEXES = 3 }; // by key, token and user

struct caller {
    unsigned char digest[SHA256_SIZE];
    bool unknown; // no such key
    int64_t token_id, user_id;
    const char *token_name, *username;
    const char *user_group, *group; // group: the one that is used and billed
    int token_status, user_status;
    int64_t expired_time;
    bool limited; // the token has a quota of its own
    bool models_limited;
    const char **models;                          // NULL-terminated
    struct ip_list addresses;                     // empty: any
    struct limits limits;                         // the token's own
    bool rated;                                   // it has any
    struct account *user_account, *token_account; // token_account NULL unless limited

    // the directory's own
    struct caller_link {
        struct caller *next, **at; // at: what points here
    } links[DIRECTORY_INDEXES];
    struct arena *arena;
    int64_t forget_ms;  // clock_steady_ms, for unknown ones
    int64_t epoch;      // in which it was read
    int64_t generation; // of unknown ones: when
    int refs;
    bool listed;
};

void directory_setup(void); // listens to changes of users and tokens

// Held, or NULL: not in memory.
struct caller *directory_find(const unsigned char digest[SHA256_SIZE]);
// On a worker: from SQL into memory, held. An unknown key is a caller too. Where SQL cannot be
// asked, the caller as he was known before all were doubted (change_publish with id 0), else the
// error.
struct err *directory_load(struct db *db, struct arena *a, const unsigned char digest[SHA256_SIZE],
                           struct caller **out);
// Where SQL cannot be asked: the caller as he was known before all were doubted (change_publish
// with id 0), held, and from now on found again; NULL if he was not.
struct caller *directory_believe(const unsigned char digest[SHA256_SIZE]);
void directory_release(struct caller *c); // NULL is fine

bool caller_may_model(const struct caller *c, const char *model);
