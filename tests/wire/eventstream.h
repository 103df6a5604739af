// AWS's binary event stream to and from lines of text. Written apart from the program's own codec,
// which the cases are to prove.

#pragma once
#include <stdbool.h>

#include "common/buf.h"

// "messageStop {...}" is an event, "!throttlingException {...}" an exception, "?code words" an
// error. `hex`: the bytes themselves, in hexadecimal. False: neither.
bool eventstream_bytes(struct str lines, bool hex, struct buf *out);
// The same lines; false unless every message is whole and has the right checksums and headers.
bool eventstream_text(struct str bytes, struct buf *out);
