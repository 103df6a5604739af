// What every management request passes before its handler, in the order of one table.

#pragma once
#include "middleware/http.h"

// NULL: go on to the handler. An err is the answer.
struct err *guards_run(struct http *x);

// One file each.
struct err *guard_secure(struct http *x);   // headers that keep browsers careful
struct err *guard_language(struct http *x); // of the answer's texts
struct err *guard_client(struct http *x);   // the address and scheme, seen through trusted proxies
struct err *guard_auth(struct http *x);     // who asks: an access token or a session
struct err *guard_csrf(struct http *x);     // does the request come from our own pages?
struct err *guard_role(struct http *x);     // is he allowed to?
struct err *guard_body(struct http *x);     // JSON
