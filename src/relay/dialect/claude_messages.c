// Writing messages and system prompts as Anthropic wants them: alternating roles, results first, no
// empty texts (anthropic.md 2.1).

#include "relay/dialect/claude_messages.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

void claude_write_marker(struct claude_writing *w, const char *ttl)
{
    if (!ttl)
        return;
    if (w->skip > 0) {
        w->skip--;
        return;
    }
    json_obj(&w->j, "cache_control");
    json_str(&w->j, "type", "ephemeral");
    if (strcmp(ttl, "5m") != 0)
        json_str(&w->j, "ttl", ttl);
    json_end(&w->j);
}

// --- parts ----------------------------------------------------------------------

static void write_text(struct claude_writing *w, struct str text, const char *ttl)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "text");
    json_strn(&w->j, "text", text);
    claude_write_marker(w, ttl);
    json_end(&w->j);
}

static void write_missing(struct claude_writing *w, const char *what)
{
    chat_dropped(w->to, what);
    write_text(w, str_of(arena_printf(w->a, "[%s that cannot be shown here]", what)), NULL);
}

static void begin_source(struct claude_writing *w, const char *block, const char *type)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", block);
    json_obj(&w->j, "source");
    json_str(&w->j, "type", type);
}

static void end_source(struct claude_writing *w, const struct chat_part *p)
{
    json_end(&w->j);
    if (p->kind == PART_FILE && p->name)
        json_str(&w->j, "title", p->name);
    if (p->kind == PART_FILE && p->cited)
        json_raw(&w->j, "citations", STR("{\"enabled\":true}"));
    claude_write_marker(w, p->cache_ttl);
    json_end(&w->j);
}

static void write_base64(struct claude_writing *w, const struct chat_part *p, const char *block,
                         struct str mime)
{
    begin_source(w, block, "base64");
    json_strn(&w->j, "media_type", mime);
    json_strn(&w->j, "data", p->data);
    end_source(w, p);
}

static void write_url(struct claude_writing *w, const struct chat_part *p, const char *block)
{
    begin_source(w, block, "url");
    json_strn(&w->j, "url", p->url);
    end_source(w, p);
}

static void write_plain(struct claude_writing *w, const struct chat_part *p, struct str text)
{
    begin_source(w, "document", "text");
    json_str(&w->j, "media_type", "text/plain");
    json_strn(&w->j, "data", text);
    end_source(w, p);
}

static void write_image(struct claude_writing *w, const struct chat_part *p)
{
    static const char known[] = "image/png,image/jpeg,image/gif,image/webp";
    struct str mime = media_mime(p->data, p->mime);
    if (p->data.n && list_has(known, arena_str(w->a, mime)))
        write_base64(w, p, "image", mime);
    else if (str_starts(p->url, "http://") || str_starts(p->url, "https://"))
        write_url(w, p, "image");
    else
        write_missing(w, "an image");
}

static void write_file(struct claude_writing *w, const struct chat_part *p)
{
    struct str mime = media_mime(p->data, p->mime), text = p->text;
    if (!text.p && p->data.n && str_starts(mime, "text/"))
        text = base64_bytes(w->a, p->data);
    if (text.n && utf8_valid(text))
        write_plain(w, p, text);
    else if (str_is(mime, "application/pdf") && p->data.n)
        write_base64(w, p, "document", mime);
    else if (p->data.n && str_starts(mime, "image/"))
        write_image(w, p);
    else if (p->url.n)
        write_url(w, p, "document");
    else
        write_missing(w, "a file");
}

static void write_call(struct claude_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "tool_use");
    json_str(&w->j, "id", id_legal(w->a, p->id, CLAUDE_ID_MAX));
    json_str(&w->j, "name", name_to_wire(w->a, w->names, p->name ? p->name : ""));
    json_raw(&w->j, "input", object_text(w->a, p->text));
    claude_write_marker(w, p->cache_ttl);
    json_end(&w->j);
}

static bool rides_along(const struct chat_part *p)
{
    return p->raw && p->owner == &claude_dialect && p->kind != PART_TOOL_CALL &&
           p->kind != PART_TOOL_RESULT && p->kind != PART_THINKING;
}

static void write_part(struct claude_writing *w, const struct chat_part *p);

static void write_result(struct claude_writing *w, const struct chat_part *p)
{
    const struct chat_part *only = p->parts && !p->parts->next ? p->parts : NULL;
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "tool_result");
    json_str(&w->j, "tool_use_id", id_legal(w->a, p->id, CLAUDE_ID_MAX));
    if (only && only->kind == PART_TEXT && !rides_along(only)) {
        json_strn(&w->j, "content", only->text);
    } else if (p->parts) {
        json_arr(&w->j, "content");
        for (const struct chat_part *c = p->parts; c; c = c->next)
            write_part(w, c);
        json_end(&w->j);
    }
    if (p->is_error)
        json_bool(&w->j, "is_error", true);
    claude_write_marker(w, p->cache_ttl);
    json_end(&w->j);
}

static void write_thinking(struct claude_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", p->redacted.n ? "redacted_thinking" : "thinking");
    if (p->redacted.n) {
        json_strn(&w->j, "data", p->redacted);
    } else {
        json_strn(&w->j, "thinking", p->text.p ? p->text : STR(""));
        json_strn(&w->j, "signature", p->signature);
    }
    json_end(&w->j);
}

static void write_part(struct claude_writing *w, const struct chat_part *p)
{
    if (rides_along(p)) {
        json_raw(&w->j, NULL, json_text_of(w->a, p->raw));
        return;
    }
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(w, p->text, p->cache_ttl); break;
    case PART_IMAGE: write_image(w, p); break;
    case PART_FILE: write_file(w, p); break;
    case PART_AUDIO: write_missing(w, "a sound"); break;
    case PART_TOOL_CALL: write_call(w, p); break;
    case PART_TOOL_RESULT: write_result(w, p); break;
    case PART_THINKING: write_thinking(w, p); break;
    case PART_RAW: break;
    }
}

// Reasoning without a signature was made by somebody else: refused here, and never shown as text
// (models take that for an attempt to extract it).
static bool is_visible(const struct claude_writing *w, const struct chat_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: return !text_is_blank(p->text);
    case PART_THINKING: return claude_signed(p);
    case PART_RAW:
        if (p->owner != &claude_dialect)
            chat_dropped(w->to, "content");
        return p->owner == &claude_dialect;
    default: return true;
    }
}

// --- messages -------------------------------------------------------------------

enum { NONE = -1, USER, ASSISTANT, SYSTEM };

static void close_message(struct claude_writing *w)
{
    if (w->role == NONE)
        return;
    json_end(&w->j);
    json_end(&w->j);
    w->role = NONE;
}

static void open_message(struct claude_writing *w, int role)
{
    static const char *const names[] = {"user", "assistant", "system"};
    if (w->role == role)
        return;
    close_message(w);
    w->role = role;
    json_obj(&w->j, NULL);
    json_str(&w->j, "role", names[role]);
    json_arr(&w->j, "content");
}

static void write_reminder(struct claude_writing *w, const struct chat_message *m)
{
    struct str text = parts_text(w->a, m->parts, "\n\n");
    if (text_is_blank(text))
        return;
    char *all = arena_printf(w->a, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARGS(text));
    open_message(w, USER);
    write_text(w, str_of(all), NULL);
}

// A last message of the assistant is continued by the model and must not end in white space.
static void write_message(struct claude_writing *w, const struct chat_message *m, bool first)
{
    int role = m->role == ROLE_ASSISTANT ? ASSISTANT : m->role == ROLE_SYSTEM ? SYSTEM : USER;
    if (role == SYSTEM && !w->own) {
        write_reminder(w, m);
        return;
    }
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        if (!is_visible(w, p))
            continue;
        if (first && role == ASSISTANT && w->role == NONE) {
            open_message(w, USER);
            write_text(w, STR("."), NULL);
        }
        open_message(w, role);
        if (p->kind == PART_TEXT && role == ASSISTANT && !p->next && !m->next)
            write_text(w, text_trimmed(p->text), p->cache_ttl);
        else
            write_part(w, p);
    }
}

void claude_write_messages(struct claude_writing *w)
{
    json_arr(&w->j, "messages");
    w->role = NONE;
    bool first = true;
    for (const struct chat_message *m = w->messages; m; m = m->next) {
        write_message(w, m, first);
        first = first && w->role == NONE;
    }
    if (first || (w->role == ASSISTANT && !w->own && !w->model->prefill)) {
        open_message(w, USER);
        write_text(w, first ? STR(".") : STR("Continue."), NULL);
    }
    close_message(w);
    json_end(&w->j);
}

// --- system ---------------------------------------------------------------------

void claude_write_system(struct claude_writing *w)
{
    bool any = w->format == CLAUDE_FORMAT_PROMPT;
    for (const struct chat_part *p = w->in->system; p && !any; p = p->next)
        any = is_visible(w, p);
    if (!any)
        return;
    json_arr(&w->j, "system");
    for (const struct chat_part *p = w->in->system; p; p = p->next)
        if (is_visible(w, p))
            write_part(w, p);
    if (w->format == CLAUDE_FORMAT_PROMPT)
        write_text(w, format_prompt(w->a, w->in), NULL);
    json_end(&w->j);
}
