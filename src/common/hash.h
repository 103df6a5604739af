// Digests, checksums and table hashes.

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

struct arena;

enum { SHA256_SIZE = 32 };

void hash_sha256(struct str in, unsigned char out[SHA256_SIZE]);
// Of these texts as if they were one.
void hash_sha256_pieces(const struct str *in, size_t count, unsigned char out[SHA256_SIZE]);
void hash_hmac_sha256(struct str key, struct str in, unsigned char out[SHA256_SIZE]);
const char *hash_hex(struct arena *a, const unsigned char *bytes, size_t n);

// For the eyes of attackers: takes the same time whatever the contents.
bool hash_same(const void *a, const void *b, size_t n);

// CRC-32C (Castagnoli), as in iSCSI; start with 0.
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t n);

// CRC-32 as in zlib and Ethernet; start with 0.
uint32_t hash_crc32(uint32_t crc, const void *bytes, size_t n);

// A keyed hash for in-memory tables (SipHash-1-3 with a key made at start, so that clients cannot
// choose keys that collide).
uint64_t hash_table(const void *bytes, size_t n);
