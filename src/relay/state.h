// The state of one relay, shared by the files that tell its life (relay.c is where to begin).

#pragma once
#include "common/http/client.h"
#include "common/http/server.h"
#include "common/json_edit.h"
#include "common/lane.h"
#include "relay/channel/provider.h"
#include "relay/chat.h"
#include "relay/relay.h"
#include "service/choice.h"
#include "service/directory.h"
#include "service/keep.h"
#include "service/snapshot.h"

enum relay_step {
    RELAY_ADMIT,
    RELAY_LIMIT,
    RELAY_RESERVE,
    RELAY_CHOOSE,
    RELAY_SEND,
    RELAY_SETTLE,
    RELAY_END,
    RELAY_WAIT, // a callback will bring it back
};

// How the reply ended, as the log says.
enum relay_ending {
    ENDED_WELL,
    ENDED_CUT,
    ENDED_ERROR,
    ENDED_TIMEOUT,
    ENDED_CLIENT_GONE,
    ENDED_SHUTDOWN,
    ENDED_QUOTA
};

struct relay {
    struct job job; // first, so a job is its relay
    struct exchange *x;
    struct loop *loop;
    struct arena *arena;    // the exchange's
    struct arena *document; // the request as JSON, until nobody needs it any more
    struct arena *scratch;  // the loop's, emptied before every payload
    struct arena *joined;   // the loop's, emptied before every piece of the answer
    const struct relay_route *route;
    const struct snapshot *snapshot;
    enum relay_step step;

    // admit
    unsigned char digest[SHA256_SIZE];
    struct caller *caller;
    const char *ip;
    struct json_text body;
    struct chat_head head;
    const struct price *price;
    int64_t group_ratio;
    int64_t prompt_estimate;
    int64_t reserved, token_reserved; // of caller->user_account, ->token_account
    int64_t quota_estimate;
    int64_t token_estimate;      // of prompt and answer
    struct limit_ticket *limits; // NULL: none applies to the caller
    int64_t refused_count;       // so many refusals does this row stand for; 0: one
    int awaits[LIMIT_UNITS];     // of what Redis knows of limits
    bool quiet;                  // refused for a limit, as others just before: not written down

    // kept.c: the reply that is asked for or followed
    const struct kept *kept; // NULL: none, or not found yet
    bool items_recalled;     // those that were named are in the request, as far as they are here
    bool items_sought;       // where those are that are not here is known, or nobody knows it
    size_t recalled_bytes;   // of the replies that they were in
    const char *kept_id;     // its id; MODE_KEPT
    struct str kept_query;   // of MODE_KEPT: as asked
    enum kept_action { KEPT_SHOW, KEPT_DELETE, KEPT_CANCEL, KEPT_INPUT } kept_action;
    struct buf keep;  // the object of this answer, if it is to be kept here
    uint64_t session; // of this conversation; 0: none is said

    // choose
    const struct candidates *candidates;
    struct tried *tried; // NULL: nothing has failed yet
    struct choice choice;
    struct limit_ticket *channel_limits; // of this attempt; NULL: the channel has none
    int attempts;
    const char *sent_model;
    bool unsuited;   // a channel was passed over because it cannot do this mode
    bool own_answer; // `out` is all of it: no upstream was asked

    // send
    struct attempt attempt;
    struct call *call;              // of this attempt
    bool calling;                   // it has not ended
    bool refused;                   // its status is no success: the body is an error
    bool on_worker;                 // this relay is in a worker's hands: nobody else touches it
    struct deadline deadline;       // of silence; then for an upstream that does not end after its
                                    // last word
    bool silent;                    // nothing was written since it was last set
    void (*first)(struct relay *r); // what it waits for before it can be sent: hands itself over
    bool state_asked;               // signed.c: what was kept is in the request
    struct signing *signing;        // ... and what this reply gives to keep
    struct media *media;            // media.c: of this attempt, fetched
    bool translated;                // caller and provider speak different dialects
    bool parsed;
    struct chat_request request;
    struct chat_target target;
    struct chat_reader reader;
    struct chat_writer writer;
    bool streaming; // this answer comes in frames
    const struct framing *framing;
    bool hide_usage; // the client did not ask for the usage frame that we asked for
    struct buf in;   // of the upstream, as received
    struct cutter cutter;
    size_t searched,
        sign_at;     // of `in`: how far signs were looked for; the first one, SIZE_MAX none
    struct buf out;  // translated, not yet written
    struct buf text; // what the model said, for counting when it must be
    struct buf dropped;
    struct chat_reader gatherer; // reads for their text the frames that only passed through
    size_t written;              // bytes of `in` handed to the client
    bool spoken;                 // a frame with something in it has come
    int64_t frames, received;
    int64_t covered;      // tokens of output that the reservation reaches to
    int64_t quota_wanted; // more of it, which a worker must fetch
    bool answered;        // bytes have reached the client: too late for another channel
    bool paused;

    // settle
    struct err *failed;
    struct chat_error upstream_error; // what the provider said, if it did
    enum relay_ending ending;
    struct chat_usage usage;
    enum { SETTLE_COUNT, SETTLE_PRICE, SETTLE_WRITE } settling;
    bool counted;             // some of the usage was counted by us
    int64_t used[TRIED_MOST]; // channels asked, in order
    int used_count;
    int64_t quota, token_quota, shortfall;
    const struct err_kind *unasked; // why a balance could not be asked for the rest of the price
    bool gone;                      // the client left
    bool settled;                   // in the journal, or nothing to be billed
    int64_t first_ms;               // clock_steady_ms of the first byte of the answer
    struct relay *next, *prev;      // of those running on this loop
};

// A conversation: it has a dialect that can be translated.
static inline bool relay_is_chat(const struct relay *r)
{
    return r->route->mode == MODE_CHAT || r->route->mode == MODE_RESPONSES;
}

static inline bool relay_is_free(const struct relay *r)
{
    return r->route->mode == MODE_TOKENS || r->route->mode == MODE_KEPT;
}

// Another channel may be able to: nobody was asked.
static inline bool relay_unsuited(const struct err *e)
{
    return e->kind == &err_mode_unsupported || e->kind == &err_state_unsupported;
}

// relay.c
struct db_pool *relay_pool(void);
void relay_go(struct relay *r, enum relay_step step);
void relay_on_worker(struct relay *r, void (*work)(struct job *job)); // then on to r->step
void relay_await(struct relay *r);               // the same when somebody posts r->job
void relay_fail(struct relay *r, struct err *e); // an attempt or the whole relay, from a callback

// admit.c
enum relay_step relay_admit(struct relay *r);
enum relay_step relay_reserve(struct relay *r);
struct err *relay_identify(struct relay *r,
                           bool *missing); // key -> caller; *missing: not in memory
void relay_load_caller(struct job *job);
bool relay_cover(struct relay *r, int64_t quota); // reserves more in memory; false: a worker must
void relay_cover_on_worker(struct job *job);      // r->quota_wanted, from the balances; r->failed

// kept.c: replies that later requests refer to
bool relay_must_recall(struct relay *r);    // another reply is named: first relay_recall
void relay_recall(struct job *job);         // on a worker: r->kept, or all of r->own_answer
void relay_read_kept_path(struct relay *r); // MODE_KEPT: which one, and what of it
const char *relay_kept_method(const struct relay *r);
const char *relay_kept_tail(struct relay *r); // of its address at its provider
bool relay_pinned(const struct relay *r);     // its provider keeps it: only that channel can serve
bool relay_choose_pinned(struct relay *r);    // false: it is gone, or has been tried
bool relay_keeps_here(const struct relay *r); // this answer is to be kept by us
void relay_keep(struct relay *r);             // it is complete: whoever keeps it, its id is noted

// upstream.c
struct err *relay_prepare(struct relay *r); // the attempt and its call, ready to start
struct err *relay_parse(struct relay *r);   // the caller's request, once
void relay_drop_document(struct relay *r);  // unless it was parsed; another attempt reads it again
void relay_attempt_failed(struct relay *r, const struct err *e); // health, exclusion
struct err *relay_said_error(struct relay *r);     // what a failure inside an answer means
struct err *relay_upstream_error(struct relay *r); // what a status that is no success means

// signed.c: state of thinking that the caller cannot carry
void relay_note_state(struct relay *r, const struct chat_event *ev); // of the reply
void relay_recall_state(struct relay *r); // into the request; sets r->first when it must be found

// media.c: what stands at addresses in the request, where its provider wants the bytes. Sets
// r->first when it must be fetched; called again when it is there.
struct err *relay_media(struct relay *r);

// answer.c: from upstream bytes to client bytes
void relay_answer_begin(struct relay *r);                  // a good status has come
void relay_answer_take(struct relay *r, struct str bytes); // some of it
struct err *relay_answer_feed(struct relay *r, bool last); // reads what was taken
void relay_answer_flush(struct relay *r);                  // what may be written is
bool relay_answer_may_live(const struct relay *r);         // is a sign of life wanted, and known?
void relay_answer_live(struct relay *r);                   // gives one
void relay_answer_finish(struct relay *r); // the same, and a head even without a body
void relay_answer_gather(struct relay *r); // into r->text what was only forwarded
void relay_answer_release(struct relay *r);

// settle.c
void relay_settle_setup(void);
enum relay_step relay_settle(struct relay *r);

// models.c
struct err *relay_models(struct relay *r); // the answer, into r->out

// tokens.c
bool relay_counts_itself(struct relay *r); // MODE_TOKENS, and this channel's provider cannot tell
void relay_count_tokens(struct job *job);  // on a worker: the answer, into r->out

// limits.c: how much may be asked for
enum { LIMIT_HEADERS = 6 };
enum relay_step relay_limit_address(struct relay *r); // RELAY_ADMIT: go on
enum relay_step relay_limit(struct relay *r);
bool relay_limit_channel(struct relay *r); // r->choice; false: it has just filled up
bool relay_limit_pinned(struct relay *r);  // the same, where no other can serve; r->choice.full
enum relay_step relay_limit_channels(struct relay *r);  // all are full
void relay_limit_done(struct relay *r, int64_t tokens); // so many were used
size_t relay_limit_headers(const struct relay *r, struct http_header to[LIMIT_HEADERS]);

// refuse.c
void relay_refuse_said(const struct relay *r, const struct err *e); // the relay's own failure
void relay_error_words(struct arena *a, const struct dialect *speaks, const struct err *e,
                       const struct chat_error *upstream, struct chat_error *out);

// count.c: tokens, where no upstream said how many
int64_t count_prompt(const struct chat_request *request, const char *model);
int64_t count_text(struct str text, const char *model);
