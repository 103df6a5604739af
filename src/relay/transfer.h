// One HTTP exchange with somebody else, waited for: what workers use (libcurl).

#pragma once
#include "common/err.h"
#include "common/str.h"

struct arena;

struct transfer {
    const char *url;
    struct str headers; // "Name: value\r\n" lines
    struct str body;    // .p NULL: GET, else POST
    const char *proxy;  // NULL or "": none, whatever the environment says

    int status;
    struct str answer; // decoded, at most 8 MiB
};

// Any status is a success. err_upstream_unreachable, err_upstream_timeout, err_upstream_failed
// (broken or too large); details name no secrets. Redirects are not followed.
struct err *transfer_run(struct arena *a, struct transfer *t);
