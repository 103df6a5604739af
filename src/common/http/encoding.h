// Content codings: undoing gzip, deflate, br and zstd as bytes arrive, and compressing replies.

#pragma once
#include "common/buf.h"
#include "common/err.h"

struct arena;
struct decoder;

// For the value of a Content-Encoding header: at most two codings, undone last to first; *out is
// NULL when there is nothing to undo ("", "identity"). What it holds ends with the arena.
// err_encoding_unsupported.
//
// limit: decoded bytes (SIZE_MAX = none), checked as the output grows, so a bomb is cut at once.
struct err *decoder_new(struct arena *a, struct str content_encoding, size_t limit,
                        struct decoder **out);

// Takes decoded bytes, at most 16 KiB at a time; they are valid during the call. An error stops.
typedef struct err *decoder_sink(void *to, struct str bytes);

// Whatever can be decoded so far is handed over before this returns (streams are not held back).
// err_body_invalid (broken, or something follows the end), err_body_too_large, or the sink's own.
// After an error the decoder must not be fed again.
struct err *decoder_feed(struct decoder *d, struct str bytes, decoder_sink *sink, void *to);

// No more bytes come: err_body_invalid if the coding had not ended. No bytes at all are fine.
struct err *decoder_finish(const struct decoder *d);

// The coding to compress with for this Accept-Encoding: cheapest first ("zstd", "br", "gzip");
// NULL for none.
const char *encoding_choose(struct str accept_encoding);

// Compresses whole; false (and *out as before) if that failed or did not fit.
bool encoding_compress(const char *coding, struct str text, struct buf *out);
