// Writing messages as chat completions wants them: results as texts, one message each.

#include "relay/dialect/openai_messages.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/history.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

bool openai_has(const struct openai_writing *w, enum quirk q)
{
    return w->to->quirks & q;
}

// --- parts ----------------------------------------------------------------------

void openai_begin_part(struct openai_writing *w, const char *type)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", type);
}

void openai_end_part(struct openai_writing *w, const char *cache_ttl)
{
    if (cache_ttl && openai_has(w, CACHE_MARKERS)) {
        json_obj(&w->j, "cache_control");
        json_str(&w->j, "type", "ephemeral");
        if (!text_eq(cache_ttl, "5m"))
            json_str(&w->j, "ttl", cache_ttl);
        json_end(&w->j);
    }
    json_end(&w->j);
}

static void write_text(struct openai_writing *w, struct str text, const char *cache_ttl)
{
    openai_begin_part(w, "text");
    json_strn(&w->j, "text", text);
    openai_end_part(w, cache_ttl);
}

static void write_image(struct openai_writing *w, const struct chat_part *p)
{
    struct str url = media_to_url(w->a, p);
    if (!url.n) {
        chat_dropped(w->to, "image");
        write_text(w, STR("[an image that cannot be shown here]"), NULL);
        return;
    }
    openai_begin_part(w, "image_url");
    json_obj(&w->j, "image_url");
    json_strn(&w->j, "url", url);
    if (p->detail)
        json_str(&w->j, "detail", p->detail);
    json_end(&w->j);
    openai_end_part(w, p->cache_ttl);
}

static void write_audio(struct openai_writing *w, const struct chat_part *p)
{
    openai_begin_part(w, "input_audio");
    json_obj(&w->j, "input_audio");
    json_strn(&w->j, "data", p->data);
    json_str(&w->j, "format", p->detail ? p->detail : "wav");
    json_end(&w->j);
    openai_end_part(w, NULL);
}

static void write_titled(struct openai_writing *w, const struct chat_part *p, struct str text)
{
    const char *title = p->name ? p->name : "document";
    char *all = arena_printf(w->a, "[%s]\n%.*s", title, STR_ARGS(text));
    write_text(w, str_of(all), p->cache_ttl);
}

// Chat takes files by value only; texts go inline, a mere address is named (conversion matrix 5).
static void write_file(struct openai_writing *w, const struct chat_part *p)
{
    struct str text = p->text;
    if (!text.p && p->data.n && str_starts(p->mime, "text/"))
        text = base64_bytes(w->a, p->data);
    if (text.p && utf8_valid(text)) {
        write_titled(w, p, text);
    } else if (p->data.n) {
        openai_begin_part(w, "file");
        json_obj(&w->j, "file");
        json_str(&w->j, "filename", media_file_name(w->a, p));
        json_strn(&w->j, "file_data", media_to_url(w->a, p));
        json_end(&w->j);
        openai_end_part(w, p->cache_ttl);
    } else {
        chat_dropped(w->to, "file");
        write_titled(w, p, p->url.n ? p->url : STR("a file that cannot be shown here"));
    }
}

static void write_part(struct openai_writing *w, const struct chat_part *p)
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
static bool is_plain(const struct openai_writing *w, const struct chat_part *parts)
{
    return parts && !parts->next && parts->kind == PART_TEXT &&
           !(parts->cache_ttl && openai_has(w, CACHE_MARKERS)) &&
           !(parts->raw && yyjson_obj_size(parts->raw) > 2);
}

static void write_parts(struct openai_writing *w, const struct chat_part *parts)
{
    for (const struct chat_part *p = parts; p; p = p->next)
        write_part(w, p);
}

// --- messages -------------------------------------------------------------------

static void begin_message(struct openai_writing *w, const char *role, const char *name)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "role", role);
    if (name && w->own)
        json_str(&w->j, "name", name);
}

static const char *system_role(const struct openai_writing *w)
{
    if (openai_has(w, NO_SYSTEM_ROLE))
        return "user";
    bool developer =
        openai_has(w, OPENAI_RULES) && !openai_has(w, NO_DEVELOPER_ROLE) && w->family->reasons;
    return developer ? "developer" : "system";
}

static const struct chat_part *system_parts(struct openai_writing *w)
{
    struct chat_part *kept = NULL, **end = &kept;
    for (const struct chat_part *p = w->in->system; p; p = p->next) {
        if (!w->own && text_is_billing(p->text))
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

static void write_system(struct openai_writing *w, const struct chat_part *parts)
{
    bool marked = openai_has(w, CACHE_MARKERS) && any_marked(parts);
    struct str text = parts_text(w->a, parts, "\n\n");
    if (!text.n && !marked)
        return;
    begin_message(w, system_role(w), NULL);
    if (marked) {
        json_arr(&w->j, "content");
        write_parts(w, parts);
        json_end(&w->j);
    } else {
        json_strn(&w->j, "content", text);
    }
    json_end(&w->j);
}

// What Claude Code itself uses for notes inside a conversation.
static void write_reminder(struct openai_writing *w, const struct chat_message *m)
{
    struct str text = parts_text(w->a, m->parts, "\n\n");
    begin_message(w, "user", NULL);
    json_str(&w->j, "content",
             arena_printf(w->a, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARGS(text)));
    json_end(&w->j);
}

static void show_images(struct openai_writing *w)
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

static bool any_visible(const struct chat_part *parts)
{
    for (; parts; parts = parts->next)
        if (parts->kind != PART_RAW || parts->owner == &openai_dialect)
            return true;
    return false;
}

static void write_user(struct openai_writing *w, const struct chat_message *m)
{
    if (!any_visible(m->parts) && !w->results)
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

static void write_call(struct openai_writing *w, const struct chat_part *p)
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

static void write_thinking(struct openai_writing *w, const struct chat_message *m)
{
    if (!openai_has(w, KEEP_REASONING))
        return;
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (p->kind == PART_THINKING && p->text.n) {
            json_strn(&w->j, "reasoning_content", p->text);
            return;
        }
}

static void write_assistant(struct openai_writing *w, const struct chat_message *m)
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
static struct str result_text(struct openai_writing *w, const struct chat_part *r)
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

static void write_results(struct openai_writing *w, const struct chat_message *m)
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

static void write_message(struct openai_writing *w, const struct chat_message *m)
{
    static const struct chat_message nothing;
    if (w->results && m->role != ROLE_USER)
        write_user(w, &nothing);
    switch (m->role) {
    case ROLE_USER: write_user(w, m); break;
    case ROLE_ASSISTANT: write_assistant(w, m); break;
    case ROLE_TOOL: write_results(w, m); break;
    case ROLE_SYSTEM:
        if (openai_has(w, SYSTEM_FIRST) || openai_has(w, NO_SYSTEM_ROLE))
            write_reminder(w, m);
        else
            write_system(w, m->parts);
    }
}

void openai_write_messages(struct openai_writing *w)
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
