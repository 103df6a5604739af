// JSON web tokens of one kind: HS256 with a fixed header, for our own eyes only.

#pragma once
#include "common/json.h"

struct arena;

enum { JWT_KEY_SIZE = 32, JWT_MAX = 4096 };

const char *jwt_sign(struct arena *a, const unsigned char key[JWT_KEY_SIZE], struct str payload);

// The payload's object; NULL when header, signature or form are not exactly ours, or it is expired
// ("exp", which must be there).
yyjson_val *jwt_verify(struct arena *a, const unsigned char key[JWT_KEY_SIZE], struct str token);
