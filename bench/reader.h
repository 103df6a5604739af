// Reads one HTTP/1.1 reply after another and counts what is in it, server-sent events included.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

enum { READER_HEAD = 4096, READER_TAIL = 64 };

enum reader_state {
    READER_AT_HEAD,
    READER_AT_LENGTH, // a body of known length
    READER_AT_SIZE,   // the line before a chunk
    READER_AT_CHUNK,
    READER_AT_CHUNK_END,
    READER_AT_TRAILER,
    READER_DONE,
    READER_BAD, // `why` says it
};

struct reader {
    enum reader_state state;
    int status;
    bool sse, keep_alive, line_empty;
    int64_t left;    // bytes of the body or of the chunk
    int64_t body;    // bytes of the body so far
    int64_t frames;  // events that are complete
    const char *why; // what is bad
    char *head;      // READER_HEAD bytes, from the owner; the beginning of the body afterwards
    size_t head_n;   // of `head`
    unsigned char tail[READER_TAIL]; // the last bytes of the body
    size_t tail_n;
};

// Ready for the next reply; `head` may be shared by readers whose heads arrive whole.
void reader_reset(struct reader *r);

// Takes bytes; answers how many were used (all, unless the reply ended or is bad).
// `lag`: gets now - stamp for each event that carries a stamp.
size_t reader_take(struct reader *r, const char *p, size_t n, int64_t now, struct histogram *lag);

// Whether the reply ended as its kind must: {...} or the last event of its dialect.
bool reader_whole(const struct reader *r);
