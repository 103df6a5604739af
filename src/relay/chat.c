// Between bytes and events: reading payloads, keeping blocks in order, collecting whole answers.

#include "relay/chat.h"

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"
#include "common/rand.h"

void chat_dropped(const struct chat_target *to, const char *what)
{
    if (!to->dropped)
        return;
    struct str rest = buf_view(to->dropped), piece;
    while (str_next(&rest, ',', &piece))
        if (str_is(piece, what))
            return;
    if (to->dropped->n)
        buf_puts(to->dropped, ",");
    buf_puts(to->dropped, what);
}

void chat_drop_labels(const struct chat_request *in, const struct chat_target *to, unsigned taken)
{
    const struct {
        bool said;
        enum chat_label label;
        const char *name;
    } rows[] = {
        {in->user != NULL, LABEL_USER, "user"},
        {in->cache_key != NULL, LABEL_CACHE_KEY, "prompt_cache_key"},
        {yyjson_obj_size(in->metadata) > 0, LABEL_METADATA, "metadata"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].said && !(taken & rows[i].label))
            chat_dropped(to, rows[i].name);
}

struct err *chat_write_request(struct arena *a, const struct dialect *dialect,
                               const struct chat_request *in, const struct chat_target *to,
                               struct buf *out)
{
    TRY(dialect->write_request(a, in, to, out));
    const char *const *names = in->owner && in->owner != dialect ? in->owner->alone : NULL;
    for (; names && *names; names++) {
        yyjson_val *said = yyjson_obj_get(in->body, *names);
        if (said && !yyjson_is_null(said))
            chat_dropped(to, *names);
    }
    return NULL;
}

struct chat_error chat_error_of(const struct err *e, const char *message)
{
    return (struct chat_error){e->status, .code = str_of(e->kind->code),
                               .message = str_of(message)};
}

// --- reading --------------------------------------------------------------------

struct err *chat_json(struct chat_reader *r, struct str text, yyjson_val **out)
{
    if (!json_read(r->scratch, text, out))
        return NULL;
    int n = text.n < 80 ? (int)text.n : 80;
    return err_new(r->arena, &err_upstream_failed, "malformed payload: %.*s", n, text.p);
}

struct err *chat_read_frame(struct chat_reader *r, const struct frame *f)
{
    if (r->ended || r->failed)
        return NULL;
    if (f->broken)
        return err_new(r->arena, &err_upstream_failed, "a frame that cannot be read: %s",
                       f->broken);
    if (str_trim(f->payload).n == 0)
        return NULL;
    struct err *e = r->dialect->read_frame(r, f);
    arena_reset(r->scratch);
    return e;
}

struct err *chat_read_whole(struct chat_reader *r, struct str body)
{
    yyjson_val *root = NULL;
    TRY(chat_json(r, body, &root));
    struct err *e = r->dialect->read_whole(r, root);
    arena_reset(r->scratch);
    return e;
}

struct err *chat_skim_whole(struct chat_reader *r, struct str body)
{
    yyjson_val *root = NULL;
    TRY(chat_json(r, body, &root));
    const struct dialect *d = r->dialect;
    r->ended = d->skim_whole && d->skim_whole(r, root);
    struct err *e = r->ended ? NULL : d->read_whole(r, root);
    arena_reset(r->scratch);
    return e;
}

struct err *chat_read_end(struct chat_reader *r)
{
    return r->ended || r->failed || !r->dialect->read_end ? NULL : r->dialect->read_end(r);
}

struct err *chat_emit(struct chat_reader *r, struct chat_event ev)
{
    ev.owner = r->dialect;
    return r->sink.event(r->sink.self, &ev);
}

struct err *chat_start(struct chat_reader *r, struct str id, struct str model)
{
    if (r->started)
        return NULL;
    r->started = true;
    r->id = str_of(arena_str(r->arena, id));
    return chat_emit(r,
                     (struct chat_event){CHAT_START, .id = id, .text = model, .usage = r->usage});
}

struct chat_choice *chat_choice(struct chat_reader *r, int number)
{
    struct chat_choice **at = &r->choices;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (!*at && number >= 0 && number < CHAT_CHOICES_MAX) {
        *at = NEW(r->arena, struct chat_choice);
        (*at)->number = number;
    }
    return *at;
}

static struct chat_event of(const struct chat_choice *c, enum chat_event_type type)
{
    int index = c->blocks ? c->blocks - 1 : 0;
    return (struct chat_event){type, .index = index, .kind = c->kind, .choice = c->number};
}

struct err *chat_close(struct chat_reader *r, struct chat_choice *c)
{
    if (!c->open)
        return NULL;
    c->open = false;
    return chat_emit(r, of(c, CHAT_BLOCK_END));
}

static struct err *open_block(struct chat_reader *r, struct chat_choice *c, enum part_kind kind)
{
    TRY(chat_close(r, c));
    c->open = true;
    c->kind = kind;
    c->blocks++;
    return NULL;
}

struct err *chat_piece(struct chat_reader *r, struct chat_choice *c, enum part_kind kind,
                       struct str text)
{
    if (!text.n || c->stopped)
        return NULL;
    if (!c->open || c->kind != kind) {
        TRY(open_block(r, c, kind));
        TRY(chat_emit(r, of(c, CHAT_BLOCK)));
    }
    struct chat_event ev = of(c, kind == PART_THINKING ? CHAT_THINKING : CHAT_TEXT);
    ev.text = text;
    return chat_emit(r, ev);
}

struct err *chat_signature(struct chat_reader *r, struct chat_choice *c, struct str text,
                           bool redacted)
{
    if (!text.n || c->stopped)
        return NULL;
    if (redacted || !c->open || c->kind != PART_THINKING) {
        TRY(open_block(r, c, PART_THINKING));
        struct chat_event block = of(c, CHAT_BLOCK);
        block.redacted = redacted;
        TRY(chat_emit(r, block));
    }
    struct chat_event ev = of(c, CHAT_SIGNATURE);
    ev.text = text;
    ev.redacted = redacted;
    TRY(chat_emit(r, ev));
    return redacted ? chat_close(r, c) : NULL; // it came complete
}

// Some providers give their calls no id (Gemini's OpenAI endpoint); results need one to refer to.
static struct str made_id(struct chat_reader *r, const struct chat_choice *c)
{
    unsigned char digest[SHA256_SIZE];
    if (r->id.n) {
        char *seed = arena_printf(r->arena, "%s/%d/%d", r->id.p, c->number, c->blocks);
        hash_sha256(str_of(seed), digest);
    } else {
        rand_bytes(digest, sizeof(digest));
    }
    return str_of(arena_printf(r->arena, "call_%s", hash_hex(r->arena, digest, 12)));
}

struct err *chat_call(struct chat_reader *r, struct chat_choice *c, struct str id, struct str name)
{
    if (c->stopped)
        return NULL;
    TRY(open_block(r, c, PART_TOOL_CALL));
    c->called = true;
    struct chat_event ev = of(c, CHAT_BLOCK);
    ev.id = id.n ? id : made_id(r, c);
    ev.name = name;
    return chat_emit(r, ev);
}

struct err *chat_arguments(struct chat_reader *r, struct chat_choice *c, struct str json)
{
    if (!json.n || !c->open || (c->kind != PART_TOOL_CALL && c->kind != PART_RAW))
        return NULL;
    struct chat_event ev = of(c, CHAT_ARGS);
    ev.text = json;
    return chat_emit(r, ev);
}

struct err *chat_raw(struct chat_reader *r, struct chat_choice *c, struct str json)
{
    if (c->stopped)
        return NULL;
    TRY(open_block(r, c, PART_RAW));
    struct chat_event ev = of(c, CHAT_BLOCK);
    ev.text = json;
    return chat_emit(r, ev);
}

struct err *chat_cite(struct chat_reader *r, struct chat_choice *c,
                      const struct chat_citation *cite)
{
    if (!c->open || c->kind != PART_TEXT)
        return NULL;
    struct chat_event ev = of(c, CHAT_CITATION);
    ev.cite = *cite;
    return chat_emit(r, ev);
}

// A reply that calls tools ends because of them, whatever a provider says (Claude Code and Codex
// act on it); one that was cut or filtered does not.
struct err *chat_stop(struct chat_reader *r, struct chat_choice *c, enum chat_stop why,
                      struct str text)
{
    if (c->stopped)
        return NULL;
    TRY(chat_close(r, c));
    c->stopped = true;
    struct chat_event ev = of(c, CHAT_STOP);
    ev.reason = why == STOP_END && c->called ? STOP_TOOL : why;
    ev.text = text;
    return chat_emit(r, ev);
}

#define COUNT_MOST ((int64_t)1 << 40)

int64_t chat_count_at(yyjson_val *object, const char *key)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (yyjson_is_uint(v) && yyjson_get_uint(v) > (uint64_t)COUNT_MOST)
        return COUNT_MOST + 1;
    int64_t n = json_int_at(object, key, 0);
    return n > 0 ? n : 0;
}

bool chat_usage_tells(const struct chat_usage *u)
{
    const int64_t counts[] = {u->prompt, u->cache_read, u->cache_write_5m, u->cache_write_1h,
                              u->completion};
    bool any = false;
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        if (counts[i] > COUNT_MOST)
            return false;
        any = any || counts[i] > 0;
    }
    return any;
}

struct err *chat_usage(struct chat_reader *r)
{
    r->usage.known = r->usage.prompt_known = chat_usage_tells(&r->usage);
    return chat_emit(r, (struct chat_event){CHAT_USAGE, .usage = r->usage});
}

struct err *chat_failed(struct chat_reader *r, const struct chat_error *e)
{
    r->failed = true;
    return chat_emit(r, (struct chat_event){CHAT_FAILED, .error = *e});
}

struct err *chat_end(struct chat_reader *r)
{
    if (r->ended)
        return NULL;
    r->ended = true;
    return chat_emit(r, (struct chat_event){CHAT_END});
}

// --- writing --------------------------------------------------------------------

const char *chat_reply_id(struct chat_writer *w, struct str id, const char *prefix)
{
    char made[25];
    if (!id.n && w->id)
        id = str_of(w->id);
    if (!id.n) {
        rand_text(made, sizeof(made) - 1);
        id = str_of(made);
    }
    return arena_printf(w->arena, "%s%.*s", str_starts(id, prefix) ? "" : prefix, STR_ARGS(id));
}

const char *chat_reply_model(struct chat_writer *w, struct str upstream)
{
    return w->model ? w->model : arena_str(w->arena, upstream);
}

static struct answer_choice *answer_choice(struct chat_writer *w, int number)
{
    struct answer_choice **at = &w->answer->choices;
    while (*at && (*at)->number < number)
        at = &(*at)->next;
    if (*at && (*at)->number == number)
        return *at;
    struct answer_choice *c = NEW(w->arena, struct answer_choice);
    *c = (struct answer_choice){.next = *at, .number = number};
    return *at = c;
}

static void add_part(struct chat_writer *w, struct answer_choice *c, const struct chat_event *ev)
{
    struct answer_part *p = NEW(w->arena, struct answer_part);
    *p = (struct answer_part){
        .kind = ev->kind,
        .id = arena_str(w->arena, ev->id),
        .name = arena_str(w->arena, ev->name),
        .text = BUF(SIZE_MAX / 4),
        .signature = BUF(SIZE_MAX / 4),
        .logprobs = BUF(SIZE_MAX / 4),
        .redacted = ev->redacted,
        .owner = ev->owner,
    };
    p->citations_end = &p->citations;
    buf_str(&p->text, ev->text);
    arena_defer_buf(w->arena, &p->text);
    arena_defer_buf(w->arena, &p->signature);
    arena_defer_buf(w->arena, &p->logprobs);
    if (c->last)
        c->last->next = p;
    else
        c->parts = p;
    c->last = p;
}

static void add_text(struct answer_part *p, const struct chat_event *ev)
{
    if (ev->type == CHAT_SIGNATURE) {
        buf_str(&p->signature, ev->text);
        p->owner = ev->owner;
    } else if (ev->type == CHAT_LOGPROBS) {
        if (p->logprobs.n)
            buf_puts(&p->logprobs, ",");
        buf_add(&p->logprobs, ev->text.p + 1, ev->text.n - 2); // without the brackets
    } else {
        buf_str(&p->text, ev->text);
    }
}

static struct str kept(struct chat_writer *w, struct str s)
{
    return s.p ? (struct str){arena_str(w->arena, s), s.n} : s;
}

static void add_citation(struct chat_writer *w, struct answer_part *p, const struct chat_event *ev)
{
    struct answer_citation *c = NEW(w->arena, struct answer_citation);
    c->cite = (struct chat_citation){
        ev->cite.start,          ev->cite.end,         kept(w, ev->cite.url),
        kept(w, ev->cite.title), kept(w, ev->cite.id), kept(w, ev->cite.quote),
    };
    *p->citations_end = c;
    p->citations_end = &c->next;
    w->answer->size += sizeof(*c) + ev->cite.url.n + ev->cite.title.n + ev->cite.quote.n;
}

static void add_stop(struct chat_writer *w, struct answer_choice *c, const struct chat_event *ev)
{
    c->stopped = true;
    c->reason = ev->reason;
    if (ev->text.p)
        c->stop_text = str_of(arena_str(w->arena, ev->text));
}

static struct err *collect(struct chat_writer *w, const struct chat_event *ev)
{
    struct chat_answer *all = w->answer;
    all->size += ev->text.n;
    if (all->size > (w->answer_max ? w->answer_max : (size_t)64 << 20))
        return err_new(w->arena, &err_upstream_too_large, "answer of %zu bytes", all->size);
    struct answer_choice *c = answer_choice(w, ev->choice);
    switch (ev->type) {
    case CHAT_START:
        all->id = str_of(arena_str(w->arena, ev->id));
        all->model = str_of(arena_str(w->arena, ev->text));
        all->usage = ev->usage;
        break;
    case CHAT_BLOCK: add_part(w, c, ev); break;
    case CHAT_USAGE: all->usage = ev->usage; break;
    case CHAT_CITATION:
        if (c->last)
            add_citation(w, c->last, ev);
        break;
    case CHAT_STOP: add_stop(w, c, ev); break;
    case CHAT_END: w->dialect->write_answer(w, all); break;
    default:
        if (c->last && ev->text.n && c->last->kind != PART_RAW)
            add_text(c->last, ev);
    }
    return NULL;
}

void chat_write_stream_error(struct chat_writer *w, const struct chat_head *head,
                             const struct chat_error *e, const char *request_id)
{
    if (head->array) {
        buf_puts(w->out, ",\r\n");
        w->dialect->write_error(w->out, e, request_id);
        buf_puts(w->out, "]\n");
    } else if (w->dialect->write_failure) {
        w->dialect->write_failure(w, e);
    } else {
        w->dialect->write_stream_error(w->out, e, request_id);
    }
}

struct err *chat_write(struct chat_writer *w, const struct chat_event *ev)
{
    if (ev->type == CHAT_FAILED)
        return NULL;
    if (w->stream)
        return w->dialect->write_event(w, ev);
    if (!w->answer)
        w->answer = NEW(w->arena, struct chat_answer);
    return collect(w, ev);
}
