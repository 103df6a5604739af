// Our side of the wire in tests: a loop with a client, and calls that note what happens to them.

#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/http/client.h"
#include "common/lane.h"

struct caller {
    struct loop *loop;
    struct client *client;
    bool closed;
};

struct got {
    struct call call;
    struct caller *caller;
    struct arena *arena;
    struct buf body;
    int heads, bodies, dones;
    struct err *err; // of on_done
    size_t largest;  // piece of a body
    // Run at the end of the callback of that name; NULL is fine.
    void (*at_head)(struct got *g), (*at_body)(struct got *g), (*at_done)(struct got *g);
    void *note; // the test's own
};

int caller_setup(void **state);     // *state becomes a struct caller
int caller_teardown(void **state);  // everything must come to an end
void caller_turn(struct caller *c); // one round of the loop
// Rounds until that is true; the test fails after 20 seconds.
void caller_until(struct caller *c, bool (*what)(void *), void *arg);
void caller_rest(struct caller *c, int ms); // rounds for that long

struct got *got_new(struct caller *c, const char *method, const char *url, ...)
    __attribute__((format(printf, 3, 4)));
void got_start(struct got *g);
void got_wait(struct got *g);        // until on_done
void got_wait_paused(struct got *g); // until a callback has paused it, and a little longer
struct got *got_call(struct caller *c, int port, const char *body); // POST, started and waited for
void got_free(struct got *g);

// The kind of the failure, "" for none: assert_string_equal(got_why(g), "upstream_timeout").
const char *got_why(const struct got *g);
