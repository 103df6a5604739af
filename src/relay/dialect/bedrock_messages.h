// The conversation part of a Converse request.

#pragma once
#include "relay/dialect/bedrock.h"
#include "relay/dialect/names.h"

enum { BEDROCK_NAMES_KEPT = 16 };

struct bedrock_writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct bedrock_model *model;
    struct name_map *names;
    struct json j;
    struct chat_message *messages; // repaired
    enum claude_format format;
    bool own;                     // the caller speaks this dialect too
    bool no_calls;                // tools are declared for the history's sake only:
    const struct chat_tool *used; // those that it used
    int skip;      // cache points to leave out: the first ones beyond the allowed four
    int documents; // written so far: their names must differ
    const char *document_names[BEDROCK_NAMES_KEPT];
    int role;        // of the message that is open; -1 none
    bool said, file; // in it: a text; a document, which needs one beside it
    bool result;     // the latest block in it is a tool's result
};

// Thinking that Bedrock will take back: its own, or Anthropic's where the model is a Claude.
bool bedrock_signed(const struct chat_part *p);
bool bedrock_signed_claude(const struct chat_part *p);

void bedrock_write_messages(struct bedrock_writing *w);
void bedrock_write_system(struct bedrock_writing *w);
void bedrock_write_point(struct bedrock_writing *w, const char *ttl); // a cache point, if any
