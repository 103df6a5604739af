// Sealing secrets at rest, and base64.
//
// A sealed text is "tf1." + base64url(nonce[12] || ciphertext || tag[16]), AES-256-GCM under a key
// derived from CRYPTO_SECRET by HKDF-SHA256; the purpose ("channels.key") is authenticated with
// it, so that a sealed value cannot be moved to another column.

#pragma once
#include "common/err.h"
#include "common/str.h"

struct arena;

// Once, before anything is sealed or derived (the process ends otherwise). At least 16 bytes.
void crypto_setup(struct str secret);

const char *crypto_seal(struct arena *a, const char *purpose, const char *plain);

// err_sealed_unreadable when it was not sealed by us for this purpose. "" opens to "".
struct err *crypto_open(struct arena *a, const char *purpose, const char *sealed,
                        const char **plain);

// A key for another use ("session"), derived from the same secret.
void crypto_derive(const char *use, unsigned char out[32]);

const char *base64url(struct arena *a, const void *bytes, size_t n);   // without padding
const char *base64_text(struct arena *a, const void *bytes, size_t n); // with padding

// Accepts both alphabets, missing padding and white space; .p NULL if it is something else.
struct str base64_bytes(struct arena *a, struct str text);
