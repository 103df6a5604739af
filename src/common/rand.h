// Random bytes and texts from the kernel.

#pragma once
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t n);

// n characters of [A-Za-z0-9], each equally likely, and a NUL: out holds n + 1.
void rand_text(char *out, size_t n);

// Evenly in [0, below), from a per-thread generator: for weights and jitter, never for secrets.
uint64_t rand_below(uint64_t below);
