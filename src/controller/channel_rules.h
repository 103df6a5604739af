// What makes a channel acceptable beyond its fields' ranges.

#pragma once
#include "model/channel.h"

// "type" may be a provider's name: replaces it in the body by the number.
struct err *channel_read_type(struct arena *a, yyjson_val *body);

// Known type, URLs that are ones, mappings of texts that lead somewhere, header texts without line
// ends, at least one model. err_field_invalid or err_field_missing names the field.
struct err *channel_check(struct arena *a, const struct channel *c);

// The URL of a proxy as it is shown: "***" instead of its password.
const char *channel_masked(struct arena *a, const char *url);
// `*url` as it came back: the stored one if it is that, masked. A mask on anything else is
// err_field_invalid: whose password it stands for is not known.
struct err *channel_unmask(struct arena *a, const char *stored, const char **url);

// Blank lines and blanks around keys go away; a key that stands twice stands once.
const char *channel_clean_keys(struct arena *a, const char *keys);
