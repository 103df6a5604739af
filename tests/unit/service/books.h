// A database with users and tokens, a ledger on it, and the sums that must always come out.

#pragma once
#include "common/db/db.h"
#include "model/log.h"
#include "service/ledger.h"
#include "unit/common/db/fixture.h"

struct books {
    struct arena *a;
    char folder[64], path[80], dsn[512];
    struct db_pool *pool;
    char log_path[80], log_dsn[512]; // "": the log is in the same database
    struct db_pool *log_pool;
    struct ledger_options o;
    bool running;
};

void books_make(struct books *b);      // folder, database, tables; nothing runs
void books_set_apart(struct books *b); // the log gets a database of its own, when nothing runs
void books_open(struct books *b);      // the pools; books_make has done it
void books_close(struct books *b);
void books_start(struct books *b); // workers and ledger
void books_stop(struct books *b);
void books_remove(struct books *b);

int64_t books_user(struct books *b, int64_t quota);
int64_t books_token(struct books *b, int64_t user, int64_t remain);

int64_t books_int(struct books *b, const char *sql);
void books_exec(struct books *b, const char *sql);
int64_t books_log_int(struct books *b, const char *sql); // where the log is
void books_log_exec(struct books *b, const char *sql);
int64_t books_lease(struct books *b, const char *kind, int64_t id); // on all nodes

// In memory or, failing that, out of SQL; false if there is not enough.
bool books_reserve(struct books *b, struct account *account, int64_t quota);

// One settled request, with `number` for its request id and token_quota 0 without a token.
void books_settle(int64_t number, int64_t user, int64_t token, int64_t quota, int64_t token_quota);

// balance + leases + used = granted, and none of them below zero.
void books_balance(struct books *b, int64_t user, int64_t granted);
void books_token_balance(struct books *b, int64_t token, int64_t granted);
void books_rolled_up(struct books *b);  // every roll-up has exactly the sums of logs
void books_forget_log(struct books *b); // and the roll-ups
// The same after everything has been booked, with so many rows in logs, each request id once.
void books_flush(struct books *b, int64_t rows);
