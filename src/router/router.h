// Which handler answers which method and path (routes.def).

#pragma once
#include "common/lane.h"
#include "middleware/http.h"
#include "relay/relay.h"

enum route_kind { ROUTE_MANAGEMENT, ROUTE_PLAIN, ROUTE_RELAY };

struct route {
    enum route_kind kind;
    const char *method, *path;
    enum role who;                          // management
    enum lane lane;                         // plain
    struct err *(*handler)(struct http *x); // management, plain
    struct relay_route relay;
};

struct route_match {
    const struct route *route; // NULL: none
    const struct route *other; // ... though this one has the path, with another method
    struct http_param params[HTTP_PARAMS];
    size_t param_count;
};

// HEAD finds GET's route. Path without query; names in it stay as sent.
void router_match(struct str method, struct str path, struct route_match *out);

// "GET, PUT": the methods that this path has.
const char *router_allow(struct arena *a, struct str path);

const struct route *router_routes(size_t *count); // all of them, in the order of the table
