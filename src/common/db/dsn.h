// Where a database is: the forms of SQL_DSN. For this folder only.
//
// A DSN may hold a password: no error here shows any of it.

#pragma once
#include "common/err.h"

struct dsn {
    const char *user, *password; // "" if there are none
    const char *host;            // "" with a .socket
    const char *socket;          // path of a Unix socket, or ""
    const char *database;
    int port;            // 0 if it says none
    const char *options; // "a=b&c=d" as it stands, or ""
};

// "sqlite", "postgres" or "mysql" of what the text begins with; NULL if it is nothing known.
const char *dsn_scheme(const char *dsn);

// scheme://user:password@host:port/database?options, each part percent-encoded, and
// user:password@tcp(host:port)/database?options, not encoded; unix(/path) instead of tcp().
struct err *dsn_parse(struct arena *a, const char *dsn, struct dsn *out);

// Cuts the next option off *rest, value decoded; *name is NULL when there are no more.
struct err *dsn_option(struct arena *a, const char **rest, const char **name, const char **value);
