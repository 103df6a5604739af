// Reads a journal's segments, one record after the other, and steps over what is damaged.

#pragma once
#include <stdatomic.h>

#include "service/journal.h"
#include "service/journal_codec.h"

struct journal_reader {
    const char *folder;
    const struct field *fields;
    struct codec_schema ours; // of segments whose own schema is damaged

    int fd; // -1: none
    int64_t segment;
    struct codec_schema schema;
    char *ahead; // bytes of the segment from ahead_at on
    size_t ahead_n;
    int64_t ahead_at;
    _Atomic int64_t damaged;
};

void reader_init(struct journal_reader *r, const char *folder, const struct field *fields);
void reader_done(struct journal_reader *r);

struct record {
    void *row; // the caller's
    int64_t token_quota;
    bool found; // else there is none
};

// The next record before `end`, which is behind a whole record. An error (too many open files, the
// disk does not answer) leaves *at behind the last record that was read: ask again later.
struct err *reader_next(struct journal_reader *r, struct arena *a, struct journal_at *at,
                        struct journal_at end, struct record *out);

enum { SEGMENT_PATH = 1100 };
void segment_path(const char *folder, int64_t segment, char out[SEGMENT_PATH]);
