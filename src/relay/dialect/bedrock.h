// Inside the Bedrock dialect: Converse and ConverseStream; facts from bedrock.md (SDK types and
// recordings).

#pragma once
#include "relay/dialect/claude.h"

enum {
    BEDROCK_NAME_MAX = 64,
    BEDROCK_ID_MAX = 64,
    BEDROCK_MARKERS_MAX = 4,
    BEDROCK_STOPS_MAX = 4,
};

enum bedrock_thinking {
    BEDROCK_THINKS_ITS_WAY, // or not at all: cannot be told
    BEDROCK_THINKS_CLAUDE,  // thinking, output_config.effort
    BEDROCK_THINKS_EFFORT,  // reasoning_effort
    BEDROCK_THINKS_QWEN,    // reasoning_config
    BEDROCK_THINKS_NOVA,    // reasoningConfig
};

// What a model family takes (bedrock.md 5).
struct bedrock_model {
    const char *sign; // part of the id; longer ones stand first
    enum bedrock_thinking thinking;
    bool caches;    // knows cachePoint
    bool schema;    // outputConfig.textFormat
    bool no_force;  // refuses any tool choice but auto
    bool alone;     // refuses anything beside the results of tools
    bool no_status; // refuses the status of a result
    bool short_ids; // of calls: nine letters and digits
    bool tags;      // may leave its thinking in the text, as <thinking>...</thinking>
};
const struct bedrock_model *bedrock_model(const char *id);
bool bedrock_is_claude(const struct bedrock_model *m);

// How a wanted answer format is had from this model: both directions must agree.
enum claude_format bedrock_format(const struct chat_request *in, const struct chat_target *to);

// Opaque bytes as they look to a caller: this dialect's own as they came; what is carried for
// others as text, or (redacted: such bytes are base64 here) as base64 of it.
const char *bedrock_state(struct arena *a, const struct dialect *owner, struct str state,
                          bool redacted);

// CountTokens wraps a whole request.
yyjson_val *bedrock_body(yyjson_val *body);
// The only member of a block that is no null: which kind it is. NULL if there is none.
const char *bedrock_kind(yyjson_val *block, yyjson_val **value);

struct err *bedrock_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *bedrock_write_request(struct arena *a, const struct chat_request *in,
                                  const struct chat_target *to, struct buf *out);
struct err *bedrock_read_frame(struct chat_reader *r, const struct frame *f);
struct err *bedrock_read_whole(struct chat_reader *r, yyjson_val *body);
struct err *bedrock_read_end(struct chat_reader *r);
struct err *bedrock_write_event(struct chat_writer *w, const struct chat_event *ev);
void bedrock_write_answer(struct chat_writer *w, const struct chat_answer *answer);

// bedrock_error.c
bool bedrock_read_error(yyjson_val *body, struct chat_error *out);
int bedrock_status(struct str exception); // of its name, in either case; 0: unknown
const char *bedrock_exception(const struct chat_error *e);
void bedrock_write_error(struct buf *out, const struct chat_error *e, const char *request_id);
void bedrock_write_stream_error(struct buf *out, const struct chat_error *e,
                                const char *request_id);
