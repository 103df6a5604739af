// The other end of the wire in tests: a loopback server, a thread for every connection, blocking
// and scripted; and certificates made on the spot.

#pragma once
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { ORIGIN_CONNS = 512 };

struct origin;

struct origin_conn {
    struct origin *origin;
    int fd;
    int nth; // 0 for the first one accepted
    SSL *ssl;
    bool shaken; // TLS is up
    pthread_t thread;
};

struct origin {
    int listener, port;
    void (*serve)(struct origin_conn *c); // the connection is closed when it returns
    const void *script;                   // the test's own
    SSL_CTX *tls;                         // NULL: plain
    _Atomic int accepted, ended, requests, resumed;
    pthread_t thread;
    struct origin_conn *conns[ORIGIN_CONNS];
};

// host "127.0.0.1" or "::1"; NULL if there is no such address here.
struct origin *origin_start(const char *host, void (*serve)(struct origin_conn *c),
                            const void *script, SSL_CTX *tls);
void origin_stop(struct origin *p); // cuts what is open, joins all

bool origin_say(struct origin_conn *c, const void *bytes, size_t n);
bool origin_says(struct origin_conn *c, const char *text);
int origin_hear(struct origin_conn *c, void *to, size_t n);      // as read(): 0 at the end
bool origin_hear_all(struct origin_conn *c, void *to, size_t n); // exactly n
// One request, head and Content-Length body, with a NUL after it; its length, 0 at the end.
size_t origin_request(struct origin_conn *c, char *to, size_t cap);
void origin_wait_end(struct origin_conn *c); // until the client closes
void origin_reset(struct origin_conn *c);    // closes with RST

// --- certificates -----------------------------------------------------------------

struct authority {
    X509 *cert;
    EVP_PKEY *key;
};
struct authority authority_new(const char *name);
void authority_free(struct authority *a);
void authority_save(const struct authority *a, const char *path); // PEM

// A server's context with a certificate for these names ("DNS:a.test,IP:127.0.0.1"), valid from
// `from` to `until` seconds from now.
SSL_CTX *authority_issue(const struct authority *a, const char *names, long from, long until);
