// Inside the Anthropic messages dialect; facts from anthropic.md (SDK types and recordings).

#pragma once
#include "relay/chat.h"

enum { CLAUDE_NAME_MAX = 128, CLAUDE_ID_MAX = 64, CLAUDE_MARKERS_MAX = 4 };

// What a model family takes (anthropic.md 5, 9).
struct claude_model {
    const char *sign; // part of the name, after "claude-"; "$": the name ends here
    int64_t max_output;
    bool samples;      // temperature and the like; newer ones refuse them
    bool both_samples; // temperature and top_p together
    bool budget, adaptive;
    bool schema;                   // output_config.format
    bool no_force;                 // refuses a forced tool_choice
    bool prefill;                  // takes a last message of the assistant
    enum effort effort, no_effort; // the highest it knows; one below it that it does not
};
const struct claude_model *claude_model(const char *name);

// How a wanted answer format is had from this model: both directions must agree.
enum claude_format {
    CLAUDE_FORMAT_NONE,
    CLAUDE_FORMAT_NATIVE,
    CLAUDE_FORMAT_TOOL,
    CLAUDE_FORMAT_PROMPT
};
enum claude_format claude_format(const struct chat_request *in, const struct chat_target *to);
extern const char claude_format_tool[]; // the tool that stands for the format

bool claude_wants_thinking(const struct chat_request *in);
bool claude_signed(const struct chat_part *p); // thinking that Anthropic itself has signed

struct err *claude_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *claude_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out);
struct err *claude_read_frame(struct chat_reader *r, const struct frame *f);
struct err *claude_read_whole(struct chat_reader *r, yyjson_val *body);
bool claude_skim_whole(struct chat_reader *r, yyjson_val *body);
bool claude_read_error(yyjson_val *body, struct chat_error *out);
struct err *claude_write_event(struct chat_writer *w, const struct chat_event *ev);
void claude_write_answer(struct chat_writer *w, const struct chat_answer *answer);
