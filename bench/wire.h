// What both instruments stand on: the clock, sockets that may speak TLS, and a histogram.

#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_ns(void);
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *take_memory(size_t n); // zeroed; never NULL

// --- sockets --------------------------------------------------------------------------

enum { WIRE_CLOSED = 0, WIRE_AGAIN = -1, WIRE_BROKEN = -2 };

struct wire {
    int fd;
    SSL *ssl; // NULL: plain
};

int wire_listen(int port); // on 127.0.0.1; dies when it cannot
struct wire wire_accept(int listener, SSL_CTX *tls);
struct wire wire_connect(int port, SSL_CTX *tls); // fd < 0 when it cannot

// More than 0: bytes moved. Otherwise one of the three above.
ssize_t wire_read(struct wire *w, void *to, size_t n);
ssize_t wire_write(struct wire *w, const void *from, size_t n);
void wire_close(struct wire *w);

SSL_CTX *tls_server(const char *certificate, const char *key);
SSL_CTX *tls_client(const char *ca); // verifies "localhost"

// --- histogram ------------------------------------------------------------------------

// Nanoseconds in steps of 1/64 of a power of two: 1.6 % wide.
enum { HISTOGRAM_STEPS = 64, HISTOGRAM_SIZE = 48 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t n;
    int64_t max;
    double sum;
    uint32_t count[HISTOGRAM_SIZE];
};

void histogram_add(struct histogram *h, int64_t ns);
double histogram_us(const struct histogram *h, double quantile);
void histogram_print(const char *name, const struct histogram *h); // as a member of a JSON object
