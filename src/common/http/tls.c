// OpenSSL between two memory views: no bytes are copied but by encryption itself.

#include "common/http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

enum { SESSIONS_MAX = 256, RECORD_MAX = 16 * 1024, READ_LEAST = 1024 };

// The last session of one upstream. Newest first in the list, so the tail is what nobody uses.
struct session {
    struct session *next;
    SSL_SESSION *session;
    char key[];
};

struct tls_context {
    SSL_CTX *ssl;
    struct session *sessions;
};

struct tls {
    SSL *ssl;
    struct tls_context *context;
    char *key;       // of the session; NULL for servers
    struct str in;   // what tls_receive was given and OpenSSL has not taken
    struct buf *out; // where OpenSSL's output goes during a call
    bool ready, failed, closed;
    char why[200];
};

// --- the wire as OpenSSL sees it ----------------------------------------------------

static int wire_read(BIO *bio, char *to, int n)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (t->in.n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t take = (size_t)n < t->in.n ? (size_t)n : t->in.n;
    memcpy(to, t->in.p, take);
    t->in = str_skip(t->in, take);
    return (int)take;
}

static int wire_write(BIO *bio, const char *from, int n)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!t->out)
        return n; // tls_free's own last words
    buf_add(t->out, from, (size_t)n);
    return t->out->overflow ? -1 : n;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *wire;

static void wire_make(void)
{
    wire = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (!wire)
        abort();
    BIO_meth_set_read(wire, wire_read);
    BIO_meth_set_write(wire, wire_write);
    BIO_meth_set_ctrl(wire, wire_control);
}

static BIO *wire_new(struct tls *t)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, wire_make);
    BIO *bio = BIO_new(wire);
    if (!bio)
        abort();
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}

// --- sessions ---------------------------------------------------------------------------

static void session_free(struct session *s)
{
    SSL_SESSION_free(s->session);
    free(s);
}

// Takes the session of that key out of the list; NULL if there is none.
static struct session *session_take(struct tls_context *c, const char *key)
{
    for (struct session **at = &c->sessions, *s; (s = *at); at = &s->next) {
        if (strcmp(s->key, key) != 0)
            continue;
        *at = s->next;
        return s;
    }
    return NULL;
}

static void session_add(struct tls_context *c, struct session *s)
{
    s->next = c->sessions;
    c->sessions = s;
}

static void sessions_trim(struct tls_context *c)
{
    int n = 0;
    struct session **at = &c->sessions;
    while (*at && n++ < SESSIONS_MAX)
        at = &(*at)->next;
    while (*at) {
        struct session *s = *at;
        *at = s->next;
        session_free(s);
    }
}

// OpenSSL calls this once a handshake was verified (1.2) or a ticket came after one (1.3).
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    if (!t || !t->key || !SSL_SESSION_is_resumable(session))
        return 0;
    struct session *s = session_take(t->context, t->key);
    if (s) {
        SSL_SESSION_free(s->session);
    } else {
        size_t n = strlen(t->key);
        s = mem_new(sizeof(*s) + n + 1);
        memcpy(s->key, t->key, n);
    }
    s->session = session; // the reference becomes ours
    session_add(t->context, s);
    sessions_trim(t->context);
    return 1;
}

static void session_offer(struct tls *t)
{
    struct session *s = session_take(t->context, t->key);
    if (!s)
        return;
    SSL_set_session(t->ssl, s->session);
    session_add(t->context, s);
}

static void session_drop(struct tls *t)
{
    struct session *s = t->key ? session_take(t->context, t->key) : NULL;
    if (s)
        session_free(s);
}

// --- contexts -----------------------------------------------------------------------------

static const unsigned char alpn_http[] = "\x08http/1.1";

static SSL_CTX *context_make(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);
    if (!c)
        abort();
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return c;
}

struct tls_context *tls_client_context(void)
{
    struct tls_context *c = mem_new(sizeof(*c));
    c->ssl = context_make(TLS_client_method());
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_verify_paths(c->ssl); // without a store, every certificate is refused
    SSL_CTX_set_alpn_protos(c->ssl, alpn_http, sizeof(alpn_http) - 1);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ssl, on_session);
    return c;
}

// We speak HTTP/1.1 whatever is offered; without it in the offer, ALPN stays out of the answer.
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *unused)
{
    (void)ssl, (void)unused;
    unsigned char *chosen;
    int rc = SSL_select_next_proto(&chosen, out_n, alpn_http, sizeof(alpn_http) - 1, in, in_n);
    *out = chosen;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// A key with a passphrase is refused; OpenSSL's own answer would be to ask at the terminal.
static int on_passphrase(char *to, int n, int for_writing, void *unused)
{
    (void)n, (void)for_writing, (void)unused;
    to[0] = '\0';
    return 0;
}

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason ? reason : "unknown reason";
}

static struct err *load(struct arena *a, SSL_CTX *c, const char *cert_file, const char *key_file)
{
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(c, on_passphrase);
    if (SSL_CTX_use_certificate_chain_file(c, cert_file) != 1)
        return err_new(a, &err_internal, "certificate %s: %s", cert_file, openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(c, key_file, SSL_FILETYPE_PEM) != 1)
        return err_new(a, &err_internal, "key %s: %s", key_file, openssl_reason());
    if (SSL_CTX_check_private_key(c) != 1)
        return err_new(a, &err_internal, "%s does not fit %s", key_file, cert_file);
    return NULL;
}

struct err *tls_server_context(struct arena *a, const char *cert_file, const char *key_file,
                               struct tls_context **out)
{
    struct tls_context *c = mem_new(sizeof(*c));
    c->ssl = context_make(TLS_server_method());
    SSL_CTX_set_alpn_select_cb(c->ssl, on_alpn, NULL);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF); // tickets need no cache
    struct err *e = load(a, c->ssl, cert_file, key_file);
    *out = e ? NULL : c;
    if (e)
        tls_context_free(c);
    return e;
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    while (c->sessions) {
        struct session *s = c->sessions;
        c->sessions = s->next;
        session_free(s);
    }
    SSL_CTX_free(c->ssl);
    free(c);
}

// --- connections -------------------------------------------------------------------------

// Without a host to verify, the connection must not come up at all.
static bool verify_as(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    char name[256]; // certificates and SNI have no root's dot at the end
    size_t n = strlen(host);
    if (n && host[n - 1] == '.')
        n--;
    snprintf(name, sizeof(name), "%.*s", (int)n, host);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return n && n < sizeof(name) && X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

static void as_client(struct tls *t, const char *host, const char *session_key)
{
    SSL_set_connect_state(t->ssl);
    t->failed = !verify_as(t->ssl, host);
    if (t->failed)
        snprintf(t->why, sizeof(t->why), "host name cannot be verified");
    if (!session_key)
        return;
    t->key = mem_strdup(session_key);
    session_offer(t);
}

struct tls *tls_new(struct tls_context *c, const char *host, const char *session_key)
{
    struct tls *t = mem_new(sizeof(*t));
    t->context = c;
    t->ssl = SSL_new(c->ssl);
    if (!t->ssl)
        abort();
    SSL_set_app_data(t->ssl, t);
    BIO *bio = wire_new(t);
    SSL_set_bio(t->ssl, bio, bio);
    if (host)
        as_client(t, host, session_key);
    else
        SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    t->out = NULL;
    t->in = (struct str){0};
    if (t->ready && !t->failed)
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); // keeps the session
    SSL_free(t->ssl);
    free(t->key);
    free(t);
}

static enum tls_state fail(struct tls *t, const char *fallback)
{
    t->failed = true;
    long verify = SSL_get_verify_result(t->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (!t->ready && verify != X509_V_OK)
        reason = X509_verify_cert_error_string(verify);
    if (!t->ready)
        session_drop(t);
    snprintf(t->why, sizeof(t->why), "%s", reason ? reason : fallback);
    ERR_clear_error();
    return TLS_FAILED;
}

// What an unsuccessful step of OpenSSL means.
static enum tls_state outcome(struct tls *t, int rc)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return t->ready ? TLS_READY : TLS_WANTS_MORE;
    case SSL_ERROR_ZERO_RETURN: t->closed = true; return TLS_CLOSED;
    default: return fail(t, "connection broken");
    }
}

static enum tls_state read_plain(struct tls *t, struct buf *plain)
{
    for (;;) {
        size_t room = t->in.n < READ_LEAST ? READ_LEAST : t->in.n, got;
        if (room > RECORD_MAX)
            room = RECORD_MAX;
        char *to = buf_room(plain, room);
        if (!to)
            return fail(t, "too much at once");
        int rc = SSL_read_ex(t->ssl, to, room, &got);
        if (rc != 1)
            return outcome(t, rc);
        buf_grew(plain, got);
    }
}

static enum tls_state state_of(const struct tls *t)
{
    if (t->failed)
        return TLS_FAILED;
    if (t->closed)
        return TLS_CLOSED;
    return t->ready ? TLS_READY : TLS_WANTS_MORE;
}

enum tls_state tls_receive(struct tls *t, struct str bytes, struct buf *plain, struct buf *out)
{
    if (t->failed || t->closed)
        return state_of(t);
    ERR_clear_error();
    t->in = bytes;
    t->out = out;
    enum tls_state state = TLS_READY;
    if (!t->ready) {
        int rc = SSL_do_handshake(t->ssl);
        t->ready = rc == 1;
        state = t->ready ? TLS_READY : outcome(t, rc);
    }
    if (t->ready)
        state = read_plain(t, plain);
    t->out = NULL;
    t->in = (struct str){0};
    return state;
}

enum tls_state tls_send(struct tls *t, struct str plain, struct buf *out)
{
    if (state_of(t) != TLS_READY || plain.n == 0)
        return state_of(t);
    ERR_clear_error();
    t->out = out;
    size_t sent;
    int rc = SSL_write_ex(t->ssl, plain.p, plain.n, &sent);
    enum tls_state state = rc == 1 ? TLS_READY : outcome(t, rc);
    t->out = NULL;
    return state;
}

void tls_shut(struct tls *t, struct buf *out)
{
    if (!t->ready || t->failed)
        return;
    ERR_clear_error();
    t->out = out;
    SSL_shutdown(t->ssl);
    ERR_clear_error();
    t->out = NULL;
}

const char *tls_why(const struct tls *t)
{
    return t->why;
}

bool tls_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl);
}
