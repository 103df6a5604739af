// getrandom for secrets, a small generator for dice.

#include "common/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *out, size_t n)
{
    unsigned char *p = out;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort(); // no entropy, no secrets: better down than guessable
        p += got;
        n -= (size_t)got;
    }
}

void rand_text(char *out, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { COUNT = sizeof(letters) - 1, FAIR = 256 - 256 % COUNT };
    for (size_t i = 0; i < n;) {
        unsigned char some[64];
        rand_bytes(some, sizeof(some));
        for (size_t k = 0; k < sizeof(some) && i < n; k++)
            if (some[k] < FAIR)
                out[i++] = letters[some[k] % COUNT];
    }
    out[n] = '\0';
}

// xorshift64*, seeded once per thread.
static uint64_t dice(void)
{
    static _Thread_local uint64_t state;
    while (!state)
        rand_bytes(&state, sizeof(state));
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}

uint64_t rand_below(uint64_t below)
{
    if (below < 2)
        return 0;
    uint64_t fair = UINT64_MAX - UINT64_MAX % below, v;
    do
        v = dice();
    while (v >= fair);
    return v % below;
}
