// Changing a channel's row, with everything that hangs on it.

#pragma once
#include "middleware/http.h"
#include "model/channel.h"

// Stores what `c` has become of `before`: status rules, checks, row, abilities and a line in the
// log. Inside the caller's transaction; the caller publishes CHANGE_CHANNELS.
// err_field_invalid or err_field_missing names the field.
struct err *channel_change(struct http *x, const struct channel *before, struct channel *c);

// A line in the log: "Channel 7 (name) <what>".
struct err *channel_note(struct http *x, const struct channel *c, const char *what);
