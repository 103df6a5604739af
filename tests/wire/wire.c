// Runs conversations (*.case) through the dialects as a relay does, without a socket: the request
// is translated and compared, the answer is replayed whole, byte by byte and cut at every position.

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "case.h"
#include "common/arena.h"
#include "eventstream.h"
#include "relay/channel/provider.h"
#include "relay/chat.h"

enum { LIMIT = 16 << 20, CREATED = 1780000000, ESTIMATE = 7 };

struct run {
    struct arena *a;
    const char *path;
    struct section *sections;
    const struct dialect *speaks;
    enum relay_mode mode;
    yyjson_val *body; // the caller's
    struct chat_request request;
    struct chat_target target;
    const struct provider *provider;
    struct buf dropped;
    struct attempt attempt;
    bool array; // the upstream's stream is one
    bool again; // this answer was cut at every position for another caller
    int failures;
};

// What one replay gave.
struct outcome {
    struct buf out;
    struct chat_usage usage;
    struct chat_error error;
    bool ended, failed, stopped;
};

static void complain(struct run *r, const struct section *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct run *r, const struct section *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%s:%d: ", r->path, s ? s->line : 1);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
    r->failures++;
}

// --- comparing ------------------------------------------------------------------

static bool same_json(struct run *r, struct str got, struct str want)
{
    yyjson_val *a = NULL, *b = NULL;
    if (json_read(r->a, got, &a) || json_read(r->a, want, &b))
        return false;
    return yyjson_equals(a, b);
}

static void expect_json(struct run *r, const struct section *s, struct str got, struct str want)
{
    if (!same_json(r, got, want))
        complain(r, s, "not the JSON expected\n  want: %.*s\n  got:  %.*s", STR_ARGS(want),
                 STR_ARGS(got));
}

static void expect_frames(struct run *r, const struct section *s, struct str got, struct str want)
{
    struct cutter at_got = {0}, at_want = {0};
    struct frame g, w;
    for (int n = 1;; n++) {
        bool more = sse_framing.next(&at_got, got, true, r->a, &g);
        bool wanted = sse_framing.next(&at_want, want, true, r->a, &w);
        if (wanted && !w.payload.n && !w.event.n)
            wanted = false; // the blank line before the next section
        if (!more && !wanted)
            return;
        bool same = more && wanted && str_eq(g.event, w.event) &&
                    (str_eq(g.payload, w.payload) || same_json(r, g.payload, w.payload));
        if (same)
            continue;
        complain(r, s, "frame %d\n  want: %.*s\n  got:  %.*s\n  all:\n%.*s", n,
                 wanted ? (int)w.raw.n : 4, wanted ? w.raw.p : "none", more ? (int)g.raw.n : 4,
                 more ? g.raw.p : "none", STR_ARGS(got));
        return;
    }
}

static bool is_sse(const struct section *s)
{
    return case_flag(s, "text/event-stream");
}

static bool is_binary(const struct section *s)
{
    return case_flag(s, "application/vnd.amazon.eventstream");
}

// A stream that is one JSON array is compared as JSON.
static bool is_stream(const struct section *s)
{
    return is_sse(s) || is_binary(s) || case_flag(s, "array");
}

// Message by message: "event {...}" lines on both sides.
static void expect_messages(struct run *r, const struct section *s, struct str got)
{
    struct str want = str_trim(s->body), line, kind;
    BUF_HERE(text, LIMIT);
    if (!eventstream_text(got, &text)) {
        complain(r, s, "not the binary stream that was promised");
        return;
    }
    struct str have = buf_view(&text), one, other;
    while (str_next(&want, '\n', &line)) {
        struct str payload = line, rest = {0};
        str_next(&payload, ' ', &kind);
        bool more = str_next(&have, '\n', &one);
        rest = one;
        if (more && str_next(&rest, ' ', &other) && str_eq(kind, other) &&
            same_json(r, rest, payload))
            continue;
        complain(r, s, "message\n  want: %.*s\n  got:  %.*s\n  all:\n%s", STR_ARGS(line),
                 more ? (int)one.n : 4, more ? one.p : "none", text.p);
        return;
    }
    if (have.n)
        complain(r, s, "more than was expected:\n%.*s", STR_ARGS(have));
}

static void expect_answer(struct run *r, const struct section *s, int status, struct str got)
{
    int64_t want = 0;
    if (str_to_int(case_word(s, 0), &want) && want != status)
        complain(r, s, "status %d", status);
    if (is_sse(s))
        expect_frames(r, s, got, s->body);
    else if (is_binary(s))
        expect_messages(r, s, got);
    else
        expect_json(r, s, got, str_trim(s->body));
}

static const struct {
    const char *name;
    size_t at;
} counts[] = {
    {"prompt", offsetof(struct chat_usage, prompt)},
    {"read", offsetof(struct chat_usage, cache_read)},
    {"write5m", offsetof(struct chat_usage, cache_write_5m)},
    {"write1h", offsetof(struct chat_usage, cache_write_1h)},
    {"completion", offsetof(struct chat_usage, completion)},
    {"thinking", offsetof(struct chat_usage, thinking)},
};

static int64_t count_of(const struct chat_usage *u, size_t i)
{
    return *(const int64_t *)((const char *)u + counts[i].at);
}

static bool same_usage(const struct chat_usage *a, const struct chat_usage *b)
{
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        if (count_of(a, i) != count_of(b, i))
            return false;
    return a->known == b->known;
}

// "usage: prompt 10 read 5 completion 3"; what is not named is 0. "usage: none".
static void expect_usage(struct run *r, const struct chat_usage *u, const char *who)
{
    const struct section *s = case_section(r->sections, "usage");
    if (!s)
        return;
    if (case_flag(s, "none") != !u->known)
        complain(r, s, "%s: usage is %sknown", who, u->known ? "" : "not ");
    for (size_t i = 0; !case_flag(s, "none") && i < sizeof(counts) / sizeof(*counts); i++) {
        int64_t want = 0, got = count_of(u, i);
        for (int n = 0; case_word(s, n).p; n += 2)
            if (str_is(case_word(s, n), counts[i].name))
                str_to_int(case_word(s, n + 1), &want);
        if (got != want)
            complain(r, s, "%s: usage: %s is %lld, not %lld", who, counts[i].name, (long long)got,
                     (long long)want);
    }
}

// --- the caller's side ----------------------------------------------------------

static const struct {
    const char *path;
    const struct dialect *speaks;
    enum relay_mode mode;
} routes[] = {
    {"/v1/chat/completions", &openai_dialect, MODE_CHAT},
    {"/v1/messages", &claude_dialect, MODE_CHAT},
    {"/v2/chat", &cohere_dialect, MODE_CHAT},
    {"/v1/completions", &openai_dialect, MODE_COMPLETION},
    {"/v1/embeddings", &openai_dialect, MODE_EMBEDDING},
    {"/v1/images/generations", &openai_dialect, MODE_IMAGE},
    {"/v1/images/edits", &openai_dialect, MODE_IMAGE_EDIT},
    {"/v1/audio/speech", &openai_dialect, MODE_SPEECH},
    {"/v1/audio/transcriptions", &openai_dialect, MODE_TRANSCRIPTION},
    {"/v1/moderations", &openai_dialect, MODE_MODERATION},
    {"/v1/rerank", &openai_dialect, MODE_RERANK},
    {"/v1/responses", &responses_dialect, MODE_RESPONSES},
    {"/v1/models", &openai_dialect, MODE_MODELS},
};

static bool is_chat(const struct run *r)
{
    return r->mode == MODE_CHAT || r->mode == MODE_RESPONSES;
}

static bool find_route(struct run *r, const struct section *caller)
{
    struct str query = case_word(caller, 1), path;
    str_next(&query, '?', &path);
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
        if (str_is(path, routes[i].path)) {
            r->speaks = routes[i].speaks;
            r->mode = routes[i].mode;
            return true;
        }
    static const char *const google[] = {"/v1beta/models/", "/v1/models/"};
    for (size_t i = 0; i < sizeof(google) / sizeof(*google); i++)
        if (str_starts(path, google[i])) {
            r->speaks = &gemini_dialect;
            r->mode = memmem(path.p, path.n, ":countTokens", 12) ? MODE_TOKENS : MODE_CHAT;
            return true;
        }
    if (str_starts(path, "/model/")) {
        r->speaks = &bedrock_dialect;
        r->mode = memmem(path.p, path.n, "/count-tokens", 13) ? MODE_TOKENS : MODE_CHAT;
        return true;
    }
    complain(r, caller, "no such path");
    return false;
}

// The caller is told, if the case says so; else it was not meant to fail.
static void refuse(struct run *r, const struct err *e)
{
    const struct section *s = case_section(r->sections, "caller gets");
    BUF_HERE(out, LIMIT);
    struct chat_error error = chat_error_of(e, e->detail);
    r->speaks->write_error(&out, &error, "req_1");
    if (!s || case_section(r->sections, "upstream answers"))
        complain(r, NULL, "refused: %s (%s)", e->kind->code, e->detail);
    else
        expect_answer(r, s, e->status, buf_view(&out));
}

static struct err *read_request(struct run *r, const struct section *caller)
{
    struct str text = str_trim(caller->body), query = case_word(caller, 1), path;
    struct chat_head head;
    if (!text.n)
        return NULL;
    str_next(&query, '?', &path);
    TRY(json_read(r->a, text, &r->body));
    TRY(r->speaks->read_head(r->a, r->body, &head));
    if (r->speaks->read_path)
        TRY(r->speaks->read_path(r->a, path, query, &head));
    struct err *e = is_chat(r) ? r->speaks->parse_request(r->a, r->body, &r->request) : NULL;
    r->request.head = head;
    return e;
}

// --- the upstream's side --------------------------------------------------------

static struct str caller_header(struct attempt *t, const char *name)
{
    const struct run *r = t->caller;
    for (const struct section *s = r->sections; s; s = s->next) {
        size_t n = strlen(name);
        if (str_is(s->name, "header") && str_starts(s->head, name) && s->head.p[n] == ':')
            return str_trim(str_skip(s->head, n + 1));
    }
    return (struct str){0};
}

static const char *head_text(struct run *r, const char *name, const char *fallback)
{
    return arena_str(r->a, case_head(r->sections, name, fallback));
}

static struct err *prepare(struct run *r)
{
    const char *asked = r->request.head.model ? r->request.head.model : "";
    r->target = (struct chat_target){.model = head_text(r, "model", asked),
                                     .quirks = r->provider->quirks,
                                     .stream = r->request.head.stream,
                                     .dropped = &r->dropped};
    enum relay_mode mode =
        provider_mode(r->provider, r->mode, r->target.model, head_text(r, "other", ""));
    const struct dialect *dialect = provider_dialect(r->provider, mode);
    if (r->request.kept && dialect != r->speaks)
        return err_new(r->a, &err_state_unsupported, "%s", r->request.kept);
    r->attempt = (struct attempt){
        .arena = r->a,
        .provider = r->provider,
        .mode = mode,
        .dialect = dialect,
        .stream = r->target.stream,
        .base_url = head_text(r, "base", ""),
        .key = head_text(r, "key", "sk-upstream"),
        .model = r->target.model,
        .other = head_text(r, "other", ""),
        .headers = BUF(1 << 16),
        .caller_header = dialect == r->speaks ? caller_header : NULL,
        .caller = r,
    };
    TRY(attempt_prepare(&r->attempt));
    if (r->provider->fix_request)
        TRY(r->provider->fix_request(&r->attempt, &r->request));
    return NULL;
}

// "POST url", header lines, an empty line, the body.
static void expect_attempt(struct run *r, const struct section *s)
{
    struct str rest = s->body, line;
    BUF_HERE(headers, 1 << 16);
    if (!str_is(case_word(s, 1), r->attempt.url))
        complain(r, s, "URL is %s", r->attempt.url);
    while (rest.n && rest.p[0] != '\n' && rest.p[0] != '{' && str_next(&rest, '\n', &line)) {
        buf_str(&headers, line);
        buf_puts(&headers, "\r\n");
    }
    if (!str_eq(buf_view(&headers), buf_view(&r->attempt.headers)))
        complain(r, s, "headers are\n%s", r->attempt.headers.p);
    if (!is_chat(r) || !str_trim(rest).n)
        return;
    BUF_HERE(out, LIMIT);
    struct err *e = chat_write_request(r->a, r->attempt.dialect, &r->request, &r->target, &out);
    if (e)
        complain(r, s, "%s (%s)", e->kind->code, e->detail);
    expect_json(r, s, buf_view(&out), str_trim(rest));
    struct str want = case_head(r->sections, "dropped", "");
    const char *by = want.n ? memmem(want.p, want.n, " by /", 5) : NULL; // whose it is
    want.n = by ? (size_t)(by - want.p) : want.n;
    if (!str_eq(want, buf_view(&r->dropped)))
        complain(r, s, "dropped: %s", r->dropped.p);
}

// What the provider sends, as it comes over the wire.
static struct str answer_bytes(struct run *r, const struct section *s)
{
    if (!is_binary(s))
        return case_bytes(r->a, s);
    BUF_HERE(out, LIMIT);
    if (!eventstream_bytes(str_trim(s->body), case_flag(s, "hex"), &out))
        complain(r, s, "cannot be encoded");
    size_t n = case_flag(s, "unfinished") && out.n > 5 ? out.n - 5 : out.n;
    return (struct str){arena_strndup(r->a, out.p, n), n};
}

// --- replaying ------------------------------------------------------------------

struct replay {
    struct chat_reader reader;
    struct chat_writer writer;
    struct outcome *o;
    bool metering;
};

static struct err *on_event(void *self, const struct chat_event *ev)
{
    struct replay *p = self;
    if (ev->type == CHAT_FAILED) {
        p->o->error = ev->error;
        p->o->error.message = str_of(arena_str(p->reader.arena, ev->error.message));
        p->o->error.code = str_of(arena_str(p->reader.arena, ev->error.code));
    }
    return p->metering ? NULL : chat_write(&p->writer, ev);
}

static void replay_begin(struct run *r, struct replay *p, struct arena *a, struct outcome *o,
                         bool metering)
{
    *o = (struct outcome){.out = BUF(LIMIT)};
    *p = (struct replay){
        .reader = {.dialect = r->attempt.dialect,
                   .arena = a,
                   .scratch = arena_new(),
                   .sink = {on_event, p},
                   .request = metering || !is_chat(r) ? NULL : &r->request,
                   .target = metering || !is_chat(r) ? NULL : &r->target},
        .writer = {.dialect = r->speaks,
                   .arena = a,
                   .out = &o->out,
                   .request = &r->request,
                   .model = r->request.head.model,
                   .id = "t1",
                   .created = CREATED,
                   .stream = r->target.stream,
                   .wants_usage = r->request.head.wants_usage,
                   .prompt_estimate = ESTIMATE},
        .o = o,
        .metering = metering,
    };
}

static void replay_end(struct run *r, struct replay *p, struct err *e)
{
    struct outcome *o = p->o;
    o->usage = p->reader.usage;
    o->ended = p->reader.ended;
    o->failed = p->reader.failed || e;
    if (e)
        o->error = chat_error_of(e, "The provider's answer cannot be read.");
    else if (!o->ended && !o->failed)
        o->error = (struct chat_error){502, .code = STR("upstream_truncated"),
                                       .message = STR("The provider's answer was cut off.")};
    if (!o->error.status)
        o->error.status = 502;
    if ((!o->ended || o->failed) && !p->metering) {
        if (r->target.stream && o->out.n)
            chat_write_stream_error(&p->writer, &r->request.head, &o->error, "req_1");
        else
            r->speaks->write_error(&o->out, &o->error, "req_1");
    }
    arena_free(p->reader.scratch);
}

static bool has_sign(const struct dialect *d, struct str raw)
{
    for (const char *const *sign = d->signs; *sign; sign++)
        if (memmem(raw.p, raw.n, *sign, strlen(*sign)))
            return true;
    return false;
}

static struct err *read_frames(struct run *r, struct replay *p, struct cutter *c, struct str all,
                               bool last)
{
    struct frame f;
    const struct framing *framing = r->array ? r->provider->json_framing : r->provider->framing;
    while (framing->next(c, all, last, p->reader.scratch, &f))
        if (!p->metering || f.failed || f.broken || has_sign(r->attempt.dialect, f.raw))
            TRY(chat_read_frame(&p->reader, &f));
    return last ? chat_read_end(&p->reader) : NULL;
}

// How the bytes arrive: `step` at a time; 0: two pieces, the first of `first` bytes.
struct pace {
    size_t step, first;
};

static void replay_stream(struct run *r, struct arena *a, struct str bytes, struct pace pace,
                          bool metering, struct outcome *o)
{
    struct replay p;
    struct cutter c = {0};
    struct err *e = NULL;
    size_t more = pace.step ? pace.step : bytes.n;
    replay_begin(r, &p, a, o, metering);
    for (size_t n = pace.step ? pace.step : pace.first; n < bytes.n && !e; n += more)
        e = read_frames(r, &p, &c, (struct str){bytes.p, n}, false);
    if (!e)
        e = read_frames(r, &p, &c, bytes, true);
    replay_end(r, &p, e);
}

static void replay_whole(struct run *r, struct arena *a, struct str bytes, bool metering,
                         struct outcome *o)
{
    struct replay p;
    replay_begin(r, &p, a, o, metering);
    replay_end(r, &p,
               metering ? chat_skim_whole(&p.reader, bytes) : chat_read_whole(&p.reader, bytes));
}

static void expect_same(struct run *r, const struct section *s, struct str bytes, struct pace pace,
                        const struct outcome *whole)
{
    ARENA(a);
    struct outcome o;
    replay_stream(r, a, bytes, pace, false, &o);
    if (!str_eq(buf_view(&o.out), buf_view(&whole->out)) || !same_usage(&o.usage, &whole->usage))
        complain(r, s, "cut at %zu (steps of %zu) it reads differently:\n%s", pace.first, pace.step,
                 o.out.p);
    buf_free(&o.out);
}

static void check_splits(struct run *r, const struct section *s, struct str bytes,
                         const struct outcome *whole)
{
    int before = r->failures;
    expect_same(r, s, bytes, (struct pace){.step = 1}, whole);
    for (size_t n = 1; n < bytes.n && r->failures == before && !r->again; n++)
        expect_same(r, s, bytes, (struct pace){.first = n}, whole);
}

// A meter that only reads along sees the same usage in the frames that bear a sign.
static void check_meter(struct run *r, struct str bytes, const struct outcome *whole, bool stream)
{
    ARENA(a);
    struct outcome o;
    if (stream)
        replay_stream(r, a, bytes, (struct pace){bytes.n, 0}, true, &o);
    else
        replay_whole(r, a, bytes, true, &o);
    expect_usage(r, &o.usage, "meter");
    if (o.ended != whole->ended && !whole->failed)
        complain(r, NULL, "meter: the reply %s", o.ended ? "ended" : "did not end");
    buf_free(&o.out);
}

static void check_refusal(struct run *r, const struct section *s, int status)
{
    const struct section *gets = case_section(r->sections, "caller gets");
    struct chat_error e = {0};
    yyjson_val *body = NULL;
    BUF_HERE(out, LIMIT);
    if (json_read(r->a, str_trim(s->body), &body) || !r->attempt.dialect->read_error(body, &e))
        e = (struct chat_error){.message = STR("The provider refused.")};
    e.status = status;
    r->speaks->write_error(&out, &e, "req_1");
    if (gets)
        expect_answer(r, gets, status, buf_view(&out));
}

static void check_answer(struct run *r, const struct section *s)
{
    const struct section *gets = case_section(r->sections, "caller gets");
    int64_t status = 0;
    str_to_int(case_word(s, 0), &status);
    if (status >= 400) {
        check_refusal(r, s, (int)status);
        return;
    }
    struct str bytes = answer_bytes(r, s);
    struct outcome whole;
    bool stream = is_stream(s);
    r->array = case_flag(s, "array");
    if (stream)
        replay_stream(r, r->a, bytes, (struct pace){bytes.n, 0}, false, &whole);
    else
        replay_whole(r, r->a, bytes, false, &whole);
    bool plain = (!whole.ended || whole.failed) && !(gets && is_stream(gets));
    if (gets)
        expect_answer(r, gets, plain ? whole.error.status : 200, buf_view(&whole.out));
    expect_usage(r, &whole.usage, "reader");
    check_meter(r, bytes, &whole, stream);
    if (stream)
        check_splits(r, s, bytes, &whole);
    buf_free(&whole.out);
}

// --- cases ----------------------------------------------------------------------

static void check_case(struct run *r)
{
    const struct section *caller = case_section(r->sections, "caller");
    const struct section *expects = case_section(r->sections, "upstream expects");
    const struct section *answers = case_section(r->sections, "upstream answers");
    int type = provider_type(head_text(r, "provider", ""));
    r->provider = provider_of(type);
    if (!caller || !r->provider) {
        complain(r, caller, "a case needs a caller and a known provider");
        return;
    }
    if (!find_route(r, caller))
        return;
    struct err *e = read_request(r, caller);
    if (!e)
        e = prepare(r);
    if (e) {
        refuse(r, e);
        return;
    }
    if (expects)
        expect_attempt(r, expects);
    if (answers)
        check_answer(r, answers);
    else if (case_section(r->sections, "caller gets"))
        complain(r, caller, "was not refused");
}

static bool run_pair(const char *path, struct section *sections, bool again)
{
    ARENA(a);
    struct run r = {
        .a = a, .path = path, .sections = sections, .dropped = BUF(4096), .again = again};
    check_case(&r);
    if (r.failures)
        printf("%s: the pair of lines %d and %d\n", path, case_section(sections, "caller")->line,
               case_section(sections, "provider")->line);
    buf_free(&r.dropped);
    buf_free(&r.attempt.headers);
    return r.failures == 0;
}

static void run_case(const char *path, int *passed, int *failed)
{
    ARENA(a);
    struct section *all = case_read(a, path), *pair;
    if (!case_section(all, "caller") || !case_section(all, "provider")) {
        printf("%s: a case needs a caller and a provider\n", path);
        ++*failed;
        return;
    }
    for (int caller = 0; case_pair(a, all, caller, 0); caller++)
        for (int provider = 0; (pair = case_pair(a, all, caller, provider)); provider++)
            ++*(run_pair(path, pair, caller > 0) ? passed : failed);
}

static void run_all(const char *path, int *passed, int *failed)
{
    struct stat st;
    struct dirent **entries = NULL;
    size_t n = strlen(path);
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
        if (n > 5 && !strcmp(path + n - 5, ".case"))
            run_case(path, passed, failed);
        return;
    }
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_all(inner, passed, failed);
        free(entries[i]);
    }
    free((void *)entries);
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;
    for (int i = 1; i < argc; i++)
        run_all(argv[i], &passed, &failed);
    if (argc < 2)
        run_all("tests/wire", &passed, &failed);
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}
