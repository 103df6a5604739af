// OpenSSL for what must be secure, a few lines for what must be fast.

#include "common/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/arena.h"
#include "common/rand.h"

static EVP_MD *sha256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256)
        abort();
}

// Every relay asks for one: the algorithm is looked up once.
void hash_sha256(struct str in, unsigned char out[SHA256_SIZE])
{
    pthread_once(&fetched, fetch_sha256);
    if (!EVP_Digest(in.p, in.n, out, NULL, sha256, NULL))
        abort();
}

void hash_sha256_pieces(const struct str *in, size_t count, unsigned char out[SHA256_SIZE])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    pthread_once(&fetched, fetch_sha256);
    bool good = c && EVP_DigestInit_ex2(c, sha256, NULL);
    for (size_t i = 0; i < count && good; i++)
        good = EVP_DigestUpdate(c, in[i].p, in[i].n);
    if (!good || !EVP_DigestFinal_ex(c, out, NULL))
        abort();
    EVP_MD_CTX_free(c);
}

void hash_hmac_sha256(struct str key, struct str in, unsigned char out[SHA256_SIZE])
{
    unsigned n = SHA256_SIZE;
    if (!HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)in.p, in.n, out, &n))
        abort();
}

const char *hash_hex(struct arena *a, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_raw(a, n * 2 + 1);
    for (size_t i = 0; i < n; i++) {
        text[i * 2] = digits[bytes[i] >> 4];
        text[i * 2 + 1] = digits[bytes[i] & 15];
    }
    text[n * 2] = '\0';
    return text;
}

bool hash_same(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static uint32_t crc_table[256];
static uint64_t table_key[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
        crc_table[i] = c;
    }
    rand_bytes(table_key, sizeof(table_key));
}

static uint32_t crc_by_table(uint32_t crc, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        crc = crc_table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_by_processor(uint32_t crc,
                                                                   const unsigned char *p, size_t n)
{
    uint64_t wide = crc, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; n; n--, p++)
        crc = __builtin_ia32_crc32qi(crc, *p);
    return crc;
}
#endif

uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t n)
{
    pthread_once(&once, set_up);
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_by_processor(~crc, bytes, n);
#endif
    return ~crc_by_table(~crc, bytes, n);
}

uint32_t hash_crc32(uint32_t crc, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc, bytes, n);
}

static uint64_t rotl(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t hash_table(const void *bytes, size_t n)
{
    pthread_once(&once, set_up);
    uint64_t v[4] = {table_key[0] ^ 0x736f6d6570736575u, table_key[1] ^ 0x646f72616e646f6du,
                     table_key[0] ^ 0x6c7967656e657261u, table_key[1] ^ 0x7465646279746573u};
    const unsigned char *p = bytes;
    uint64_t word;
    for (size_t left = n; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)n << 56;
    for (size_t i = 0; i < n % 8; i++)
        word |= (uint64_t)p[i] << (8 * i);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
