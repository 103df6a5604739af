// The canonical conversation becomes a chat completions request for a provider.

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/hash.h"
#include "relay/dialect/history.h"
#include "relay/dialect/media.h"
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

struct writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct openai_family *family;
    struct name_map *names;
    struct json j;
    const struct chat_message *results; // whose images the next user message shows
    bool own;                           // the caller speaks OpenAI too
};

static bool has(const struct writing *w, enum quirk q)
{
    return w->to->quirks & q;
}

// --- parts ----------------------------------------------------------------------

static void begin_part(struct writing *w, const char *type)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", type);
}

static void end_part(struct writing *w, const char *cache_ttl)
{
    if (cache_ttl && has(w, CACHE_MARKERS)) {
        json_obj(&w->j, "cache_control");
        json_str(&w->j, "type", "ephemeral");
        if (!text_eq(cache_ttl, "5m"))
            json_str(&w->j, "ttl", cache_ttl);
        json_end(&w->j);
    }
    json_end(&w->j);
}

static void write_text(struct writing *w, struct str text, const char *cache_ttl)
{
    begin_part(w, "text");
    json_strn(&w->j, "text", text);
    end_part(w, cache_ttl);
}

static void write_image(struct writing *w, const struct chat_part *p)
{
    struct str url = media_to_url(w->a, p);
    if (!url.n) {
        chat_dropped(w->to, "image");
        write_text(w, STR("[an image that cannot be shown here]"), NULL);
        return;
    }
    begin_part(w, "image_url");
    json_obj(&w->j, "image_url");
    json_strn(&w->j, "url", url);
    if (p->detail)
        json_str(&w->j, "detail", p->detail);
    json_end(&w->j);
    end_part(w, p->cache_ttl);
}

static void write_audio(struct writing *w, const struct chat_part *p)
{
    begin_part(w, "input_audio");
    json_obj(&w->j, "input_audio");
    json_strn(&w->j, "data", p->data);
    json_str(&w->j, "format", p->detail ? p->detail : "wav");
    json_end(&w->j);
    end_part(w, NULL);
}

static void write_titled(struct writing *w, const struct chat_part *p, struct str text)
{
    const char *title = p->name ? p->name : "document";
    char *all = arena_printf(w->a, "[%s]\n%.*s", title, STR_ARGS(text));
    write_text(w, str_of(all), p->cache_ttl);
}

// Chat takes files by value only; texts go inline, a mere address is named (conversion matrix 5).
static void write_file(struct writing *w, const struct chat_part *p)
{
    struct str text = p->text;
    if (!text.p && p->data.n && str_starts(p->mime, "text/"))
        text = base64_bytes(w->a, p->data);
    if (text.p && utf8_valid(text)) {
        write_titled(w, p, text);
    } else if (p->data.n) {
        begin_part(w, "file");
        json_obj(&w->j, "file");
        json_str(&w->j, "filename", p->name ? p->name : "document.pdf");
        json_strn(&w->j, "file_data", media_to_url(w->a, p));
        json_end(&w->j);
        end_part(w, p->cache_ttl);
    } else {
        chat_dropped(w->to, "file");
        write_titled(w, p, p->url.n ? p->url : STR("a file that cannot be shown here"));
    }
}

static void write_part(struct writing *w, const struct chat_part *p)
{
    if (p->raw && p->owner == &openai_dialect) {
        json_raw(&w->j, NULL, json_text_of(w->a, p->raw));
        return;
    }
    switch (p->kind) {
    case PART_TEXT: write_text(w, p->text, p->cache_ttl); break;
    case PART_REFUSAL: write_text(w, p->text, NULL); break;
    case PART_IMAGE: write_image(w, p); break;
    case PART_AUDIO: write_audio(w, p); break;
    case PART_FILE: write_file(w, p); break;
    default: chat_dropped(w->to, "content");
    }
}

// One unmarked text is written as a text, which every server understands.
static bool is_plain(const struct writing *w, const struct chat_part *parts)
{
    return parts && !parts->next && parts->kind == PART_TEXT &&
           !(parts->cache_ttl && has(w, CACHE_MARKERS)) &&
           !(parts->raw && yyjson_obj_size(parts->raw) > 2);
}

static void write_parts(struct writing *w, const struct chat_part *parts)
{
    for (const struct chat_part *p = parts; p; p = p->next)
        write_part(w, p);
}

// --- messages -------------------------------------------------------------------

static void begin_message(struct writing *w, const char *role, const char *name)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "role", role);
    if (name && w->own)
        json_str(&w->j, "name", name);
}

static const char *system_role(const struct writing *w)
{
    if (has(w, NO_SYSTEM_ROLE))
        return "user";
    bool developer = has(w, OPENAI_RULES) && !has(w, NO_DEVELOPER_ROLE) && w->family->reasons;
    return developer ? "developer" : "system";
}

// Claude Code's first system text differs with every build and would spoil prompt caches.
static const struct chat_part *system_parts(struct writing *w)
{
    struct chat_part *kept = NULL, **end = &kept;
    for (const struct chat_part *p = w->in->system; p; p = p->next) {
        if (!w->own && str_starts(p->text, "x-anthropic-billing-header"))
            continue;
        struct chat_part *copy = part_add(w->a, &end, p->kind);
        *copy = *p;
        copy->next = NULL;
    }
    return kept;
}

static bool any_marked(const struct chat_part *parts)
{
    for (; parts; parts = parts->next)
        if (parts->cache_ttl)
            return true;
    return false;
}

static void write_system(struct writing *w, const struct chat_part *parts)
{
    if (!parts)
        return;
    begin_message(w, system_role(w), NULL);
    if (has(w, CACHE_MARKERS) && any_marked(parts)) {
        json_arr(&w->j, "content");
        write_parts(w, parts);
        json_end(&w->j);
    } else {
        json_strn(&w->j, "content", parts_text(w->a, parts, "\n\n"));
    }
    json_end(&w->j);
}

// What Claude Code itself uses for notes inside a conversation.
static void write_reminder(struct writing *w, const struct chat_message *m)
{
    struct str text = parts_text(w->a, m->parts, "\n\n");
    begin_message(w, "user", NULL);
    json_str(&w->j, "content",
             arena_printf(w->a, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARGS(text)));
    json_end(&w->j);
}

static void show_images(struct writing *w)
{
    const struct chat_message *m = w->results;
    w->results = NULL;
    for (const struct chat_part *r = m ? m->parts : NULL; r; r = r->next) {
        int n = 0;
        for (const struct chat_part *p = r->parts; p; p = p->next)
            if (p->kind == PART_IMAGE || p->kind == PART_FILE) {
                write_text(w, str_of(arena_printf(w->a, "[image %d of %s]", ++n, r->id)), NULL);
                write_part(w, p);
            }
    }
}

static void write_user(struct writing *w, const struct chat_message *m)
{
    if (!m->parts && !w->results)
        return;
    begin_message(w, "user", m->name);
    if (is_plain(w, m->parts) && !w->results) {
        json_strn(&w->j, "content", m->parts->text);
    } else {
        json_arr(&w->j, "content");
        show_images(w);
        write_parts(w, m->parts);
        json_end(&w->j);
    }
    json_end(&w->j);
}

static void write_call(struct writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "id", id_legal(w->a, p->id, OPENAI_ID_MAX));
    json_str(&w->j, "type", "function");
    json_obj(&w->j, "function");
    json_str(&w->j, "name", name_to_wire(w->a, w->names, p->name ? p->name : ""));
    json_strn(&w->j, "arguments", p->text.n ? p->text : STR("{}"));
    json_end(&w->j);
    json_end(&w->j);
}

static void write_thinking(struct writing *w, const struct chat_message *m)
{
    if (!has(w, KEEP_REASONING))
        return;
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (p->kind == PART_THINKING && p->text.n) {
            json_strn(&w->j, "reasoning_content", p->text);
            return;
        }
}

static void write_assistant(struct writing *w, const struct chat_message *m)
{
    bool calls = false, refused = false;
    struct str refusal = {0};
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        calls = calls || p->kind == PART_TOOL_CALL;
        if (p->kind == PART_REFUSAL) {
            refused = true;
            refusal = p->text;
        }
    }
    struct str text = parts_text(w->a, m->parts, "");
    if (!text.n && !calls && !refused)
        return;
    begin_message(w, "assistant", m->name);
    json_strn(&w->j, "content", text);
    if (refused)
        json_strn(&w->j, "refusal", refusal);
    write_thinking(w, m);
    if (calls) {
        json_arr(&w->j, "tool_calls");
        for (const struct chat_part *p = m->parts; p; p = p->next)
            if (p->kind == PART_TOOL_CALL)
                write_call(w, p);
        json_end(&w->j);
    }
    json_end(&w->j);
}

// Results are texts here: images follow in a user message of their own (openai.md 1.2).
static struct str result_text(struct writing *w, const struct chat_part *r)
{
    struct buf text = BUF((size_t)256 << 20);
    int images = 0;
    if (r->is_error)
        buf_puts(&text, "Error: ");
    for (const struct chat_part *p = r->parts; p; p = p->next) {
        if (text.n && p != r->parts)
            buf_puts(&text, "\n");
        if (p->kind == PART_IMAGE || p->kind == PART_FILE)
            buf_printf(&text, "[image %d of %s follows]", ++images, r->id);
        else if (p->kind == PART_TEXT)
            buf_str(&text, p->text);
        else if (p->raw)
            buf_str(&text, json_text_of(w->a, p->raw));
    }
    struct str out = {arena_str(w->a, buf_view(&text)), text.n};
    buf_free(&text);
    return out;
}

static bool has_images(const struct chat_message *m)
{
    for (const struct chat_part *r = m->parts; r; r = r->next)
        for (const struct chat_part *p = r->parts; p; p = p->next)
            if (p->kind == PART_IMAGE || p->kind == PART_FILE)
                return true;
    return false;
}

static void write_results(struct writing *w, const struct chat_message *m)
{
    for (const struct chat_part *r = m->parts; r; r = r->next) {
        begin_message(w, "tool", NULL);
        json_str(&w->j, "tool_call_id", id_legal(w->a, r->id, OPENAI_ID_MAX));
        json_strn(&w->j, "content", result_text(w, r));
        json_end(&w->j);
    }
    if (has_images(m))
        w->results = m;
}

static void write_message(struct writing *w, const struct chat_message *m)
{
    static const struct chat_message nothing;
    if (w->results && m->role != ROLE_USER)
        write_user(w, &nothing);
    switch (m->role) {
    case ROLE_USER: write_user(w, m); break;
    case ROLE_ASSISTANT: write_assistant(w, m); break;
    case ROLE_TOOL: write_results(w, m); break;
    case ROLE_SYSTEM:
        if (has(w, SYSTEM_FIRST) || has(w, NO_SYSTEM_ROLE))
            write_reminder(w, m);
        else
            write_system(w, m->parts);
    }
}

static void write_messages(struct writing *w)
{
    static const struct chat_message nothing;
    json_arr(&w->j, "messages");
    write_system(w, system_parts(w));
    for (const struct chat_message *m = history_repair(w->a, w->in->messages); m; m = m->next)
        write_message(w, m);
    if (w->results)
        write_user(w, &nothing);
    json_end(&w->j);
}

// --- tools ----------------------------------------------------------------------

static void write_function(struct writing *w, const struct chat_tool *t)
{
    begin_part(w, "function");
    json_obj(&w->j, "function");
    json_str(&w->j, "name", name_to_wire(w->a, w->names, t->name));
    if (t->description)
        json_str(&w->j, "description", t->description);
    if (t->custom)
        json_raw(&w->j, "parameters",
                 STR("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"
                     "\"required\":[\"input\"]}"));
    else if (t->schema)
        json_raw(&w->j, "parameters", json_text_of(w->a, t->schema));
    if (t->strict_said && (w->own || !t->strict || schema_is_strict(t->schema)))
        json_bool(&w->j, "strict", t->strict);
    json_end(&w->j);
    end_part(w, t->cache_ttl);
}

static bool is_kept(const struct writing *w, const struct chat_tool *t)
{
    return !has(w, NO_TOOLS) && (!t->hosted || t->owner == &openai_dialect);
}

static void write_choice(struct writing *w)
{
    static const char *const names[] = {
        [CHOICE_AUTO] = "auto", [CHOICE_NONE] = "none", [CHOICE_ANY] = "required"};
    if (w->in->choice == CHOICE_NAMED) {
        json_obj(&w->j, "tool_choice");
        json_str(&w->j, "type", "function");
        json_obj(&w->j, "function");
        json_str(&w->j, "name", name_to_wire(w->a, w->names, w->in->choice_name));
        json_end(&w->j);
        json_end(&w->j);
    } else if (w->in->choice != CHOICE_UNSAID) {
        json_str(&w->j, "tool_choice", names[w->in->choice]);
    }
    if (w->in->parallel >= 0)
        json_bool(&w->j, "parallel_tool_calls", w->in->parallel);
}

static void write_tools(struct writing *w)
{
    bool any = false;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next) {
        if (!is_kept(w, t)) {
            chat_dropped(w->to, "tools");
            continue;
        }
        if (!any)
            json_arr(&w->j, "tools");
        any = true;
        if (t->owner == &openai_dialect && (t->hosted || t->custom))
            json_raw(&w->j, NULL, json_text_of(w->a, t->raw));
        else
            write_function(w, t);
    }
    if (!any)
        return;
    json_end(&w->j);
    if (w->in->choice == CHOICE_UNSAID && w->own &&
        yyjson_is_obj(yyjson_obj_get(w->in->body, "tool_choice")))
        json_raw(&w->j, "tool_choice",
                 json_text_of(w->a, yyjson_obj_get(w->in->body, "tool_choice")));
    write_choice(w);
}

// --- scalars --------------------------------------------------------------------

static void write_real(struct writing *w, bool said, const char *name, double v, bool allowed)
{
    if (said && allowed)
        json_real(&w->j, name, v);
    else if (said)
        chat_dropped(w->to, name);
}

static void write_stops(struct writing *w, bool allowed)
{
    if (!w->in->stop)
        return;
    if (!allowed) {
        chat_dropped(w->to, "stop");
        return;
    }
    json_arr(&w->j, "stop");
    for (size_t i = 0; w->in->stop[i] && (i < 4 || !has(w, OPENAI_RULES)); i++)
        json_str(&w->j, NULL, w->in->stop[i]);
    json_end(&w->j);
}

static void write_sampling(struct writing *w)
{
    const struct chat_request *in = w->in;
    bool free = !has(w, OPENAI_RULES) || w->family->samples;
    if (has(w, OPENAI_RULES) && w->family->reasons) {
        enum effort e = effort_of(in);
        free = w->family->none && (e == EFFORT_NONE || (e == EFFORT_UNSAID && w->family->samples));
    }
    write_real(w, in->has_temperature, "temperature", in->temperature, free);
    write_real(w, in->has_top_p, "top_p", in->top_p, free);
    write_real(w, in->has_top_k, "top_k", (double)in->top_k, !has(w, OPENAI_RULES));
    write_real(w, in->has_presence, "presence_penalty", in->presence, free);
    write_real(w, in->has_frequency, "frequency_penalty", in->frequency, free);
    write_stops(w, free || w->family->samples);
    if (in->has_seed)
        json_int(&w->j, "seed", in->seed);
    if (in->logit_bias && free)
        json_raw(&w->j, "logit_bias", json_text_of(w->a, in->logit_bias));
    if (in->logprobs >= 0 && free) {
        json_bool(&w->j, "logprobs", true);
        if (in->logprobs)
            json_int(&w->j, "top_logprobs", in->logprobs);
    }
    if (in->head.choices > 1)
        json_int(&w->j, "n", in->head.choices);
}

// The nearest effort this family has (conversion matrix 7.1).
static const char *family_effort(const struct openai_family *f, enum effort e)
{
    if (e == EFFORT_NONE && !f->none)
        e = EFFORT_MINIMAL;
    if (e == EFFORT_MINIMAL && !f->minimal)
        e = EFFORT_LOW;
    if (e >= EFFORT_XHIGH)
        e = f->high ? EFFORT_XHIGH : EFFORT_HIGH;
    return effort_names[e];
}

static const char *plain_effort(const struct writing *w, enum effort e)
{
    if (w->own || has(w, THINKING_SWITCH))
        return effort_names[e == EFFORT_MINIMAL && !w->own ? EFFORT_LOW : e];
    return e == EFFORT_NONE      ? NULL
           : e == EFFORT_MINIMAL ? "low"
           : e >= EFFORT_XHIGH   ? "high"
                                 : effort_names[e];
}

static void write_effort(struct writing *w)
{
    enum effort e = effort_of(w->in);
    bool said = w->own && yyjson_obj_get(w->in->body, "thinking");
    bool on = e > EFFORT_NONE || w->in->thinking_adaptive;
    if (has(w, THINKING_SWITCH) && !said && (on || e == EFFORT_NONE)) {
        json_obj(&w->j, "thinking");
        json_str(&w->j, "type", on ? "enabled" : "disabled");
        json_end(&w->j);
    }
    if (e == EFFORT_UNSAID || (e == EFFORT_NONE && has(w, THINKING_SWITCH)))
        return;
    if (has(w, NO_EFFORT) || (has(w, OPENAI_RULES) && !w->family->reasons)) {
        if (e != EFFORT_NONE)
            chat_dropped(w->to, "reasoning_effort");
        return;
    }
    const char *name = has(w, OPENAI_RULES) ? family_effort(w->family, e) : plain_effort(w, e);
    if (name)
        json_str(&w->j, "reasoning_effort", name);
}

static void write_format(struct writing *w)
{
    const struct chat_request *in = w->in;
    if (in->format == FORMAT_TEXT)
        return;
    json_obj(&w->j, "response_format");
    json_str(&w->j, "type", in->format == FORMAT_JSON ? "json_object" : "json_schema");
    if (in->format == FORMAT_SCHEMA) {
        json_obj(&w->j, "json_schema");
        json_str(&w->j, "name", in->schema_name ? in->schema_name : "response");
        if (in->schema_description)
            json_str(&w->j, "description", in->schema_description);
        json_raw(&w->j, "schema", json_text_of(w->a, in->schema));
        json_bool(&w->j, "strict", w->own ? in->schema_strict : schema_is_strict(in->schema));
        json_end(&w->j);
    }
    json_end(&w->j);
}

// Claude Code's user ids are longer than OpenAI takes.
static const char *short_user(struct writing *w, const char *user)
{
    unsigned char digest[SHA256_SIZE];
    if (strlen(user) <= 64)
        return user;
    hash_sha256(str_of(user), digest);
    return hash_hex(w->a, digest, SHA256_SIZE);
}

static void write_labels(struct writing *w)
{
    if (w->own)
        return; // they ride along
    if (w->in->user)
        json_str(&w->j, "user", short_user(w, w->in->user));
    if (w->in->tier && has(w, OPENAI_RULES))
        json_str(&w->j, "service_tier", text_eq(w->in->tier, "standard_only") ? "default" : "auto");
}

static void write_limits(struct writing *w)
{
    if (w->in->head.max_output > 0)
        json_int(&w->j, has(w, OLD_MAX_TOKENS) ? "max_tokens" : "max_completion_tokens",
                 w->in->head.max_output);
    if (!w->to->stream)
        return;
    json_bool(&w->j, "stream", true);
    if (has(w, NO_STREAM_USAGE))
        return;
    json_obj(&w->j, "stream_options");
    json_bool(&w->j, "include_usage", true);
    json_end(&w->j);
}

static const char *const known[] = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "stream",
    "stream_options",
    "response_format",
    "reasoning_effort",
    NULL,
};

struct err *openai_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out)
{
    struct writing w = {
        .a = a,
        .in = in,
        .to = to,
        .family = openai_family(to->model),
        .j = {.out = out},
        .names = name_map_new(a, in->tools, OPENAI_NAME_MAX),
        .own = in->owner == &openai_dialect,
    };
    json_obj(&w.j, NULL);
    json_str(&w.j, "model", to->model);
    write_messages(&w);
    write_tools(&w);
    write_limits(&w);
    write_sampling(&w);
    write_effort(&w);
    write_format(&w);
    write_labels(&w);
    if (w.own)
        ride_along(a, &w.j, in->body, known);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
