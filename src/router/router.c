// Finding routes: fixed paths by binary search, those with names one after the other.

#include "router/router.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "controller/account.h"
#include "controller/channel.h"
#include "controller/channel_keys.h"
#include "controller/channel_tag.h"
#include "controller/dashboard.h"
#include "controller/log.h"
#include "controller/option.h"
#include "controller/pricing.h"
#include "controller/process.h"
#include "controller/setup.h"
#include "controller/status.h"
#include "controller/token.h"
#include "controller/user.h"
#include "router/openapi.h"

#define WHO_PUBLIC ROLE_GUEST
#define WHO_USER ROLE_COMMON
#define WHO_ADMIN ROLE_ADMIN
#define WHO_ROOT ROLE_ROOT

static const struct route routes[] = {
#define ROUTE(method_, path_, who_, handler_)                                                      \
    {.kind = ROUTE_MANAGEMENT,                                                                     \
     .method = #method_,                                                                           \
     .path = path_,                                                                                \
     .who = WHO_##who_,                                                                            \
     .handler = handler_},
#define PLAIN(method_, path_, lane_, handler_)                                                     \
    {.kind = ROUTE_PLAIN, .method = #method_, .path = path_, .lane = lane_, .handler = handler_},
#define RELAY(method_, path_, speaks_, mode_)                                                      \
    {.kind = ROUTE_RELAY,                                                                          \
     .method = #method_,                                                                           \
     .path = path_,                                                                                \
     .relay = {&speaks_##_dialect, MODE_##mode_}},
#include "router/routes.def"
#undef ROUTE
#undef PLAIN
#undef RELAY
};

enum { ROUTES = sizeof(routes) / sizeof(*routes) };

static const struct route *fixed[ROUTES], *named[ROUTES];
static size_t fixed_count, named_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct route *const *)a)->path, (*(const struct route *const *)b)->path);
}

static void compile(void)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (strpbrk(routes[i].path, ":*"))
            named[named_count++] = &routes[i];
        else
            fixed[fixed_count++] = &routes[i];
    qsort((void *)fixed, fixed_count, sizeof(*fixed), by_path);
}

const struct route *router_routes(size_t *count)
{
    *count = ROUTES;
    return routes;
}

static struct str without_slash(struct str path)
{
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

static int compare(struct str path, const char *with)
{
    int way = strncmp(path.p, with, path.n);
    return way ? way : -(with[path.n] != '\0');
}

// The first of the rows with this path; fixed_count if there is none.
static size_t find_fixed(struct str path)
{
    size_t low = 0, high = fixed_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(path, fixed[middle]->path) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < fixed_count && str_is(path, fixed[low]->path) ? low : fixed_count;
}

// "*" stands for all the rest of a path, "*:action" for all of it before that end.
static bool fits_rest(struct str rest, struct str end)
{
    return rest.n > end.n && (!end.n || !memcmp(rest.p + rest.n - end.n, end.p, end.n));
}

// Does the path fit the pattern, piece by piece? Pieces behind ":name" go into the match.
static bool fits(struct str path, const char *pattern, struct route_match *out)
{
    struct str want = str_of(pattern), name, piece;
    size_t params = 0;
    while (str_next(&want, '/', &name)) {
        if (str_starts(name, "*"))
            return fits_rest(path, str_skip(name, 1));
        if (!str_next(&path, '/', &piece))
            return false;
        if (!str_starts(name, ":")) {
            if (!str_eq(name, piece))
                return false;
            continue;
        }
        if (!piece.n || params == HTTP_PARAMS)
            return false;
        out->params[params++] = (struct http_param){str_skip(name, 1), piece};
    }
    out->param_count = params;
    return !path.n;
}

static bool has_method(const struct route *r, struct str method)
{
    return str_is(method, r->method) || (str_is(method, "HEAD") && !strcmp(r->method, "GET"));
}

void router_match(struct str method, struct str path, struct route_match *out)
{
    pthread_once(&once, compile);
    *out = (struct route_match){0};
    path = without_slash(path);
    for (size_t i = find_fixed(path); i < fixed_count && str_is(path, fixed[i]->path); i++) {
        out->other = fixed[i];
        if (has_method(fixed[i], method)) {
            out->route = fixed[i];
            return;
        }
    }
    for (size_t i = 0; i < named_count; i++) {
        if (!fits(path, named[i]->path, out))
            continue;
        out->other = named[i];
        if (has_method(named[i], method)) {
            out->route = named[i];
            return;
        }
    }
}

const char *router_allow(struct arena *a, struct str path)
{
    const char *list = "";
    path = without_slash(path);
    for (size_t i = 0; i < ROUTES; i++) {
        struct route_match match;
        if (fits(path, routes[i].path, &match) && !list_has(list, routes[i].method))
            list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", routes[i].method);
    }
    return list;
}
