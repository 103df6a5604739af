// One blocking HTTP request, for workers: logins, webhooks, model lists, images. Never on a loop.

#pragma once
#include "common/http/http.h"

struct arena;

struct fetch {
    const char *method; // NULL: GET, or POST with a body
    const char *url;    // http or https
    const struct http_header *headers;
    size_t header_count;
    struct str body;   // .p NULL for none
    const char *proxy; // as in struct call
    bool guarded;      // user-supplied URL: every hop's address must be public (egress.h)
    int redirects;     // followed at most; 0: the 3xx is the answer
    int timeout_ms;    // for everything; 0 = 30 seconds
    size_t max_bytes;  // of the decoded body; 0 = 1 MiB
};

struct fetch_answer {
    int status;
    struct http_headers headers; // of the last hop
    struct str body;             // decoded; a NUL follows
    const char *url;             // of the last hop
};

// What is returned lives in the arena. A status of 400 or more is an answer, not an error.
// err_field_invalid (URL), err_channel_misconfigured (proxy, header), err_address_forbidden,
// err_upstream_unreachable, _timeout, _truncated, _too_large, _failed (not HTTP; redirects that
// are too many, or leave https).
//
// When a redirect leads to another origin, only Accept, User-Agent and Content-Type go along.
struct err *fetch(struct arena *a, const struct fetch *request, struct fetch_answer *answer);
