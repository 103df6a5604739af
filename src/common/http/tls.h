// TLS over memory: bytes from the socket go in, plain bytes come out, and the other way round.

#pragma once
#include "common/buf.h"
#include "common/err.h"

struct arena;
struct tls;         // one connection
struct tls_context; // what connections share: certificates, session cache

// For clients: TLS 1.2+, verified against the system's store (SSL_CERT_FILE/SSL_CERT_DIR honoured).
struct tls_context *tls_client_context(void);
// For servers: certificate chain and key in PEM files. err_internal with the reason.
struct err *tls_server_context(struct arena *a, const char *cert_file, const char *key_file,
                               struct tls_context **out);
void tls_context_free(struct tls_context *c);

// host: name for SNI and verification (an address is verified as an address); sessions are resumed
// by `session_key` (usually host:port). Servers pass NULL for both.
struct tls *tls_new(struct tls_context *c, const char *host, const char *session_key);
void tls_free(struct tls *t);

enum tls_state { TLS_WANTS_MORE, TLS_READY, TLS_CLOSED, TLS_FAILED };

// Feeds bytes received; plain bytes are appended to `plain`, bytes to be sent to `out` (both may
// stay empty). TLS_READY once the handshake is done; a client begins it by feeding nothing. After
// TLS_CLOSED (the peer said so) and TLS_FAILED, `plain` and `out` may still have got something: an
// alert that tells the peer why is worth sending.
enum tls_state tls_receive(struct tls *t, struct str bytes, struct buf *plain, struct buf *out);
// Encrypts, once TLS_READY was seen; what is to be sent is appended to `out`.
enum tls_state tls_send(struct tls *t, struct str plain, struct buf *out);
void tls_shut(struct tls *t, struct buf *out); // close_notify
const char *tls_why(const struct tls *t);      // after TLS_FAILED: for the log
bool tls_resumed(const struct tls *t);         // did the handshake use a remembered session?
