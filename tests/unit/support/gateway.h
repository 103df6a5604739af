// A whole gateway inside a test program: SQLite in a folder that goes away, one loop, real sockets.
// There can be one per process.

#pragma once
#include "common/db/db.h"
#include "common/json.h"

#define ROOT_ACCESS "root-access-token"
#define ROOT_PASSWORD "root-password"

struct gateway {
    struct arena *a; // of everything below, and of the answers
    struct db_pool *pool;
    int port;
};
extern struct gateway gateway;

// As group set-up and tear-down of cmocka.
int gateway_start(void **state);
int gateway_stop(void **state);

// Who asks, and how.
struct asking {
    const char *bearer;         // an access token, or NULL
    const char *session, *csrf; // cookies' values; csrf also goes into the header
    const char *headers[8];     // more, "Name: value"; ends with NULL
    bool without_csrf_header;
    const char *content_type; // of a body; NULL: JSON
};
extern const struct asking as_root, as_nobody;

struct answer {
    int status;
    struct str text;         // the body
    yyjson_val *root, *data; // NULL if it is no JSON
    const char *code;        // "" if there is none
    const char *message;
    struct str head;   // all header lines
    const char *asked; // what this answers
};

// body NULL: none. JSON may be written with ' instead of ".
struct answer ask(const struct asking *who, const char *method, const char *path, const char *body);
// The same, and the test fails at once unless the status is this one.
#define ask_for(status_, who, method, path, body)                                                  \
    answer_with((status_), ask((who), (method), (path), (body)), __FILE__, __LINE__)
struct answer answer_with(int status, struct answer x, const char *file, int line);

const char *answer_header(const struct answer *x, const char *name); // "" if absent
const char *answer_cookie(const struct answer *x, const char *name); // "" if absent
int64_t data_int(const struct answer *x, const char *member);
const char *data_text(const struct answer *x, const char *member); // "" if absent

// A new user with the password "password", and his session.
int64_t gateway_user(const char *name, int role, struct asking *who);
struct asking gateway_login(const char *name, const char *password);

const char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
