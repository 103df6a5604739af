// What Moonshot's models refuse, by name (providers.md part 2).

#pragma once
struct attempt;
struct chat_request;
struct err;

struct err *moonshot_fix_request(struct attempt *t, struct chat_request *request);
