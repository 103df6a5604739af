// One request to the management API, in the hands of a worker from guard to answer.
//
// A handler is `struct err *api_<resource>_<verb>(struct http *x)`: straight, blocking code. NULL
// means that it gave an answer with one of the http_reply functions; an err becomes the failure
// envelope with its status.

#pragma once
#include "common/db/db.h"
#include "common/http/server.h"
#include "i18n/i18n.h"
#include "model/user.h"
#include "setting/setting.h"

enum { HTTP_PARAMS = 3, HTTP_HEADERS = 8, PAGE_SIZE = 20, PAGE_SIZE_MAX = 100 };

struct http_param {
    struct str name, value;
};

struct http {
    struct exchange *exchange; // what came; only read here
    struct arena *arena;       // of this request
    struct db_pool *pool;
    struct db *db; // leased for the whole request
    int role;      // that the route asks for
    enum language language;
    const char *ip; // of the client
    bool https;

    struct user *user;   // who asks; id 0 = nobody
    const char *session; // digest of the session, "" when it came with an access token
    yyjson_val *body;    // NULL if there is none
    struct http_param params[HTTP_PARAMS];
    size_t param_count;

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

// data = whatever is written between the two. http_data opens, http_done closes.
//     struct json j = http_data(x);
//     json_str(&j, NULL, "anything");
//     return http_done(x, &j);
struct json http_data(struct http *x);
struct err *http_done(struct http *x, struct json *j);

struct err *http_reply_text(struct http *x, const char *content_type, struct str text);
void http_header_add(struct http *x, const char *name, const char *value);
void http_fail(struct http *x, const struct err *e); // the failure envelope
enum audience http_audience(const struct http *x);

// --- lists ---------------------------------------------------------------------------

// Conditions of a list, grown by hand and from the query.
struct http_list {
    const struct table *table;
    struct buf where; // SQL
    struct field_value params[48];
    size_t count;
    const char *order; // "[id] DESC"
    int64_t page, size, total;
    struct rows rows;
};

struct err *http_list_begin(struct http *x, const struct table *t, struct http_list *out);
void http_list_and(struct http_list *l, const char *sql, struct field_value v);
// Runs it: total and the rows of the page.
struct err *http_list_run(struct http *x, struct http_list *l);
// {page, page_size, total, items}
struct err *http_reply_page(struct http *x, const struct http_list *l);

// The settings as they are stored now.
struct err *http_settings(struct http *x, struct settings *out);
