// A journal frame's payload: one row, by its field table.

#pragma once
#include "common/buf.h"
#include "common/field.h"

struct arena;

enum { FRAME_HEAD = 8, FRAME_MAX = 1 << 20, JOURNAL_FIELDS = 64 };

enum { PAYLOAD_SCHEMA = 1, PAYLOAD_ROW = 2 };

// A whole frame, head and payload.
void codec_schema(struct buf *out, const struct field *fields);
void codec_row(struct buf *out, const struct field *fields, const void *row, int64_t token_quota);

// Which of our fields each value of a segment's records belongs to; NULL: we know it no more.
struct codec_schema {
    const struct field *fields[JOURNAL_FIELDS];
    enum field_type types[JOURNAL_FIELDS];
    int count;
};

// How long the frame at the beginning of `bytes` is; 0: not a frame (too short, wrong checksum).
size_t codec_frame(struct str bytes, struct str *payload);
bool codec_read_schema(struct str payload, const struct field *fields, struct codec_schema *out);
bool codec_read_row(struct arena *a, struct str payload, const struct codec_schema *schema,
                    const struct field *fields, void *row, int64_t *token_quota);
