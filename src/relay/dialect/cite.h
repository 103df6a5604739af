// Citations on their way between dialects: positions count code points here and at OpenAI's and
// Cohere's, bytes at Google's (conversion matrix 8.4).

#pragma once
#include "relay/chat.h"

int64_t text_points(struct str text);                // how many code points it has
size_t text_offset(struct str text, int64_t points); // in bytes, of that code point; at most all
struct str text_cut(struct str text, int64_t start, int64_t end); // by code points

// OpenAI's annotation: chat completions put its members one level deeper than Responses. False if
// it says nothing about a source.
bool cite_read(yyjson_val *annotation, struct chat_citation *out);
// `shift`: where the block begins in the text that the positions count in.
void cite_write_chat(struct json *j, const struct chat_citation *cite, int64_t shift);
void cite_write_responses(struct json *j, const char *key, const struct chat_citation *cite);

// "doc:2" is what the request's third document is called where documents need a name.
struct str cite_document_id(struct arena *a, int64_t index);
int64_t cite_document_index(struct str id); // 0 where it has another name

// Where a citation is of its whole block (Anthropic, Bedrock): they are gathered, and told when the
// block has ended and its size is known.
struct cited_block {
    int64_t points; // of its text
    int count;
    struct answer_citation *first, *last;
};
// Copies what `cite` says into the arena; beyond a bound it is left out.
void cited_add(struct arena *a, struct cited_block *b, const struct chat_citation *cite);
struct err *cited_tell(struct chat_reader *r, struct chat_choice *c, struct cited_block *b);
