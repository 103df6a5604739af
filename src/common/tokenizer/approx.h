// Tokens of families whose tokenizer is not published, estimated from the classes of characters.
//
// An approximation, used only when an upstream gives no usage; approx.c says where the weights come
// from and how far off they are.

#pragma once
#include "common/str.h"

enum approx_family { APPROX_CLAUDE, APPROX_GEMINI, APPROX_OTHER, APPROX_FAMILIES };

// Zeroed, with the family set, to begin with.
struct approx {
    enum approx_family family;
    int64_t weight; // hundred thousandths of a token
    int unit;       // class of the character before, 0 at the beginning
    int64_t run;    // characters of that class in a row
    bool lower;     // it was a lower case letter
};

// Adds text that ends with a whole character.
void approx_add(struct approx *a, struct str text);

int64_t approx_tokens(const struct approx *a); // so far, rounded up
