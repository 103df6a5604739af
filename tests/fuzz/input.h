// One fuzzing input: the text first, and behind it the bytes that choose among variants, so that a
// seed is a plain text.

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
    struct str text;
};

static inline struct input input_of(const uint8_t *bytes, size_t n)
{
    return (struct input){{n ? (const char *)bytes : "", n}};
}

// Takes the last byte; 0 when there is none.
static inline unsigned input_byte(struct input *in)
{
    return in->text.n ? (unsigned char)in->text.p[--in->text.n] : 0;
}

// A promise that must hold for every input.
#define HOLDS(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            input_broken(__FILE__, __LINE__, #what);                                               \
    } while (0)

_Noreturn void input_broken(const char *file, int line, const char *what);
