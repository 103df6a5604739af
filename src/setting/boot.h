// What the operator says before we start: the environment. See .env.example.

#pragma once
#include "common/field.h"

struct boot {
    int port, workers, db_connections, journal_sync_ms;
    const char *host, *data_dir, *sql_dsn, *log_sql_dsn, *redis_dsn, *session_secret,
        *crypto_secret, *node_name;
    const char *log_level, *log_format, *trusted_proxies, *tls_cert, *tls_key;
    int streaming_timeout, first_byte_timeout,
        connect_timeout; // seconds; first byte 0 = as streaming
    int header_timeout, body_timeout;
    int max_request_body_mb, shutdown_timeout, max_connections;
    int journal_max_mb;
    const char *root_username, *root_password, *root_access_token, *root_token;
};

extern const struct field boot_fields[];

// Reads .env and the environment; makes DATA_DIR (mode 0700) and the secrets kept in it when they
// are not given.
struct err *boot_load(struct arena *a, struct boot *out);

// The 64 random characters kept in that file of the data folder, made when they are first asked
// for.
struct err *boot_keep(struct arena *a, const char *folder, const char *name, const char **out);
