// The clock, sockets that may speak TLS, and a histogram.

#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void die(const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    vfprintf(stderr, fmt, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

void *take_memory(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        die("out of memory");
    return p;
}

// --- sockets --------------------------------------------------------------------------

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void no_delay(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

int wire_listen(int port)
{
    struct sockaddr_in at = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096))
        die("port %d: %s", port, strerror(errno));
    return fd;
}

struct wire wire_accept(int listener, SSL_CTX *tls)
{
    struct wire w = {.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (w.fd < 0)
        return w;
    no_delay(w.fd);
    if (tls) {
        w.ssl = SSL_new(tls);
        SSL_set_fd(w.ssl, w.fd);
        SSL_set_accept_state(w.ssl);
    }
    return w;
}

struct wire wire_connect(int port, SSL_CTX *tls)
{
    struct sockaddr_in to = loopback(port);
    struct wire w = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (w.fd < 0)
        return w;
    no_delay(w.fd);
    if (connect(w.fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) {
        close(w.fd);
        w.fd = -1;
        return w;
    }
    if (tls) {
        w.ssl = SSL_new(tls);
        SSL_set_fd(w.ssl, w.fd);
        SSL_set1_host(w.ssl, "localhost");
        SSL_set_tlsext_host_name(w.ssl, "localhost");
        SSL_set_connect_state(w.ssl);
    }
    return w;
}

static ssize_t plain_result(ssize_t n)
{
    if (n >= 0)
        return n;
    bool wait = errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
    return wait ? WIRE_AGAIN : WIRE_BROKEN;
}

static ssize_t tls_result(struct wire *w, int n)
{
    if (n > 0)
        return n;
    int why = SSL_get_error(w->ssl, n);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return WIRE_AGAIN;
    return why == SSL_ERROR_ZERO_RETURN ? WIRE_CLOSED : WIRE_BROKEN;
}

ssize_t wire_read(struct wire *w, void *to, size_t n)
{
    if (w->ssl)
        return tls_result(w, SSL_read(w->ssl, to, (int)n));
    return plain_result(recv(w->fd, to, n, 0));
}

ssize_t wire_write(struct wire *w, const void *from, size_t n)
{
    if (w->ssl)
        return tls_result(w, SSL_write(w->ssl, from, (int)n));
    return plain_result(send(w->fd, from, n, MSG_NOSIGNAL));
}

void wire_close(struct wire *w)
{
    SSL_free(w->ssl);
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct wire){.fd = -1};
}

static SSL_CTX *context(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);
    if (!c)
        die("no TLS");
    SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(c, 1);
    return c;
}

SSL_CTX *tls_server(const char *certificate, const char *key)
{
    SSL_CTX *c = context(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(c, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)
        die("%s or %s cannot be read", certificate, key);
    return c;
}

SSL_CTX *tls_client(const char *ca)
{
    SSL_CTX *c = context(TLS_client_method());
    if (SSL_CTX_load_verify_locations(c, ca, NULL) != 1)
        die("%s cannot be read", ca);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    return c;
}

// --- histogram ------------------------------------------------------------------------

static int slot(int64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return ns < 0 ? 0 : (int)ns;
    int shift = 63 - __builtin_clzll((unsigned long long)ns) - 6;
    int i = (shift + 1) * HISTOGRAM_STEPS + (int)((ns >> shift) - HISTOGRAM_STEPS);
    return i < HISTOGRAM_SIZE ? i : HISTOGRAM_SIZE - 1;
}

static double slot_ns(int i)
{
    if (i < HISTOGRAM_STEPS)
        return i;
    int shift = i / HISTOGRAM_STEPS - 1;
    return (double)((int64_t)(HISTOGRAM_STEPS + i % HISTOGRAM_STEPS) << shift);
}

void histogram_add(struct histogram *h, int64_t ns)
{
    h->n++;
    h->sum += (double)ns;
    h->max = ns > h->max ? ns : h->max;
    h->count[slot(ns)]++;
}

double histogram_us(const struct histogram *h, double quantile)
{
    double want = quantile * (double)h->n, seen = 0;
    for (int i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += h->count[i];
        if (h->count[i] && seen >= want)
            return slot_ns(i) / 1000;
    }
    return 0;
}

void histogram_print(const char *name, const struct histogram *h)
{
    printf("\"%s\":{\"n\":%llu,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,"
           "\"mean\":%.1f}",
           name, (unsigned long long)h->n, histogram_us(h, 0.5), histogram_us(h, 0.99),
           histogram_us(h, 0.999), (double)h->max / 1000, h->n ? h->sum / (double)h->n / 1000 : 0);
}
