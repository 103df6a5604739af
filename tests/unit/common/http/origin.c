// Blocking sockets and threads: nothing in here shares code with what it tests.

#include "origin.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void *run_conn(void *arg)
{
    struct origin_conn *c = arg;
    if (c->origin->tls) {
        c->ssl = SSL_new(c->origin->tls);
        SSL_set_fd(c->ssl, c->fd);
        c->shaken = SSL_accept(c->ssl) == 1;
        c->origin->resumed += c->shaken && SSL_session_reused(c->ssl);
    }
    if (!c->ssl || c->shaken)
        c->origin->serve(c);
    c->origin->ended++;
    if (c->ssl && c->shaken && c->fd >= 0)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void *run_listener(void *arg)
{
    struct origin *p = arg;
    for (int fd; (fd = accept(p->listener, NULL, NULL)) >= 0;) {
        int on = 1, nth = p->accepted;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (nth == ORIGIN_CONNS)
            abort();
        struct origin_conn *c = calloc(1, sizeof(*c));
        *c = (struct origin_conn){.origin = p, .fd = fd, .nth = nth};
        p->conns[nth] = c;
        p->accepted++;
        if (pthread_create(&c->thread, NULL, run_conn, c))
            abort();
    }
    return NULL;
}

static int listen_at(const char *host, int *port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    bool six = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!six)
        inet_pton(AF_INET, host, &v4.sin_addr);
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr *at = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t n = six ? sizeof(v6) : sizeof(v4);
    if (fd < 0 || bind(fd, at, n) || listen(fd, 128) || getsockname(fd, at, &n)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(six ? v6.sin6_port : v4.sin_port);
    return fd;
}

struct origin *origin_start(const char *host, void (*serve)(struct origin_conn *c),
                            const void *script, SSL_CTX *tls)
{
    signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL, and so does libuv
    struct origin *p = calloc(1, sizeof(*p));
    p->serve = serve;
    p->script = script;
    p->tls = tls;
    p->listener = listen_at(host, &p->port);
    if (p->listener < 0) {
        free(p);
        return NULL;
    }
    if (pthread_create(&p->thread, NULL, run_listener, p))
        abort();
    return p;
}

void origin_stop(struct origin *p)
{
    if (!p)
        return;
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
    for (int i = 0; i < p->accepted; i++) {
        struct origin_conn *c = p->conns[i];
        if (c->fd >= 0)
            shutdown(c->fd, SHUT_RDWR);
        pthread_join(c->thread, NULL);
        if (c->fd >= 0)
            close(c->fd);
        free(c);
    }
    free(p);
}

bool origin_say(struct origin_conn *c, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t sent = c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool origin_says(struct origin_conn *c, const char *text)
{
    return origin_say(c, text, strlen(text));
}

int origin_hear(struct origin_conn *c, void *to, size_t n)
{
    return c->ssl ? SSL_read(c->ssl, to, (int)n) : (int)recv(c->fd, to, n, 0);
}

bool origin_hear_all(struct origin_conn *c, void *to, size_t n)
{
    for (char *p = to; n;) {
        int got = origin_hear(c, p, n);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

size_t origin_request(struct origin_conn *c, char *to, size_t cap)
{
    size_t n = 0;
    // what was there stays until something comes: a test may still be looking at it
    while (n < 4 || memcmp(to + n - 4, "\r\n\r\n", 4) != 0) {
        if (n + 1 >= cap || !origin_hear_all(c, to + n, 1))
            return 0;
        n++;
    }
    to[n] = '\0';
    const char *length = strcasestr(to, "\r\nContent-Length:");
    size_t body = length ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
    if (n + body + 1 > cap || !origin_hear_all(c, to + n, body))
        return 0;
    to[n + body] = '\0';
    c->origin->requests++;
    return n + body;
}

void origin_wait_end(struct origin_conn *c)
{
    char sink[4096];
    while (origin_hear(c, sink, sizeof(sink)) > 0)
        continue;
}

void origin_reset(struct origin_conn *c)
{
    struct linger hard = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(c->fd);
    c->fd = -1;
}

// --- certificates -----------------------------------------------------------------

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!e || !X509_add_ext(cert, e, -1))
        abort();
    X509_EXTENSION_free(e);
}

static X509 *cert_new(const char *name, EVP_PKEY *key, long from, long until)
{
    static _Atomic long serial = 1;
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), from);
    X509_gmtime_adj(X509_getm_notAfter(cert), until);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    return cert;
}

struct authority authority_new(const char *name)
{
    struct authority a = {.key = EVP_EC_gen("P-256")};
    a.cert = cert_new(name, a.key, -86400, 86400);
    X509_set_issuer_name(a.cert, X509_get_subject_name(a.cert));
    extend(a.cert, a.cert, NID_basic_constraints, "critical,CA:TRUE");
    extend(a.cert, a.cert, NID_key_usage, "critical,keyCertSign");
    extend(a.cert, a.cert, NID_subject_key_identifier, "hash");
    if (!X509_sign(a.cert, a.key, EVP_sha256()))
        abort();
    return a;
}

void authority_free(struct authority *a)
{
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
}

void authority_save(const struct authority *a, const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f || !PEM_write_X509(f, a->cert))
        abort();
    fclose(f);
}

SSL_CTX *authority_issue(const struct authority *a, const char *names, long from, long until)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = cert_new("peer", key, from, until);
    X509_set_issuer_name(cert, X509_get_subject_name(a->cert));
    extend(cert, a->cert, NID_subject_alt_name, names);
    extend(cert, a->cert, NID_authority_key_identifier, "keyid:always");
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    if (!X509_sign(cert, a->key, EVP_sha256()) || SSL_CTX_use_certificate(c, cert) != 1 ||
        SSL_CTX_use_PrivateKey(c, key) != 1)
        abort();
    SSL_CTX_set_session_id_context(c, (const unsigned char *)"peer", 4);
    X509_free(cert);
    EVP_PKEY_free(key);
    return c;
}
