// Inside the OpenAI chat dialect; facts from the API reference (openai.md) and recordings.

#pragma once
#include "relay/chat.h"

enum { OPENAI_NAME_MAX = 64, OPENAI_ID_MAX = 40 };

struct err *openai_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out);
struct err *openai_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out);
struct err *openai_read_frame(struct chat_reader *r, const struct frame *f);
struct err *openai_read_whole(struct chat_reader *r, yyjson_val *body);
bool openai_skim_whole(struct chat_reader *r, yyjson_val *body);
struct err *openai_read_end(struct chat_reader *r);
bool openai_read_error(yyjson_val *body, struct chat_error *out);
// A member that is a failure: not null, false or empty.
yyjson_val *openai_error_in(yyjson_val *body);
struct err *openai_write_event(struct chat_writer *w, const struct chat_event *ev);
void openai_write_answer(struct chat_writer *w, const struct chat_answer *answer);

// Parts that Responses has in the same form.
void openai_read_text(struct arena *a, yyjson_val *in, struct chat_part *p);
void openai_read_audio(struct arena *a, yyjson_val *in, struct chat_part *p);

// What OpenAI's own model families refuse (openai.md 1.7).
struct openai_family {
    const char *begin;  // of the model's name; longer ones stand first
    bool reasons;       // knows reasoning_effort
    bool none;          // ... and the effort "none", in which case sampling is allowed
    bool samples;       // takes temperature and the like while nothing is said about effort
    bool minimal, high; // knows the efforts "minimal" and "xhigh"
};
const struct openai_family *openai_family(const char *model);

// The nearest effort that a family has.
const char *openai_family_effort(const struct openai_family *f, enum effort e);
// Ids of users are longer elsewhere than OpenAI takes.
const char *openai_user(struct arena *a, const char *user);
// "service_tier" where it is OpenAI's own and has that tier; another wish than the usual is noted.
void openai_write_tier(struct json *j, const struct chat_request *in, const struct chat_target *to);

// "tool_choice" and "parallel_tool_calls"; a named function stands one level deeper in a chat
// (`nested`) than in Responses.
struct name_map;
void openai_write_choice(struct json *j, struct arena *a, const struct chat_request *in,
                         const struct name_map *names, bool nested);

extern const char *const effort_names[]; // by enum effort; NULL for EFFORT_UNSAID
enum effort effort_by_name(const char *name);
enum effort effort_of_budget(int64_t tokens);
// What was asked for, in whichever form; EFFORT_UNSAID if nothing was.
enum effort effort_of(const struct chat_request *in);
