// Inside the OpenAI Responses dialect; facts from the API reference (openai.md 3) and recordings.

#pragma once
#include "relay/chat.h"

enum { RESPONSES_NAME_MAX = 128, RESPONSES_ID_MAX = 64, RESPONSES_OUTPUT_MIN = 16 };

struct err *responses_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *responses_write_request(struct arena *a, const struct chat_request *in,
                                    const struct chat_target *to, struct buf *out);
struct err *responses_read_frame(struct chat_reader *r, const struct frame *f);
struct err *responses_read_whole(struct chat_reader *r, yyjson_val *body);
// One name for a tool and the namespace it is in ("mcp__files__" and "read"; either may be NULL).
const char *responses_joined(struct arena *a, const char *space, const char *name);
bool responses_read_error(yyjson_val *body, struct chat_error *out);
struct err *responses_write_event(struct chat_writer *w, const struct chat_event *ev);
void responses_write_answer(struct chat_writer *w, const struct chat_answer *answer);
void responses_write_failure(struct chat_writer *w, const struct chat_error *e);
// What clients look for (Codex: to shorten, to wait, to give up), made from status and words.
struct str responses_error_code(const struct chat_error *e);
