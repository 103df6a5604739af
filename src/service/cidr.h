// Lists of addresses and CIDR blocks: which keys may be used from where, which proxies are trusted.

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct arena;

struct cidr {
    unsigned char address[16]; // IPv4 as ::ffff:a.b.c.d
    int bits;
};

struct cidr_list {
    struct cidr *items;
    int count;
};

// A line (or comma-separated item) each; err_field_invalid names the first bad one. The special
// word "private" stands for loopback, private and link-local ranges.
struct err *cidr_parse(struct arena *a, const char *text, struct cidr_list *out);
bool cidr_has(const struct cidr_list *list, const char *address); // malformed: false
