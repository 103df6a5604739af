// Names to addresses, off the loop and cached: one look-up per name at a time, however many wait.
//
// An answer is fresh for 30 seconds; for another 30 it is still given while a new look-up runs. A
// failure is remembered for 2 seconds. Literal addresses never get here (dns_literal).

#pragma once
#include <netinet/in.h>
#include <stdbool.h>

struct dns;
struct loop;

union dns_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct dns_answer {
    int refs;
    int count; // at least 1
    union dns_address at[];
};

enum dns_state { DNS_READY, DNS_FAILED, DNS_WAITS };

// Embedded by whoever waits; it must stay where it is until on_answer or dns_forget().
struct dns_query {
    void (*on_answer)(struct dns_query *q);
    struct dns_answer *answer; // a reference of the asker's: dns_release(); NULL after a failure
    const char *why;           // of a failure: a static text

    struct dns_name *name; // the cache's own
    struct dns_query *next;
};

enum { DNS_FRESH_MS = 30000, DNS_STALE_MS = 60000, DNS_FAILED_MS = 2000, DNS_NAMES_MAX = 1024 };

struct dns *dns_new(struct loop *loop);
// No query may be waiting. on_closed follows once the last running look-up is over.
void dns_close(struct dns *d, void (*on_closed)(void *), void *arg);

// Fills q->answer or q->why at once, or says DNS_WAITS and calls on_answer later.
enum dns_state dns_lookup(struct dns *d, const char *host, struct dns_query *q);
// Takes over an answer as if just looked up: for tests of what follows.
void dns_learn(struct dns *d, const char *host, struct dns_answer *answer);
void dns_forget(struct dns_query *q); // stops waiting; fine when it does not wait

// The answer for a literal IPv4 or IPv6 address; NULL for a name.
struct dns_answer *dns_literal(const char *host);
struct dns_answer *dns_hold(struct dns_answer *a);
void dns_release(struct dns_answer *a); // NULL is fine

int dns_asked(const struct dns *d); // look-ups begun, for metrics
