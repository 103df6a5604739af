// The address and the headers of an attempt are the same for most requests with the same key: they
// are worked out once and kept with the snapshot that they follow from.

#pragma once
#include <stdbool.h>

struct relay;

// Fills in r->call's URL and headers; false when they must be worked out.
bool prepared_use(struct relay *r);
// Keeps what was worked out, for the next ones.
void prepared_keep(struct relay *r);
