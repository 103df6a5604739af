// One request to the management API, in the hands of a worker from guard to answer.
//
// A handler is `struct err *api_<resource>_<verb>(struct http *x)`: straight, blocking code. NULL
// means that it gave an answer with one of the http_reply functions; an err becomes the failure
// envelope with its status.

#pragma once
#include "common/db/db.h"
#include "common/http/server.h"
#include "i18n/i18n.h"
#include "model/session.h"
#include "model/user.h"
#include "service/change.h"
#include "service/ledger.h"
#include "setting/setting.h"

enum { HTTP_PARAMS = 3, HTTP_HEADERS = 12, HTTP_CHANGES = 4 };

struct http_param {
    struct str name, value;
};

struct http {
    struct exchange *exchange; // what came; only read here
    struct arena *arena;       // of this request
    struct db_pool *pool;
    struct db *db;            // leased for the request, but for the waits below
    struct db_pool *log_pool; // of the log's own database; as pool if it has none
    struct db *log_db;        // see http_log_db
    int role;                 // that the route asks for
    enum language language;
    const char *ip; // of the client
    bool https;

    struct user *user;       // who asks; id 0 = nobody
    struct session *session; // by which; id 0 = none (nobody, or an access token)
    yyjson_val *body;        // NULL if there is none
    struct http_param params[HTTP_PARAMS];
    size_t param_count;

    // To be published when the connection has been given back, if all went well.
    struct http_change {
        enum change_kind kind;
        int64_t id;
    } changes[HTTP_CHANGES];
    size_t change_count;

    // The answer.
    int status;
    const char *content_type;
    struct buf out;
    struct http_header headers[HTTP_HEADERS];
    size_t header_count;
};

// --- what was sent ----------------------------------------------------------------

// The body's members into the row, as the fields allow; err_body_invalid without an object.
struct err *http_body(struct http *x, const struct field *fields, void *row);
// The same into a row that exists: what is absent stays, so nothing is required.
struct err *http_patch(struct http *x, const struct field *fields, void *row);
struct err *http_body_id(struct http *x, int64_t *id);   // the member "id"
bool http_has(const struct http *x, const char *member); // is it in the body, and not null?

struct err *http_param_int(struct http *x, const char *name, int64_t *out); // err_not_found
const char *http_param(struct http *x, const char *name);                   // "" if absent, decoded
const char *http_query(struct http *x, const char *name); // NULL if absent, decoded
struct err *http_query_int(struct http *x, const char *name, int64_t min, int64_t max,
                           int64_t fallback, int64_t *out);
const char *http_cookie(struct http *x, const char *name); // "" if absent

// --- answers -----------------------------------------------------------------------

struct err *http_ok(struct http *x); // data null

// data = the row; SECRET members stay, ADMIN members are for those of ROLE_ADMIN and up.
struct err *http_reply(struct http *x, const struct table *t, const void *row);

// Anything else: http_data opens the envelope, http_done closes whatever is open.
//     struct json j = http_data(x);
//     json_str(&j, "data", "anything");
//     return http_done(x, &j);
struct json http_data(struct http *x);
struct err *http_done(struct http *x, struct json *j);

struct err *http_reply_text(struct http *x, const char *content_type, struct str text);
void http_header_add(struct http *x, const char *name, const char *value);
void http_fail(struct http *x, const struct err *e); // the failure envelope
enum audience http_audience(const struct http *x);

// --- what a handler may need ----------------------------------------------------------

// The settings as they are stored now.
struct err *http_settings(struct http *x, struct settings *out);

// Whoever waits for something else (an upstream, the ledger, a slow hash) holds no connection
// meanwhile: release, wait, take.
void http_db_release(struct http *x);
struct err *http_db_take(struct http *x);

// Checks and hashes a new password, without a connection.
struct err *http_take_password(struct http *x, struct user *user, const char *password);

// A connection to where logs and usage_hours are, for the rest of the request.
struct err *http_log_db(struct http *x, struct db **out);

// Gives this node's lease of a balance back to SQL, before the balance is lowered.
struct err *http_recall(struct http *x, enum account_kind kind, int64_t id);

// Something that others keep in memory has changed: they hear of it before the answer leaves.
void http_changed(struct http *x, enum change_kind kind, int64_t id);
