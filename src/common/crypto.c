// AES-256-GCM and HKDF by OpenSSL.

#include "common/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/rand.h"

enum { NONCE = 12, TAG = 16, KEY_SIZE = 32 };
static const char prefix[] = "tf1.";

static unsigned char master[KEY_SIZE], sealing[KEY_SIZE];
static bool ready; // without crypto_setup the keys would be zeros, and nobody would notice

static void hkdf(struct str secret, const char *use, unsigned char out[KEY_SIZE])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *k = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.p, secret.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)use, strlen(use)),
        OSSL_PARAM_construct_end(),
    };
    if (!k || EVP_KDF_derive(k, out, KEY_SIZE, params) <= 0)
        abort();
    EVP_KDF_CTX_free(k);
    EVP_KDF_free(kdf);
}

void crypto_setup(struct str secret)
{
    hkdf(secret, "token factory", master);
    ready = true;
    crypto_derive("sealing", sealing);
}

void crypto_derive(const char *use, unsigned char out[32])
{
    if (!ready)
        abort();
    hkdf((struct str){(const char *)master, KEY_SIZE}, use, out);
}

const char *crypto_seal(struct arena *a, const char *purpose, const char *plain)
{
    if (!ready)
        abort();
    if (text_is_empty(plain))
        return "";
    size_t n = strlen(plain);
    unsigned char *out = arena_raw(a, NONCE + n + TAG);
    int len = 0;
    rand_bytes(out, NONCE);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool fine = c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, sealing, out) &&
                EVP_EncryptUpdate(c, NULL, &len, (const void *)purpose, (int)strlen(purpose)) &&
                EVP_EncryptUpdate(c, out + NONCE, &len, (const void *)plain, (int)n) &&
                EVP_EncryptFinal_ex(c, out + NONCE + n, &len) &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + n);
    EVP_CIPHER_CTX_free(c);
    if (!fine)
        abort();
    return arena_printf(a, "%s%s", prefix, base64url(a, out, NONCE + n + TAG));
}

static bool open_bytes(const char *purpose, struct str in, char *plain)
{
    size_t n = in.n - NONCE - TAG;
    int len = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool fine =
        c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, sealing, (const void *)in.p) &&
        EVP_DecryptUpdate(c, NULL, &len, (const void *)purpose, (int)strlen(purpose)) &&
        EVP_DecryptUpdate(c, (unsigned char *)plain, &len, (const void *)(in.p + NONCE), (int)n) &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(in.p + NONCE + n)) &&
        EVP_DecryptFinal_ex(c, (unsigned char *)plain + n, &len) > 0;
    EVP_CIPHER_CTX_free(c);
    plain[n] = '\0';
    return fine;
}

struct err *crypto_open(struct arena *a, const char *purpose, const char *sealed,
                        const char **plain)
{
    *plain = "";
    if (text_is_empty(sealed))
        return NULL;
    struct str text = str_of(sealed);
    struct str in = str_starts(text, prefix) ? base64_bytes(a, str_skip(text, strlen(prefix)))
                                             : (struct str){0};
    if (!in.p || in.n < NONCE + TAG)
        return err_new(a, &err_sealed_unreadable, "%s: not a sealed value", purpose);
    char *out = arena_raw(a, in.n);
    if (!open_bytes(purpose, in, out))
        return err_new(a, &err_sealed_unreadable, "%s: wrong CRYPTO_SECRET, or damaged", purpose);
    *plain = out;
    return NULL;
}

static const char *encode(struct arena *a, const void *bytes, size_t n, const char *last, bool pad)
{
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const unsigned char *p = bytes;
    char *text = arena_raw(a, (n + 2) / 3 * 4 + 1), *to = text;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)p[i] << 16 | (have > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (have > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k < have + 1; k++) {
            unsigned six = v >> (18 - 6 * k) & 63;
            *to++ = six < 62 ? common[six] : last[six - 62];
        }
        for (size_t k = have; pad && k < 3; k++)
            *to++ = '=';
    }
    *to = '\0';
    return text;
}

const char *base64url(struct arena *a, const void *bytes, size_t n)
{
    return encode(a, bytes, n, "-_", false);
}

const char *base64_text(struct arena *a, const void *bytes, size_t n)
{
    return encode(a, bytes, n, "+/", true);
}

static int six_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

struct str base64_bytes(struct arena *a, struct str text)
{
    char *out = arena_raw(a, text.n / 4 * 3 + 4);
    size_t n = 0;
    unsigned v = 0, bits = 0;
    text = str_trim(text);
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        if (strchr(" \t\r\n", text.p[i]) && text.p[i])
            continue;
        int six = six_bits(text.p[i]);
        if (six < 0)
            return (struct str){0};
        v = v << 6 | (unsigned)six;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(v >> bits);
        }
    }
    return bits < 6 ? (struct str){out, n} : (struct str){0}; // a lone character says nothing
}
