// From an upstream's bytes to a client's: forwarded as they are where both speak the same dialect,
// through events where they do not.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/find.h"
#include "common/rand.h"
#include "relay/state.h"
#include "service/metrics.h"

enum {
    NAME_MOST = 4096,       // of a model's name
    WHOLE_MOST = 64 << 20,  // of a complete answer
    STREAM_MOST = 64 << 20, // of one frame of a stream
    TEXT_MOST = 64 << 20,
    KEPT_MOST = 1 << 20, // forwarded bytes kept for counting before only their text is
    TOKENS_AHEAD = 1024, // covered by each extension of the reservation
    FRAME_USUAL = 200,   // bytes of a frame that carries about one token
    GIVEN_FROM = 4096,   // bytes: less is cheaply copied
};

#define NO_SIGN SIZE_MAX

// --- what the events say --------------------------------------------------------------

static void keep_text(struct relay *r, struct str text)
{
    buf_str(&r->text, text);
}

// Of a stream that only passes through, the text is gathered when it must be counted.
static bool reads_all(const struct relay *r)
{
    return r->translated || !r->streaming;
}

static void take_error(struct relay *r, const struct chat_error *e)
{
    struct arena *a = r->arena;
    r->upstream_error = (struct chat_error){e->status, .retry_after = e->retry_after};
    if (e->type.p)
        r->upstream_error.type = str_of(arena_str(a, e->type));
    if (e->code.p)
        r->upstream_error.code = str_of(arena_str(a, e->code));
    if (e->message.p)
        r->upstream_error.message = str_of(arena_str(a, e->message));
}

static struct err *on_event(void *self, const struct chat_event *ev)
{
    struct relay *r = self;
    switch (ev->type) {
    case CHAT_BLOCK:
    case CHAT_TEXT:
    case CHAT_THINKING:
    case CHAT_ARGS:
        if (reads_all(r))
            keep_text(r, ev->type == CHAT_BLOCK ? ev->name : ev->text);
        break;
    case CHAT_FAILED: take_error(r, &ev->error); break;
    default: break;
    }
    if (!r->translated)
        return NULL;
    relay_note_state(r, ev);
    return chat_write(&r->writer, ev);
}

// --- beginning ------------------------------------------------------------------------

// What will be found by its id needs one that nobody else has, whatever the provider's is.
static void keep_it(struct relay *r)
{
    char made[33];
    rand_text(made, sizeof(made) - 1);
    r->writer.keep_id = arena_printf(r->arena, "resp_%s", made);
    r->writer.keep = &r->keep;
}

void relay_answer_begin(struct relay *r)
{
    struct str type = http_header(&r->call->headers_in, "content-type");
    const struct provider *p = r->attempt.provider;
    bool json = str_starts(type, "application/json");
    r->framing = json ? p->json_framing : p->framing;
    r->streaming = r->head.stream && r->framing;
    r->in.limit = r->streaming ? STREAM_MOST : WHOLE_MOST;
    r->text.limit = TEXT_MOST;
    r->cutter = (struct cutter){0};
    r->searched = 0;
    r->sign_at = NO_SIGN;
    r->reader = (struct chat_reader){
        .dialect = r->attempt.dialect,
        .arena = r->arena,
        .scratch = r->scratch,
        .sink = {on_event, r},
    };
    if (!r->translated) {
        if (r->route->mode == MODE_RESPONSES && r->head.keeps)
            r->reader.items = NEW(r->arena, struct chat_items);
        return;
    }
    r->reader.request = &r->request;
    r->reader.target = &r->target;
    r->out.limit = WHOLE_MOST;
    r->writer = (struct chat_writer){
        .dialect = r->route->speaks,
        .arena = r->arena,
        .out = &r->out,
        .request = &r->request,
        .model = r->head.model,
        .began_ms = r->x->began_ms,
        .stream = r->head.stream,
        .wants_usage = r->head.wants_usage,
        .prompt_estimate = r->prompt_estimate,
        .kept = r->head.keeps && r->snapshot->settings.relay.kept_days,
    };
    r->keep.limit = WHOLE_MOST;
    if (relay_keeps_here(r))
        keep_it(r);
}

void relay_answer_release(struct relay *r)
{
    buf_free(&r->in);
    buf_free(&r->out);
    buf_free(&r->text);
    buf_free(&r->keep);
    buf_free(&r->dropped);
    buf_free(&r->attempt.headers);
}

// --- the client's side ------------------------------------------------------------------

static bool is_passed_on(struct str name)
{
    static const struct str beginnings[] = {
        {"x-ratelimit-", 12}, {"anthropic-ratelimit-", 20}, {"openai-processing-ms", 20}};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
        struct str b = beginnings[i];
        if (name.n >= b.n && !strncasecmp(name.p, b.p, b.n))
            return true;
    }
    return false;
}

static size_t passed_on(const struct relay *r, struct http_header *to, size_t most)
{
    const struct http_headers *in = &r->call->headers_in;
    size_t n = 0;
    for (size_t i = 0; i < in->count && n < most; i++)
        if (is_passed_on(in->items[i].name))
            to[n++] = in->items[i];
    return n;
}

static void give_head(struct relay *r, int64_t length)
{
    struct http_header headers[24 + LIMIT_HEADERS];
    struct str type = http_header(&r->call->headers_in, "content-type");
    size_t n = 0;
    if (r->translated || !type.n)
        type = str_of(r->head.stream && !r->head.array ? r->route->speaks->stream_type
                                                       : "application/json");
    headers[n++] = (struct http_header){STR("Content-Type"), type};
    if (r->head.stream) {
        headers[n++] = (struct http_header){STR("Cache-Control"), STR("no-cache")};
        headers[n++] = (struct http_header){STR("X-Accel-Buffering"), STR("no")};
    }
    if (r->route->speaks->id_header)
        headers[n++] =
            (struct http_header){str_of(r->route->speaks->id_header), str_of(r->x->request_id)};
    if (r->dropped.n)
        headers[n++] = (struct http_header){STR("x-token-factory-dropped"), buf_view(&r->dropped)};
    size_t ours = relay_limit_headers(r, headers + n);
    n += ours ? ours : passed_on(r, headers + n, 16);
    exchange_head(r->x, 200, headers, n, length);
}

// Does the client get it piece by piece?
static bool is_streamed(const struct relay *r)
{
    return r->streaming || (r->translated && r->head.stream);
}

bool relay_answer_may_live(const struct relay *r)
{
    return is_streamed(r) && !r->head.array && r->route->speaks->sign_of_life &&
           r->snapshot->settings.relay.silence_seconds;
}

// Between frames: only whole ones are written.
void relay_answer_live(struct relay *r)
{
    struct str sign = str_of(r->route->speaks->sign_of_life);
    if (!r->x->head_given)
        give_head(r, -1);
    r->answered = true;
    exchange_write(r->x, &sign, 1);
}

// Bytes of `b`, which is given away, and empty then, where `whole` of it may be.
static void write_out(struct relay *r, struct buf *b, size_t from, size_t to, bool whole)
{
    size_t n = to - from;
    if (!n || r->gone)
        return;
    if (!r->x->head_given)
        give_head(r, is_streamed(r) ? -1 : (int64_t)n);
    if (!r->first_ms)
        r->first_ms = clock_steady_ms();
    r->answered = true;
    r->silent = false;
    struct str bytes = {b->p + from, n};
    if (whole && n >= GIVEN_FROM) {
        b->n = to;
        exchange_give(r->x, b, from);
    } else {
        exchange_write(r->x, &bytes, 1);
    }
    buf_free(&r->attempt.headers); // no other attempt will come: a long stream need not hold it
    relay_drop_document(r);
}

// Forwarded bytes are kept for counting, but not for ever.
static void forget_passed(struct relay *r);

void relay_answer_flush(struct relay *r)
{
    if (r->translated) {
        write_out(r, &r->out, 0, r->out.n, true);
        buf_clear(&r->out);
        return;
    }
    size_t to = r->streaming ? r->cutter.at : r->in.n;
    write_out(r, &r->in, r->written, to, r->settled); // after that nobody counts
    r->written = to;
    if (!r->in.n)
        r->cutter.at = r->cutter.scanned = r->written = 0;
    else if (r->written > KEPT_MOST)
        forget_passed(r);
}

void relay_answer_finish(struct relay *r)
{
    relay_answer_flush(r);
    if (!r->x->head_given) {
        give_head(r, 0);
        r->first_ms = clock_steady_ms();
    }
}

// --- the text of frames that only passed through ------------------------------------------

static struct err *on_passed_event(void *self, const struct chat_event *ev)
{
    struct relay *r = self;
    if (ev->type == CHAT_TEXT || ev->type == CHAT_THINKING || ev->type == CHAT_ARGS)
        keep_text(r, ev->text);
    if (ev->type == CHAT_BLOCK)
        keep_text(r, ev->name);
    return NULL;
}

// Reads the whole frames that were only forwarded, for their text.
void relay_answer_gather(struct relay *r)
{
    if (reads_all(r))
        return;
    struct cutter c = {0};
    struct frame f;
    if (!r->gatherer.dialect)
        r->gatherer = (struct chat_reader){.dialect = r->reader.dialect,
                                           .arena = r->arena,
                                           .scratch = r->scratch,
                                           .sink = {on_passed_event, r}};
    arena_reset(r->joined);
    while (r->framing->next(&c, (struct str){r->in.p, r->cutter.at}, false, r->joined, &f)) {
        if (f.payload.p && chat_read_frame(&r->gatherer, &f))
            break; // not for the books: what it said so far counts
    }
}

static void forget_passed(struct relay *r)
{
    relay_answer_gather(r);
    buf_drop(&r->in, r->written);
    r->cutter.at -= r->written;
    r->cutter.scanned -= r->written;
    r->searched = r->searched > r->written ? r->searched - r->written : 0;
    if (r->sign_at != NO_SIGN)
        r->sign_at -= r->written;
    r->written = 0;
}

// --- feeding ------------------------------------------------------------------------------

// Where the first sign stands that has not been dealt with; every byte is searched once.
static void look_for_sign(struct relay *r)
{
    struct str signs[FIND_MOST], fresh = str_skip(buf_view(&r->in), r->searched);
    size_t count = 0;
    if (r->sign_at != NO_SIGN)
        return;
    for (const char *const *sign = r->reader.dialect->signs; *sign && count < FIND_MOST; sign++)
        signs[count++] = str_of(*sign);
    size_t nearest = find_nearest(fresh, signs, count);
    if (nearest < fresh.n)
        r->sign_at = r->searched + nearest;
    else if (r->in.n > r->searched + FIND_LONGEST)
        r->searched = r->in.n - FIND_LONGEST;
}

static void forget_sign(struct relay *r)
{
    r->sign_at = NO_SIGN;
    r->searched = r->cutter.at;
}

// OpenAI's last chunk when usage is asked for: no choices, only the sum.
static bool is_usage_only(struct relay *r, const struct frame *f)
{
    yyjson_val *root = NULL;
    if (!memmem(f->payload.p, f->payload.n, "\"usage\"", 7) ||
        json_read(r->scratch, f->payload, &root))
        return false;
    yyjson_val *choices = yyjson_obj_get(root, "choices");
    return yyjson_is_arr(choices) && yyjson_arr_size(choices) == 0 &&
           yyjson_is_obj(yyjson_obj_get(root, "usage"));
}

// Takes the frame out of what will be forwarded.
static void hide(struct relay *r, const struct frame *f)
{
    size_t from = (size_t)(f->raw.p - r->in.p), n = f->raw.n;
    memmove(r->in.p + from, r->in.p + from + n, r->in.n - from - n + 1);
    r->in.n -= n;
    r->cutter.at -= n;
    r->cutter.scanned -= n;
}

// Claude Code keeps a model's thinking only if the reply says that it is of the model it asked for,
// and a provider's tool loops need it: that name is ours to give where it was mapped.
static bool is_renamed(const struct relay *r)
{
    return !r->translated && r->reader.dialect == &claude_dialect && relay_is_chat(r) &&
           strcmp(r->sent_model, r->head.model) != 0;
}

// The name upstream stands once in this frame, where it says what begins.
static void rename_model(struct relay *r, const struct frame *f)
{
    BUF_HERE(was, NAME_MOST);
    BUF_HERE(now, NAME_MOST);
    json_quote(&was, str_of(r->sent_model));
    json_quote(&now, str_of(r->head.model));
    const char *found = memmem(f->raw.p, f->raw.n, was.p, was.n);
    if (!found || r->in.n + now.n > r->in.limit)
        return;
    size_t from = (size_t)(f->raw.p - r->in.p), at = (size_t)(found - f->raw.p);
    if (now.n > was.n)
        buf_room(&r->in, now.n - was.n);
    char *place = r->in.p + from + at;
    memmove(place + now.n, place + was.n, r->in.n - from - at - was.n + 1);
    memcpy(place, now.p, now.n);
    r->in.n = r->in.n + now.n - was.n;
    r->cutter.at = r->cutter.at + now.n - was.n;
    r->cutter.scanned = r->cutter.scanned + now.n - was.n;
}

static struct err *rename_whole(struct relay *r)
{
    struct json_text text;
    struct str pieces[CALL_PIECES];
    BUF_HERE(name, NAME_MOST);
    json_quote(&name, str_of(r->head.model));
    struct json_edit edit = {"model", buf_view(&name)};
    TRY(json_text_read(r->scratch, buf_view(&r->in), &text));
    size_t count = json_text_edit(r->scratch, &text, &edit, 1, pieces, CALL_PIECES);
    struct buf all = BUF(r->in.limit);
    for (size_t i = 0; i < count; i++)
        buf_str(&all, pieces[i]);
    buf_free(&r->in);
    r->in = all;
    return NULL;
}

static struct err *take_frame(struct relay *r, const struct frame *f)
{
    if (!f->payload.p)
        return NULL; // a comment: forwarded, or dropped in translation
    bool read = r->translated || f->failed || f->broken ||
                r->sign_at < r->cutter.at; // the frame ends there
    struct err *e = read ? chat_read_frame(&r->reader, f) : NULL;
    if (e || r->reader.failed) { // what came before may be passed on, this may not
        r->cutter.at = (size_t)(f->raw.p - r->in.p);
        return e;
    }
    r->spoken = true;
    r->frames++;
    if (r->translated || !read)
        return NULL;
    if (r->hide_usage && is_usage_only(r, f))
        hide(r, f);
    if (is_renamed(r) && r->frames == 1)
        rename_model(r, f);
    forget_sign(r);
    look_for_sign(r);
    return NULL;
}

// Frames that are only passed on need not be cut apart: up to the next sign, whole ones go by.
static void pass_over(struct relay *r)
{
    bool over = r->reader.ended || r->reader.failed;
    if (!over && !r->translated && r->frames && r->framing->pass)
        r->frames += r->framing->pass(&r->cutter, buf_view(&r->in), r->sign_at);
}

static struct err *read_frames(struct relay *r, bool last)
{
    struct frame f;
    pass_over(r);
    while (!r->reader.ended && !r->reader.failed &&
           r->framing->next(&r->cutter, buf_view(&r->in), last, r->joined, &f)) {
        TRY(take_frame(r, &f));
        pass_over(r);
    }
    return r->reader.failed ? relay_said_error(r) : NULL;
}

// Nothing more will come. A frame that was not finished is one only if it makes the reply whole:
// else it was cut, and half of it must not be passed on.
static struct err *read_last(struct relay *r)
{
    size_t whole = r->cutter.at;
    struct err *e = read_frames(r, true);
    if (!e && !r->reader.ended)
        e = chat_read_end(&r->reader);
    if (!e && !r->reader.ended)
        e = err_new(r->arena, &err_upstream_truncated, "the stream ended before its end");
    if (e && !r->translated)
        r->cutter.at = whole;
    return e;
}

// Room for what this read may become; of a frame, text is the smaller part.
static void expect_as_much(struct relay *r)
{
    if (!r->out.cap && r->in.n < r->out.limit / 2)
        buf_room(&r->out, r->in.n * 2);
    if (!r->text.cap && r->in.n < r->text.limit)
        buf_room(&r->text, r->in.n / 4);
}

static struct err *feed_frames(struct relay *r, bool last)
{
    arena_reset(r->joined);
    if (!r->translated)
        look_for_sign(r);
    else
        expect_as_much(r);
    TRY(read_frames(r, false));
    if (last && !r->reader.ended)
        TRY(read_last(r));
    if (r->translated) { // what was read is not needed again
        buf_drop(&r->in, r->cutter.at);
        r->cutter.scanned -= r->cutter.at;
        r->cutter.at = 0;
    }
    return NULL;
}

static void usage_of_openai(struct relay *r, yyjson_val *root)
{
    yyjson_val *u = yyjson_obj_get(root, "usage");
    if (!yyjson_is_obj(u))
        return;
    bool newer = yyjson_obj_get(u, "input_tokens") != NULL; // as the Responses API names them
    yyjson_val *details =
        yyjson_obj_get(u, newer ? "input_tokens_details" : "prompt_tokens_details");
    int64_t prompt = chat_count_at(u, newer ? "input_tokens" : "prompt_tokens"),
            cached = chat_count_at(details, "cached_tokens"),
            completion = chat_count_at(u, newer ? "output_tokens" : "completion_tokens");
    r->reader.usage = (struct chat_usage){
        .prompt = prompt > cached ? prompt - cached : 0,
        .cache_read = cached < prompt ? cached : prompt,
        .completion = completion,
    };
    r->reader.usage.known = chat_usage_tells(&r->reader.usage);
}

// Embeddings and the like: JSON, with or without an OpenAI usage object.
static struct err *read_other(struct relay *r)
{
    yyjson_val *root;
    if (json_read(r->scratch, buf_view(&r->in), &root) || !yyjson_is_obj(root))
        return err_new(r->arena, &err_upstream_failed, "the answer is not JSON");
    if (yyjson_is_obj(yyjson_obj_get(root, "error")) && r->route->mode != MODE_KEPT)
        return err_new(r->arena, &err_upstream_failed, "error in a 200");
    usage_of_openai(r, root);
    yyjson_val *choice;
    size_t i, max;
    yyjson_arr_foreach(yyjson_obj_get(root, "choices"), i, max, choice)
        keep_text(r, json_str_at(choice, "text"));
    r->reader.ended = true;
    return NULL;
}

static struct err *feed_whole(struct relay *r)
{
    arena_reset(r->scratch);
    if (!relay_is_chat(r))
        return read_other(r);
    struct str body = buf_view(&r->in);
    TRY(r->translated ? chat_read_whole(&r->reader, body) : chat_skim_whole(&r->reader, body));
    if (r->reader.failed)
        return relay_said_error(r);
    return is_renamed(r) ? rename_whole(r) : NULL;
}

// Text tokens so far, roughly: a frame each, and what makes frames longer than usual.
static int64_t tokens_seen(const struct relay *r)
{
    int64_t long_bytes = r->received - r->frames * FRAME_USUAL;
    return r->frames + (long_bytes > 0 ? long_bytes / 4 : 0);
}

static int64_t ahead_quota(struct relay *r)
{
    struct price_usage u = {.completion = TOKENS_AHEAD};
    int64_t quota = 0;
    return r->price->per_call || price_quota(r->arena, r->price, r->group_ratio, &u, &quota)
               ? 0
               : quota;
}

static struct err *keep_covered(struct relay *r)
{
    int64_t seen = tokens_seen(r);
    if (seen < r->covered || relay_is_free(r))
        return NULL;
    int64_t quota = ahead_quota(r);
    r->covered = seen + TOKENS_AHEAD;
    if (!quota || relay_cover(r, quota))
        return NULL;
    r->quota_wanted = quota; // a worker looks into the balance; meanwhile nothing more is read
    return NULL;
}

// Pieces that were read together are kept together.
void relay_answer_take(struct relay *r, struct str bytes)
{
    size_t coming = r->call->coming;
    if (!r->in.cap && coming < r->in.limit)
        buf_room(&r->in, coming);
    buf_str(&r->in, bytes);
    r->received += (int64_t)bytes.n;
}

struct err *relay_answer_feed(struct relay *r, bool last)
{
    if (r->in.overflow)
        return err_new(r->arena, &err_upstream_too_large, "an answer of more than %zu bytes",
                       r->in.limit);
    if (!r->streaming)
        return last ? feed_whole(r) : NULL;
    TRY(feed_frames(r, last));
    return keep_covered(r);
}
