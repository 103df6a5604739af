// The header is compared as bytes: there is no algorithm to choose, hence none to confuse.

#include "service/jwt.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/hash.h"

// {"alg":"HS256","typ":"JWT","kid":"1"}
#define HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ."

static const char *signature(struct arena *a, const unsigned char *key, struct str text)
{
    unsigned char mac[SHA256_SIZE];
    hash_hmac_sha256((struct str){(const char *)key, JWT_KEY_SIZE}, text, mac);
    return base64url(a, mac, sizeof(mac));
}

const char *jwt_sign(struct arena *a, const unsigned char key[JWT_KEY_SIZE], struct str payload)
{
    const char *text = arena_printf(a, HEADER "%s", base64url(a, payload.p, payload.n));
    return arena_printf(a, "%s.%s", text, signature(a, key, str_of(text)));
}

static bool signed_by(struct arena *a, const unsigned char *key, struct str text, struct str given)
{
    const char *right = signature(a, key, text);
    return strlen(right) == given.n && hash_same(right, given.p, given.n);
}

yyjson_val *jwt_verify(struct arena *a, const unsigned char key[JWT_KEY_SIZE], struct str token)
{
    if (token.n > JWT_MAX || !str_starts(token, HEADER))
        return NULL;
    struct str payload, mac = str_skip(token, sizeof(HEADER) - 1);
    if (!str_next(&mac, '.', &payload))
        return NULL;
    struct str text = {token.p, sizeof(HEADER) - 1 + payload.n};
    if (!signed_by(a, key, text, mac))
        return NULL;
    yyjson_val *root;
    payload = base64_bytes(a, payload);
    if (!payload.p || json_read(a, payload, &root) || json_no_duplicates(a, root))
        return NULL;
    return json_int_at(root, "exp", 0) > clock_now() ? root : NULL;
}
