// A journal frame's payload: one row, by its field table.
//
// A row's payload: its kind, the CRC-32C of the schema it was written by (so that a row can be read
// safely where the segment's own schema frame is damaged), token_quota, and the values in order.

#pragma once
#include "common/buf.h"
#include "common/field.h"

struct arena;

enum { FRAME_HEAD = 8, FRAME_MAX = 1 << 18, JOURNAL_FIELDS = 64 };

enum { PAYLOAD_SCHEMA = 1, PAYLOAD_ROW = 2 };

// A whole frame, head and payload, never larger than FRAME_HEAD + FRAME_MAX: of a row that would
// be, every text of more than a kilobyte is left out. The numbers always stay.
void codec_schema(struct buf *out, const struct field *fields);
void codec_row(struct buf *out, const struct field *fields, uint32_t print, const void *row,
               int64_t token_quota);
uint32_t codec_print(const struct field *fields); // what rows written by these fields carry

// Which of our fields each value of a segment's records belongs to; NULL: we know it no more.
struct codec_schema {
    const struct field *fields[JOURNAL_FIELDS];
    enum field_type types[JOURNAL_FIELDS];
    int count; // 0: no schema
    uint32_t print;
};

// How long the frame at the beginning of `bytes` is; 0: not a frame (too short, wrong checksum).
size_t codec_frame(struct str bytes, struct str *payload);
bool codec_is_schema(struct str payload);
bool codec_read_schema(struct str payload, const struct field *fields, struct codec_schema *out);
// False if the row was written by another schema, or is not one. Members without a value get their
// default; whole numbers fit into whatever width the member has now.
bool codec_read_row(struct arena *a, struct str payload, const struct codec_schema *schema,
                    const struct field *fields, void *row, int64_t *token_quota);
