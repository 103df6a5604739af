// How much callers and channels may ask for, and how callers are told (docs/limits.md).

#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "relay/state.h"

// --- asking ---------------------------------------------------------------------------

// Others may be quicker to take what has come. How many run was asked more than once.
static const int awaits_most[LIMIT_UNITS] = {4, 4, 4, 2};

// Before somebody is refused for what others have taken, Redis is asked.
static bool waits(struct relay *r, const struct limit_who *who, const struct limit_refusal *why)
{
    if (!why->unsure || r->awaits[why->unit]++ >= awaits_most[why->unit])
        return false;
    relay_await(r);
    r->on_worker = limit_await(who, why, r->token_estimate, r->loop->now_ms, &r->job);
    return r->on_worker;
}

// Of a flood, few are written down: see limit_note.
static enum relay_step refuse(struct relay *r, const struct limit_who *whose,
                              const struct limit_refusal *why)
{
    r->quiet = !limit_note(whose, r->loop->now_ms, &r->refused_count);
    r->failed = limit_error(r->arena, why);
    r->ending = ENDED_ERROR;
    return RELAY_SETTLE;
}

static struct limit_ticket *ticket(struct relay *r)
{
    if (!r->limits)
        r->limits = NEW(r->arena, struct limit_ticket);
    return r->limits;
}

enum relay_step relay_limit_address(struct relay *r)
{
    const struct limits *l = &r->snapshot->limits.address;
    struct limit_who who = {LIMIT_ADDRESS, .name = r->ip};
    struct limit_refusal why;
    if (!limits_any(l) || limit_take(ticket(r), &who, l, 0, r->loop->now_ms, &why))
        return RELAY_ADMIT;
    return waits(r, &who, &why) ? RELAY_WAIT : refuse(r, &who, &why);
}

// Again when Redis has told.
enum relay_step relay_limit(struct relay *r)
{
    const struct snapshot_limits *all = &r->snapshot->limits;
    const struct caller *c = r->caller;
    if (!all->callers && !c->rated)
        return RELAY_RESERVE;
    const struct {
        struct limit_who who;
        const struct limits *limits;
    } asked[] = {
        {{LIMIT_TOKEN, c->token_id}, &c->limits},
        {{LIMIT_USER, c->user_id}, snapshot_limits_of(&all->users, c->user_group)},
        {{LIMIT_MODEL, .name = r->head.model}, snapshot_limits_of(&all->models, r->head.model)},
        {{LIMIT_GLOBAL}, &all->global},
    };
    struct limit_refusal why;
    int held = ticket(r)->count;
    for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
        const struct limits *l = asked[i].limits;
        if (!l || !limits_any(l) ||
            limit_take(r->limits, &asked[i].who, l, r->token_estimate, r->loop->now_ms, &why))
            continue;
        limit_undo(r->limits, held, r->loop->now_ms);
        return waits(r, &asked[i].who, &why)
                   ? RELAY_WAIT
                   : refuse(r, &(struct limit_who){LIMIT_USER, c->user_id}, &why);
    }
    return RELAY_RESERVE;
}

// --- channels -------------------------------------------------------------------------

bool relay_limit_channel(struct relay *r)
{
    const struct snapshot_channel *c = r->choice.channel;
    struct limit_refusal why;
    if (r->channel_limits) // of the attempt before
        limit_settle(r->channel_limits, 0, r->loop->now_ms);
    if (!c->limited)
        return true;
    if (!r->channel_limits)
        r->channel_limits = NEW(r->arena, struct limit_ticket);
    return limit_take(r->channel_limits, &(struct limit_who){LIMIT_CHANNEL, c->row.id}, &c->limits,
                      r->token_estimate, r->loop->now_ms, &why);
}

bool relay_limit_pinned(struct relay *r)
{
    const struct snapshot_channel *c = r->choice.channel;
    struct limit_who who = {LIMIT_CHANNEL, c->row.id};
    r->choice.full_channel = c->row.id;
    bool fits = !c->limited ||
                limit_fits(&who, &c->limits, r->token_estimate, r->loop->now_ms, &r->choice.full);
    return fits && relay_limit_channel(r);
}

enum relay_step relay_limit_channels(struct relay *r)
{
    if (waits(r, &(struct limit_who){LIMIT_CHANNEL, r->choice.full_channel}, &r->choice.full))
        return RELAY_WAIT;
    if (r->limits) // it was not the caller who asked for too much
        limit_undo(r->limits, 0, r->loop->now_ms);
    return refuse(r, &(struct limit_who){LIMIT_USER, r->caller->user_id}, &r->choice.full);
}

void relay_limit_done(struct relay *r, int64_t tokens)
{
    if (r->limits)
        limit_settle(r->limits, tokens, r->loop->now_ms);
    if (r->channel_limits)
        limit_settle(r->channel_limits, tokens, r->loop->now_ms);
}

// --- telling --------------------------------------------------------------------------

// "6m0s", "1.5s", "20ms", as OpenAI's.
static const char *duration(struct arena *a, int64_t ms)
{
    if (ms < 1000)
        return arena_printf(a, "%dms", (int)ms);
    int64_t s = ms / 1000, minutes = s / 60;
    if (minutes >= 60)
        return arena_printf(a, "%dh%dm%ds", (int)(minutes / 60), (int)(minutes % 60),
                            (int)(s % 60));
    if (minutes)
        return arena_printf(a, "%dm%ds", (int)minutes, (int)(s % 60));
    return ms % 1000 ? arena_printf(a, "%d.%03ds", (int)s, (int)(ms % 1000))
                     : arena_printf(a, "%ds", (int)s);
}

// RFC 3339, as Anthropic's.
static const char *instant(struct arena *a, int64_t ms)
{
    time_t at = (time_t)((clock_now_ms() + ms + 999) / 1000);
    struct tm t;
    char text[32];
    gmtime_r(&at, &t);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t);
    return arena_strdup(a, text);
}

static const struct style {
    const struct dialect *dialect;
    const char *names[2][3]; // requests, tokens: limit, remaining, reset
    const char *(*reset)(struct arena *a, int64_t ms);
} styles[] = {
    {&openai_dialect,
     {{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
       "x-ratelimit-reset-requests"},
      {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}},
     duration},
    {&claude_dialect,
     {{"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
       "anthropic-ratelimit-requests-reset"},
      {"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
       "anthropic-ratelimit-tokens-reset"}},
     instant},
};

// Gemini's API has no such headers: its clients read the body.
static const struct style *style_of(const struct dialect *d)
{
    if (d == &responses_dialect)
        d = &openai_dialect;
    for (size_t i = 0; i < sizeof(styles) / sizeof(*styles); i++)
        if (styles[i].dialect == d)
            return &styles[i];
    return NULL;
}

size_t relay_limit_headers(const struct relay *r, struct http_header to[LIMIT_HEADERS])
{
    const struct style *style = style_of(r->route->speaks);
    size_t n = 0;
    for (int i = 0; i < 2 && style && r->limits; i++) {
        const struct limit_view *v = i ? &r->limits->tokens : &r->limits->requests;
        const char *const *names = style->names[i];
        if (!v->most)
            continue;
        to[n++] = (struct http_header){str_of(names[0]),
                                       str_of(arena_printf(r->arena, "%lld", (long long)v->most))};
        to[n++] = (struct http_header){str_of(names[1]),
                                       str_of(arena_printf(r->arena, "%lld", (long long)v->left))};
        to[n++] =
            (struct http_header){str_of(names[2]), str_of(style->reset(r->arena, v->reset_ms))};
    }
    return n;
}
