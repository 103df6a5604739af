// How credentials travel. Each scheme serves any provider that names it.

#pragma once
struct attempt;
struct err;

struct err *auth_bearer(struct attempt *t);    // Authorization: Bearer <key>
struct err *auth_x_api_key(struct attempt *t); // x-api-key: <key>
struct err *auth_api_key(struct attempt *t);   // api-key: <key>
struct err *auth_google(struct attempt *t);    // x-goog-api-key: <key>, or an OAuth token
struct err *auth_none(struct attempt *t);
