// Inside the Gemini dialect; facts from gemini.md (SDK types and recordings).

#pragma once
#include "relay/chat.h"

enum { GEMINI_NAME_MAX = 64, GEMINI_STOPS_MAX = 5 };

enum gemini_thinking { THINKS_NOT, THINKS_BUDGET, THINKS_LEVEL };

// What a model family takes (gemini.md 3, 4, 14).
struct gemini_model {
    const char *begin, *has; // of the name, and somewhere in it; longer ones stand first
    enum gemini_thinking thinking;
    int64_t least, most;  // of a budget
    bool off;             // thinking can be switched off
    bool minimal, medium; // knows these levels
    bool json_schema;     // takes JSON Schema; else the OpenAPI subset
    bool json_with_tools; // structured output beside functions
    bool signatures;      // refuses a call of its own without its signature
    bool rich_results;    // pictures inside a function's response
    bool addresses;       // reads web addresses itself
    bool no_system;
};
const struct gemini_model *gemini_model(const char *name);

// How a wanted answer format is had from this model: both directions must agree.
enum gemini_format { GEMINI_FORMAT_NONE, GEMINI_FORMAT_NATIVE, GEMINI_FORMAT_PROMPT };
enum gemini_format gemini_format(const struct chat_request *in, const struct chat_target *to);

// Members are written in camel case, and accepted in snake case too.
yyjson_val *gemini_at(yyjson_val *object, const char *camel);
struct str gemini_text(yyjson_val *object, const char *camel);
// The name under which this object has the member.
const char *gemini_name(struct arena *a, yyjson_val *object, const char *camel);
// countTokens wraps a whole request.
yyjson_val *gemini_body(yyjson_val *body);

struct err *gemini_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *gemini_parse_config(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *gemini_parse_tools(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *gemini_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out);
struct err *gemini_read_frame(struct chat_reader *r, const struct frame *f);
struct err *gemini_read_whole(struct chat_reader *r, yyjson_val *body);
struct err *gemini_read_end(struct chat_reader *r);
bool gemini_read_error(yyjson_val *body, struct chat_error *out);
void gemini_write_error(struct buf *out, const struct chat_error *e, const char *request_id);
struct err *gemini_write_event(struct chat_writer *w, const struct chat_event *ev);
void gemini_write_answer(struct chat_writer *w, const struct chat_answer *answer);
