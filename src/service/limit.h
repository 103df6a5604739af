// How much somebody may ask for: requests and tokens per minute, requests per day, and how many at
// a time; of everybody together, an address, a user, a token, a model, a channel.
//
// Decided in memory, under a lock that is held for some arithmetic. Each subject takes the same few
// bytes whatever its limits are. Subjects that owe nothing are forgotten; there are at most
// LIMIT_SUBJECTS_MOST others, and one more takes over what the one that is soonest free owes: so
// nobody gets rid of what he owes by bringing up many others. Those of addresses are counted apart,
// since everybody has many.
//
// With Redis (limit_redis.h) the limits hold over all nodes together; while it is away, and without
// it, each node counts for itself.
//
// Times are clock_steady_ms, always the caller's.

#pragma once
#include "common/err.h"
#include "service/rate.h"

enum limit_unit { LIMIT_RPM, LIMIT_TPM, LIMIT_RPD, LIMIT_CONCURRENT, LIMIT_UNITS };

// LIMIT_API: an address at the management API.
enum limit_scope {
    LIMIT_GLOBAL,
    LIMIT_ADDRESS,
    LIMIT_API,
    LIMIT_USER,
    LIMIT_TOKEN,
    LIMIT_MODEL,
    LIMIT_CHANNEL,
    LIMIT_SCOPES
};

enum { LIMIT_SUBJECTS_MOST = 131072, LIMIT_NOTE_MS = 10000 };

struct limits {
    int64_t most[LIMIT_UNITS]; // 0 = no limit
};

// From the columns of a token or a channel.
#define LIMITS_OF_ROW(row)                                                                         \
    ((struct limits){{[LIMIT_RPM] = (row)->rpm,                                                    \
                      [LIMIT_TPM] = (row)->tpm,                                                    \
                      [LIMIT_RPD] = (row)->rpd,                                                    \
                      [LIMIT_CONCURRENT] = (row)->concurrency}})

// Who is meant: by id, or (addresses, models) by name.
struct limit_who {
    enum limit_scope scope;
    int64_t id;
    const char *name;
};

struct limit_refusal {
    enum limit_scope scope;
    enum limit_unit unit;
    int64_t most, wait_ms;
    bool unsure; // Redis may know better: limit_await, and try again
};

// The limit that is nearest, as the caller is told.
struct limit_view {
    int64_t most, left, reset_ms; // reset: until nothing is owed; most 0: there is none
};

// What one request holds. Zeroed: nothing.
struct limit_ticket {
    struct limit_held {
        struct limit_subject *subject;
        enum limit_scope scope;
        struct limits limits;
        int64_t tokens; // charged
    } held[LIMIT_SCOPES];
    int count;
    struct limit_view requests, tokens; // of those limits that are the caller's business
};

bool limits_any(const struct limits *l);

// One more request of so many tokens (an estimate). False: nothing of `who` was charged. At most
// once per scope and ticket; what a ticket holds must go through limit_settle or limit_undo.
bool limit_take(struct limit_ticket *t, const struct limit_who *who, const struct limits *limits,
                int64_t tokens, int64_t now_ms, struct limit_refusal *why);

// After a refusal that is unsure: the job goes to its loop when Redis has told, in a quarter of a
// second at the latest. False: it will not, and the refusal stands.
struct job;
bool limit_await(const struct limit_who *who, const struct limit_refusal *why, int64_t tokens,
                 int64_t now_ms, struct job *job);

// The request has ended and used so many tokens: others may come, and the estimate is put right.
// Empties the ticket.
void limit_settle(struct limit_ticket *t, int64_t tokens, int64_t now_ms);
// It never began: all is given back, but what an address has sent it has sent.
// The first `but` ones are kept.
void limit_undo(struct limit_ticket *t, int but, int64_t now_ms);

// Would limit_take take one?
bool limit_fits(const struct limit_who *who, const struct limits *limits, int64_t tokens,
                int64_t now_ms, struct limit_refusal *why);

// A refusal is written down once in LIMIT_NOTE_MS for each of `who`: true, and how many were
// refused since the last one that was, this one among them.
bool limit_note(const struct limit_who *who, int64_t now_ms, int64_t *refused);

// err_rate_limited with retry_after; counted in the metrics.
struct err *limit_error(struct arena *a, const struct limit_refusal *why);

int64_t limit_subjects(void); // in memory, for metrics and tests
void limit_forget_all(void);  // for tests: nobody may hold a ticket
