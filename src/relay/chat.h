// The one conversation every dialect is translated into and out of.
//
// A request is a list of messages made of parts. A reply is always a sequence of events, whether
// or not anybody is streaming:
//
//     START (BLOCK (TEXT | THINKING | SIGNATURE | ARGS | ...)* BLOCK_END)* STOP END
//
// with USAGE anywhere behind START. A complete upstream JSON becomes the same events; a complete
// client answer is collected from them. The canonical forms follow the conversion matrix,
// section 1.
//
// This header and everything under dialect/, framing/ and channel/ know JSON, bytes and events;
// never sockets, users, money or SQL.

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

struct arena;
struct dialect;

// What a provider's row says about the bodies it takes and gives; bits of chat_target.quirks.
enum quirk {
    NO_STREAM_USAGE = 1 << 0,   // refuses stream_options
    NO_SYSTEM_ROLE = 1 << 1,    // wants system text as a user turn
    NO_DEVELOPER_ROLE = 1 << 2, // knows "system" only
    THINK_TAGS = 1 << 3,        // reasoning may arrive inside <think>...</think>
    OLD_MAX_TOKENS = 1 << 4,    // knows max_tokens only
    NO_TOOLS = 1 << 5,
    KEEP_REASONING = 1 << 6,   // wants reasoning_content back in the history
    USAGE_EVERYWHERE = 1 << 7, // cumulative usage in every chunk
    NEEDS_BASE_URL = 1 << 8,   // no default: the channel must give one
    SYSTEM_FIRST = 1 << 9,     // refuses system text behind the first turn
    NO_EFFORT = 1 << 10,       // refuses reasoning_effort
    THINKING_SWITCH = 1 << 11, // thinking is switched by thinking:{type}
    CACHE_MARKERS = 1 << 12,   // takes cache_control in parts, as Anthropic does
    OPENAI_RULES = 1 << 13,    // OpenAI's own models: refuses what each family refuses
    STATELESS = 1 << 14,       // speaks Responses and keeps none: they are kept here
    NO_ADDRESSES = 1 << 15,    // looks at no picture that is elsewhere
};

enum relay_mode {
    MODE_CHAT,
    MODE_COMPLETION,
    MODE_EMBEDDING,
    MODE_RERANK,
    MODE_IMAGE,
    MODE_IMAGE_EDIT,
    MODE_SPEECH,
    MODE_TRANSCRIPTION,
    MODE_MODERATION,
    MODE_RESPONSES,
    MODE_MODELS,
    MODE_TOKENS,  // how many tokens a chat's request has
    MODE_KEPT,    // a reply that was kept: shown, deleted, cancelled, its input listed
    MODE_COMPACT, // a conversation of the Responses API made shorter
    MODE_COUNT
};

// --- requests -----------------------------------------------------------------

// What a relay must know before anything is translated. Strings live in the body's document.
struct chat_head {
    const char *model; // NULL if absent
    bool stream;
    bool wants_usage;     // a streaming client asked to see the usage
    int64_t max_output;   // tokens; 0 = not said
    int64_t choices;      // how many answers were asked for, at least 1
    const char *previous; // the reply that this one follows; NULL none
    bool keeps;           // the reply may be referred to later
    const char *session;  // what requests of one conversation, or one person, have in common
    bool array;           // streamed as the elements of one JSON array (Gemini without alt=sse)
};

enum chat_role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };

enum part_kind {
    PART_TEXT,
    PART_IMAGE,
    PART_AUDIO,
    PART_FILE,
    PART_TOOL_CALL,   // id, name, text = arguments as JSON text
    PART_TOOL_RESULT, // id = of the call, parts = content
    PART_THINKING,    // text, signature
    PART_REFUSAL,     // text
    PART_RAW,         // of a dialect nobody else knows: raw, owner
};

struct chat_part {
    struct chat_part *next;
    enum part_kind kind;
    struct str text;
    struct str url, data, mime, file_id; // media: a URL, or base64 bytes, or a reference
    const char *id, *name, *detail;
    struct str signature, redacted; // opaque state of the model's thinking, which is `owner`'s
    bool is_error;
    bool cited;                  // PART_FILE: what the answer takes from it is to be cited
    const char *cache_ttl;       // a cache marker stands behind this part: "5m", "1h"; NULL none
    struct chat_part *parts;     // PART_TOOL_RESULT
    yyjson_val *raw;             // as received, for writers of the same dialect
    const struct dialect *owner; // whose dialect `raw`, `signature` and `redacted` are
};

struct chat_message {
    struct chat_message *next;
    enum chat_role role;
    const char *name;
    struct chat_part *parts;
};

struct chat_tool {
    struct chat_tool *next;
    const char *name, *description;
    const char *space, *local; // of a tool in a namespace: where, and its name there
    yyjson_val *schema;        // NULL = no parameters
    bool strict, strict_said, custom;
    const char *cache_ttl;
    yyjson_val *raw;
    const struct dialect *owner;
    bool hosted; // run by the provider; never turned into a client's function
};

enum tool_choice { CHOICE_UNSAID, CHOICE_AUTO, CHOICE_NONE, CHOICE_ANY, CHOICE_NAMED };
enum answer_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };
enum effort {
    EFFORT_UNSAID,
    EFFORT_NONE,
    EFFORT_MINIMAL,
    EFFORT_LOW,
    EFFORT_MEDIUM,
    EFFORT_HIGH,
    EFFORT_XHIGH,
    EFFORT_MAX
};

struct chat_request {
    struct chat_head head;
    struct chat_part *system; // leading system prompts, one part each
    struct chat_message *messages;
    struct chat_tool *tools;
    enum tool_choice choice;
    const char *choice_name;
    int parallel; // -1 unsaid, 0 no, 1 yes

    bool has_temperature, has_top_p, has_top_k, has_seed, has_presence, has_frequency;
    double temperature, top_p, presence, frequency;
    int64_t top_k, seed;
    const char **stop; // NULL-terminated, NULL if none
    yyjson_val *logit_bias;
    int logprobs; // -1 unsaid, else top_logprobs

    enum effort effort;
    int64_t thinking_budget; // tokens; 0 = unsaid
    bool thinking_adaptive;
    const char *thinking_display; // "summarized", "omitted"; NULL unsaid
    enum answer_format format;
    const char *schema_name, *schema_description;
    yyjson_val *schema;
    bool schema_strict;

    const char *user, *tier, *cache_key, *verbosity;
    yyjson_val *metadata;
    const char *previous;        // the reply that is followed, whose conversation is part of this
    const char *kept;            // a member that means what the provider keeps: no other can follow
    bool old_functions;          // the caller knows functions and function_call, not tools
    yyjson_val *body;            // all of it, as received: members unknown to us ride along to a
    const struct dialect *owner; // provider of this dialect
};

// Who will read what is written.
struct chat_target {
    const char *model; // the upstream's name
    unsigned quirks;   // enum quirk
    bool stream;
    struct buf *dropped; // NULL, or receives "top_k,seed": what the target cannot be told
};
void chat_dropped(const struct chat_target *to, const char *what);
// Who asks and why; names those that were said and are not among `taken`.
enum chat_label { LABEL_USER = 1, LABEL_CACHE_KEY = 2, LABEL_METADATA = 4 };
void chat_drop_labels(const struct chat_request *in, const struct chat_target *to, unsigned taken);

// --- replies --------------------------------------------------------------------

struct chat_usage {
    int64_t prompt; // fresh input: neither read from nor written to a cache
    int64_t cache_read, cache_write_5m, cache_write_1h; // not part of prompt
    int64_t completion;                                 // all output, thinking too
    int64_t thinking;                                   // of it
    int64_t audio_in, audio_out, image_in;              // of prompt, of completion, of prompt
    bool known;                                         // a provider reported it, the output too
    bool prompt_known; // the input only, so far: Anthropic begins with it
};

enum chat_stop {
    STOP_END,
    STOP_SEQUENCE,
    STOP_LENGTH,
    STOP_TOOL,
    STOP_FILTER,
    STOP_REFUSAL,
    STOP_PAUSE,
    STOP_CONTEXT,
};

enum chat_event_type {
    CHAT_START,    // id, text = model, usage as far as known; once
    CHAT_BLOCK,    // index, kind (PART_TEXT, _THINKING, _TOOL_CALL, _REFUSAL, _RAW); id and name of
                   // a call; text = the JSON of a _RAW block, which only its `owner` understands
    CHAT_TEXT,     // index, text; for a refusal's block its text
    CHAT_THINKING, // index, text
    CHAT_SIGNATURE, // index, text; redacted: the block is opaque and has no text
    CHAT_ARGS,      // index, text = a piece of JSON
    CHAT_BLOCK_END, // index
    CHAT_USAGE,     // usage, cumulative: the last one counts
    CHAT_LOGPROBS,  // text = JSON array of OpenAI's token objects, for the open text block
    CHAT_CITATION,  // cite: where a piece of the open text block is from
    CHAT_STOP,      // reason, text = stop sequence if known; once per choice, all blocks are closed
    CHAT_FAILED,    // error: inside a stream that began well, or in the body of a 200
    CHAT_END,       // the provider's own terminator: nothing follows
};

struct chat_error {
    int status;
    struct str type, code, message; // the provider's words; .p NULL if absent
    int retry_after;                // seconds; 0: not said
};

// Where a piece of a text block is from. Texts that were not said have .p NULL.
struct chat_citation {
    int64_t start, end;    // the piece, in code points of the block
    struct str url, title; // the source; without an address it is one of the request's documents
    struct str id;         // the document's, as the provider was given it
    struct str quote;      // what the source says
};

// Per choice, blocks are sequential: an index is never reopened, and 0, 1, 2 ... follow each other.
struct chat_event {
    enum chat_event_type type;
    int index;
    enum part_kind kind;
    struct str id, name, text; // valid until the event has been handled
    bool redacted;
    const struct dialect *owner; // whose reply it is: of a _RAW block, of a signature
    int choice;                  // which of several answers; 0 mostly
    enum chat_stop reason;
    struct chat_usage usage;
    struct chat_error error;
    struct chat_citation cite;
};

// Receives the events of one reply, in order.
struct chat_sink {
    struct err *(*event)(void *self, const struct chat_event *ev);
    void *self;
};

// --- framings: cutting a byte stream into payloads ------------------------------

// One frame of a stream: `raw` is all its bytes with the terminator. A frame may be a comment
// (payload.p NULL).
struct frame {
    struct str raw, event, payload;
    bool failed;        // the framing itself says that this is a failure
    const char *broken; // NULL, or why these bytes are no frame: nothing behind them can be read
};

// Where we are in the bytes received so far.
struct cutter {
    size_t at;      // begin of the frame that is not complete yet
    size_t scanned; // how far its end has been looked for: no byte is searched twice
    struct {        // the framing's own notes about that frame, counted from `at`
        size_t line, event, event_n, payload, payload_n;
        unsigned pieces; // payload lines
        bool began, lines, after_cr;
    } seen;
};

struct framing {
    const char *name;
    const char *type; // the Content-Type that a provider is asked for
    // The next complete frame of `all`, which only ever grows behind c->at (bytes before it may be
    // dropped by the caller, who then lowers `at` and `scanned`). False: none yet. `last` says
    // that nothing more will come, so that an unterminated frame counts as complete. A payload
    // that is not contiguous (several data lines) is joined in the arena.
    bool (*next)(struct cutter *c, struct str all, bool last, struct arena *a, struct frame *out);
    // Passes over whole frames that end before `upto`, unread; how many of them said something, at
    // a glance. It may leave any of them to `next`. NULL: every frame must be looked into.
    int64_t (*pass)(struct cutter *c, struct str all, size_t upto);
};

extern const struct framing sse_framing;
extern const struct framing array_framing; // the elements of one JSON array
extern const struct framing aws_eventstream_framing;

// One message of that framing. `kind` is "event" or "exception", `type` which one.
void aws_eventstream_write(struct buf *out, const char *kind, const char *type, struct str payload);

// --- dialects: the meaning of payloads --------------------------------------------

// One of the answers being read: which block is open in it.
struct chat_choice {
    struct chat_choice *next;
    int number;
    int blocks;           // opened so far
    bool open;            // the last of them has not ended
    enum part_kind kind;  // of the open block
    bool stopped, called; // STOP was sent; a tool call was seen
    void *own;            // the dialect's, in `arena`
};

enum { CHAT_ITEMS_MOST = 16 };
struct chat_items { // the ids of what a reply is made of, as far as there is room
    const char *ids[CHAT_ITEMS_MOST];
    int count;
};

struct chat_reader { // upstream payloads -> events
    const struct dialect *dialect;
    struct arena *arena;   // lives as long as the reply: failures and ids go here
    struct arena *scratch; // emptied before every payload
    struct chat_sink sink;
    const struct chat_request *request; // what is being answered, to undo what write_request had to
    const struct chat_target *target;   // do (names, emulated formats); NULL when only metering
    struct str id;                      // of the reply
    struct chat_usage usage;            // merged so far
    bool started, ended, failed;        // START, END, FAILED was sent
    struct chat_choice *choices;
    struct chat_items *items; // NULL, or is filled: by a dialect whose callers name them later
    void *own;                // the dialect's, in `arena`
};

// What a complete answer is written from.
struct chat_answer {
    struct str id, model;
    struct chat_usage usage;
    struct answer_choice *choices; // by number
    size_t size;                   // bytes of text in it
};
struct answer_choice {
    struct answer_choice *next;
    int number;
    struct answer_part *parts, *last;
    bool stopped;
    enum chat_stop reason;
    struct str stop_text;
};
struct answer_part {
    struct answer_part *next;
    enum part_kind kind;
    const char *id, *name;
    struct buf text;      // text, thinking, refusal, arguments or raw JSON
    struct buf signature; // of thinking
    struct buf logprobs;  // items of the array, comma-separated
    struct answer_citation *citations, **citations_end; // of a text, in order
    bool redacted;
    const struct dialect *owner; // of raw JSON, of a signature
};

struct answer_citation {
    struct answer_citation *next;
    struct chat_citation cite;
};

struct chat_writer { // events -> a client's bytes
    const struct dialect *dialect;
    struct arena *arena;
    struct buf *out;
    const struct chat_request *request; // what is being answered; NULL is fine
    const char *model;                  // the name the client asked for; NULL: the upstream's
    const char *id;                     // for replies that have none of their own
    int64_t created;                    // unix seconds; 0: now
    int64_t began_ms;                   // clock_steady_ms of the question; 0: not known
    bool stream; // false: events are collected, CHAT_END writes one JSON document
    bool wants_usage;
    int64_t prompt_estimate;    // for dialects that tell the input's size before it is known
    int64_t passed;             // frames that went to the client untranslated, before a failure
    bool kept;                  // the answer says that it may be referred to
    struct buf *keep;           // NULL, or receives the object of the whole answer as well,
    const char *keep_id;        // which then has this id
    struct chat_answer *answer; // what was collected
    size_t answer_max;          // bytes; 0: 64 MiB
    void *own;                  // the dialect's, in `arena`
};

struct dialect {
    const char *name;
    const char *stream_type;  // Content-Type of a streamed answer
    const char *sign_of_life; // what says nothing between two frames of it; NULL: there is no such
    const char *id_header;    // in which its callers look for the request's id; NULL: x-request-id
    // A header in which an error's type is told too; NULL: there is none.
    const char *error_header;
    const char *(*error_type)(const struct chat_error *e);

    // Members of a request that mean nothing elsewhere, and must not be lost without a word
    // (NULL-terminated; NULL: none).
    const char *const *alone;

    // As spoken by a caller.
    struct err *(*read_head)(struct arena *a, yyjson_val *body, struct chat_head *out);
    // What stands in the address instead of the body: model, streaming. NULL: nothing does.
    struct err *(*read_path)(struct arena *a, struct str path, struct str query,
                             struct chat_head *out);
    struct err *(*parse_request)(struct arena *a, yyjson_val *body, struct chat_request *out);
    struct err *(*write_event)(struct chat_writer *w, const struct chat_event *ev);
    void (*write_answer)(struct chat_writer *w, const struct chat_answer *answer);
    // {"error": ...} as the body of an answer with that status.
    void (*write_error)(struct buf *out, const struct chat_error *e, const char *request_id);
    // The frame that ends a stream which cannot go on; never a normal end.
    void (*write_stream_error)(struct buf *out, const struct chat_error *e, const char *request_id);
    // The same, where it depends on what was written before. NULL: it does not.
    void (*write_failure)(struct chat_writer *w, const struct chat_error *e);

    // The answer to MODE_TOKENS. NULL: its callers cannot ask.
    void (*write_tokens)(struct buf *out, int64_t tokens);

    // As spoken by a provider.
    // Must what stands at the address of this part be sent itself, because the provider will not
    // look there? NULL: never.
    bool (*wants_bytes)(const struct chat_target *to, const struct chat_part *p);
    struct err *(*write_request)(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out);
    struct err *(*read_frame)(struct chat_reader *r, const struct frame *f);
    // Nothing more will come. Sends END where the dialect's own terminator may be missing although
    // the reply is complete; otherwise the reply was cut. NULL: the terminator never is.
    struct err *(*read_end)(struct chat_reader *r);
    struct err *(*read_whole)(struct chat_reader *r, yyjson_val *body);
    // The same for an answer that only passes through: takes its usage and ends, without events.
    // False where there is more to say (a failure, no usage): then it must be read. NULL: it must.
    bool (*skim_whole)(struct chat_reader *r, yyjson_val *body);
    // What a provider says when it refuses: false if this is not its error form.
    bool (*read_error)(yyjson_val *body, struct chat_error *out);

    // Frames that say something about usage, failure or the end contain one of these texts
    // (NULL-terminated, as find_nearest takes them); a meter that only reads along need not read
    // the others.
    const char *const *signs;
};

extern const struct dialect openai_dialect, claude_dialect, gemini_dialect, responses_dialect,
    bedrock_dialect, cohere_dialect;

// --- what a relay calls ---------------------------------------------------------------

// The request as `to` wants it; what only the caller's own dialect knows is named as dropped.
struct err *chat_write_request(struct arena *a, const struct dialect *dialect,
                               const struct chat_request *in, const struct chat_target *to,
                               struct buf *out);

// Bytes -> JSON -> dialect; err_upstream_failed when it is not JSON. Frames may be left out (see
// `signs`): then only usage, failure and end are told.
struct err *chat_read_frame(struct chat_reader *r, const struct frame *f);
struct err *chat_read_whole(struct chat_reader *r, struct str body);
struct err *chat_skim_whole(struct chat_reader *r, struct str body); // of an untranslated answer
// After the last byte of a stream. r->ended and r->failed both false afterwards: it was cut, and
// the client must be told so by write_stream_error.
struct err *chat_read_end(struct chat_reader *r);

// Streams the event, or collects it and writes the whole answer when it is CHAT_END. Writes nothing
// for CHAT_FAILED: that is the relay's to retry or to tell. err_upstream_too_large.
struct err *chat_write(struct chat_writer *w, const struct chat_event *ev);

// The end of a stream that was cut, however it is streamed: after chat_write, or (`passed`) after
// frames that were only forwarded.
void chat_write_stream_error(struct chat_writer *w, const struct chat_head *head,
                             const struct chat_error *e, const char *request_id);

// Does a request hold state of some provider's thinking that its client only carried? Such a
// request is translated even between equal dialects, which leaves out what is somebody else's.
bool chat_carries(yyjson_val *root);

// The words of our own failures, for write_error: `message` is shown to the caller.
struct chat_error chat_error_of(const struct err *e, const char *message);

// --- what dialects call ------------------------------------------------------------------

struct err *chat_json(struct chat_reader *r, struct str text, yyjson_val **out); // into scratch
struct err *chat_emit(struct chat_reader *r, struct chat_event ev);
struct err *chat_start(struct chat_reader *r, struct str id,
                       struct str model);                           // once; then nothing
struct chat_choice *chat_choice(struct chat_reader *r, int number); // NULL: beyond CHAT_CHOICES_MAX
enum { CHAT_CHOICES_MAX = 128 };

// A piece of text, thinking, refusal, signature or arguments. Text, thinking and refusal open their
// block when another kind is open; empty pieces do nothing.
struct err *chat_piece(struct chat_reader *r, struct chat_choice *c, enum part_kind kind,
                       struct str text);
struct err *chat_signature(struct chat_reader *r, struct chat_choice *c, struct str text,
                           bool redacted);
struct err *chat_call(struct chat_reader *r, struct chat_choice *c, struct str id, struct str name);
struct err *chat_arguments(struct chat_reader *r, struct chat_choice *c, struct str json);
struct err *chat_raw(struct chat_reader *r, struct chat_choice *c, struct str json);
// Of the open block; nothing when it is no text.
struct err *chat_cite(struct chat_reader *r, struct chat_choice *c,
                      const struct chat_citation *cite);
struct err *chat_close(struct chat_reader *r, struct chat_choice *c); // the open block, if any
struct err *chat_stop(struct chat_reader *r, struct chat_choice *c, enum chat_stop why,
                      struct str text);
// How many tokens a provider says. Nothing below 0 is a count; what is absurd stays so, but sums
// fit.
int64_t chat_count_at(yyjson_val *object, const char *key);
// Does it say something that can be? Servers send zeros until they know.
bool chat_usage_tells(const struct chat_usage *u);
struct err *chat_usage(struct chat_reader *r); // tells r->usage, and whether it is known
struct err *chat_failed(struct chat_reader *r, const struct chat_error *e);
struct err *chat_end(struct chat_reader *r); // END, once

// What a reply is called in the client's dialect: its own id under the dialect's prefix, or ours.
const char *chat_reply_id(struct chat_writer *w, struct str id, const char *prefix);
const char *chat_reply_model(struct chat_writer *w, struct str upstream);
