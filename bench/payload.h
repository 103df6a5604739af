// What is sent to and fro: requests as SDKs make them, replies as providers make them.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_KEY "mock-upstream-key" // what the mock demands

enum dialect { OPENAI, CLAUDE, DIALECTS };

enum { PAYLOAD_FRAMES = 100, PAYLOAD_FRAME = 184, PAYLOAD_STAMP_DIGITS = 19 };

struct text {
    char *p;
    size_t n;
};

// Replies with their heads.
struct text payload_json(enum dialect dialect);
struct text payload_burst(enum dialect dialect, int frames);

// The parts of a paced reply, framed for HTTP. `stamp` is where a paced frame's time is written.
struct text payload_stream_head(enum dialect dialect);
struct text payload_frame(enum dialect dialect, size_t *stamp);
struct text payload_end(enum dialect dialect, int frames);
void payload_stamp(char *at, int64_t ns);

// How many events a reply of that many frames has, the closing ones included.
int payload_events(enum dialect dialect, int frames);

struct payload_request {
    enum dialect dialect;
    const char *model, *key, *path;
    bool stream;
    size_t body; // how long at least
    int port;
};

struct text payload_request(const struct payload_request *wish);
