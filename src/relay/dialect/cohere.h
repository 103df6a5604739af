// Inside Cohere's chat dialect (POST /v2/chat); facts from cohere.md (SDK types and recordings).

#pragma once
#include "relay/chat.h"

enum { COHERE_NAME_MAX = 64, COHERE_STOPS_MAX = 5 };

// What a model family takes (cohere.md 2).
struct cohere_model {
    const char *begin, *has; // of the name, and somewhere in it; longer ones stand first
    bool chooses;            // tool_choice
    bool thinks;             // thinking
};
const struct cohere_model *cohere_model(const char *name);

// How a wanted answer format is had: both directions must agree. Cohere refuses response_format
// beside tools and documents, and wants a schema's root to be an object that requires something.
enum cohere_format {
    COHERE_FORMAT_NONE,
    COHERE_FORMAT_SCHEMA,
    COHERE_FORMAT_JSON, // asked for in words, too: else the model may write white space for ever
    COHERE_FORMAT_PROMPT
};
enum cohere_format cohere_format(const struct chat_request *in);
// A file whose text is known becomes a document, which Cohere's models cite.
struct str cohere_document(struct arena *a, const struct chat_part *p); // .p NULL: it is none
bool cohere_has_documents(const struct chat_request *in);

struct err *cohere_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *cohere_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out);
struct err *cohere_read_frame(struct chat_reader *r, const struct frame *f);
struct err *cohere_read_end(struct chat_reader *r);
struct err *cohere_read_whole(struct chat_reader *r, yyjson_val *body);
struct err *cohere_write_event(struct chat_writer *w, const struct chat_event *ev);
void cohere_write_answer(struct chat_writer *w, const struct chat_answer *answer);
