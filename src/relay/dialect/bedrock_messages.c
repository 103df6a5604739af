// Writing messages and system prompts as Converse wants them: two roles in turn, one key per block,
// no empty texts, a text beside every document (bedrock.md 5.2).

#include "relay/dialect/bedrock_messages.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/hash.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

enum { NONE = -1, USER, ASSISTANT, SYSTEM };
enum { FILE_NAME_MOST = 100 };

void bedrock_write_point(struct bedrock_writing *w, const char *ttl)
{
    if (!ttl || (!w->model->caches && !w->own))
        return;
    if (w->skip > 0) {
        w->skip--;
        return;
    }
    json_obj(&w->j, NULL);
    json_obj(&w->j, "cachePoint");
    json_str(&w->j, "type", "default");
    if (strcmp(ttl, "5m") != 0)
        json_str(&w->j, "ttl", ttl);
    json_end(&w->j);
    json_end(&w->j);
}

bool bedrock_signed(const struct chat_part *p)
{
    return p->kind == PART_THINKING && p->owner == &bedrock_dialect &&
           (p->signature.n || p->redacted.n);
}

// Claude's signatures are good on every platform (conversion matrix 7.2); its hidden thinking has
// another form here.
bool bedrock_signed_claude(const struct chat_part *p)
{
    return bedrock_signed(p) ||
           (p->kind == PART_THINKING && p->owner == &claude_dialect && p->signature.n);
}

// --- parts ----------------------------------------------------------------------

static void write_text(struct bedrock_writing *w, struct str text)
{
    json_obj(&w->j, NULL);
    json_strn(&w->j, "text", text);
    json_end(&w->j);
    w->said = true;
}

static void write_missing(struct bedrock_writing *w, const char *what)
{
    chat_dropped(w->to, what);
    write_text(w, str_of(arena_printf(w->a, "[%s that cannot be shown here]", what)));
}

static void begin_source(struct bedrock_writing *w, const char *block, const char *format)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, block);
    json_str(&w->j, "format", format);
}

static void end_source(struct bedrock_writing *w, struct str base64, bool cited)
{
    json_obj(&w->j, "source");
    json_strn(&w->j, "bytes", base64);
    json_end(&w->j);
    if (cited)
        json_raw(&w->j, "citations", STR("{\"enabled\":true}"));
    json_end(&w->j);
    json_end(&w->j);
}

static void write_image(struct bedrock_writing *w, const struct chat_part *p)
{
    struct str mime = media_mime(p->data, p->mime);
    const char *format = str_starts(mime, "image/") ? media_format(mime) : NULL;
    if (!p->data.n || !format) {
        write_missing(w, "an image");
        return;
    }
    begin_source(w, "image", format);
    end_source(w, p->data, false);
}

static const char *format_by_name(const char *name)
{
    static const char *const known[] = {"pdf",  "csv",  "doc", "docx", "xls",
                                        "xlsx", "html", "txt", "md"};
    const char *dot = name ? strrchr(name, '.') : NULL;
    for (size_t i = 0; dot && i < sizeof(known) / sizeof(*known); i++)
        if (!strcasecmp(dot + 1, known[i]))
            return known[i];
    return NULL;
}

// Two documents of one name are refused. Of many it is not looked whether they have.
static const char *distinct_name(struct bedrock_writing *w, const char *name)
{
    bool taken = w->documents >= BEDROCK_NAMES_KEPT;
    for (int i = 0; i < w->documents && i < BEDROCK_NAMES_KEPT; i++)
        taken = taken || !strcmp(w->document_names[i], name);
    int number = ++w->documents;
    const char *out =
        taken ? arena_printf(w->a, "%s (%d)", name, number) : arena_strdup(w->a, name);
    if (number <= BEDROCK_NAMES_KEPT)
        w->document_names[number - 1] = out;
    return out;
}

// Letters, digits, single spaces, hyphens and brackets; without its ending, each only once.
static const char *file_name(struct bedrock_writing *w, const char *name)
{
    char out[FILE_NAME_MOST + 1];
    const char *end = name ? strrchr(name, '.') : NULL;
    size_t n = 0;
    for (const char *c = name ? name : ""; *c && c != end && n < FILE_NAME_MOST; c++) {
        bool legal = isalnum((unsigned char)*c) || strchr("-()[]", *c);
        if (legal)
            out[n++] = *c;
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return distinct_name(w, n ? out : "document");
}

static void write_file(struct bedrock_writing *w, const struct chat_part *p)
{
    struct str mime = media_mime(p->data, p->mime), data = p->data;
    const char *format = media_format(mime);
    if (p->text.n) {
        data = str_of(base64_text(w->a, p->text.p, p->text.n));
        format = "txt";
    }
    if (!format)
        format = format_by_name(p->name);
    if (!format && str_starts(mime, "text/"))
        format = "txt";
    if (data.n && str_starts(mime, "image/")) {
        write_image(w, p);
        return;
    }
    if (!data.n || !format || str_starts(mime, "audio/")) {
        write_missing(w, "a file");
        return;
    }
    begin_source(w, "document", format);
    json_str(&w->j, "name", file_name(w, p->name));
    bool cited = p->cited && bedrock_is_claude(w->model);
    if (p->cited && !cited)
        chat_dropped(w->to, "citations");
    end_source(w, data, cited);
    w->file = true;
}

// Mistral's models take nine letters and digits, no more and no less.
static const char *call_id(struct bedrock_writing *w, const char *id)
{
    unsigned char digest[SHA256_SIZE];
    if (!w->model->short_ids)
        return id_legal(w->a, id, BEDROCK_ID_MAX);
    struct str given = str_of(id ? id : "");
    size_t n = 0;
    while (n < given.n && isalnum((unsigned char)given.p[n]))
        n++;
    if (n == given.n && n == 9)
        return id;
    hash_sha256(given, digest);
    return arena_strndup(w->a, hash_hex(w->a, digest, 5), 9);
}

static void write_call(struct bedrock_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, "toolUse");
    json_str(&w->j, "toolUseId", call_id(w, p->id));
    json_str(&w->j, "name", name_to_wire(w->a, w->names, p->name ? p->name : ""));
    json_raw(&w->j, "input", object_text(w->a, p->text));
    json_end(&w->j);
    json_end(&w->j);
}

static bool rides_along(const struct chat_part *p)
{
    return p->raw && p->owner == &bedrock_dialect && p->kind != PART_TOOL_CALL &&
           p->kind != PART_TOOL_RESULT;
}

static void write_part(struct bedrock_writing *w, const struct chat_part *p);
static bool is_visible(const struct bedrock_writing *w, const struct chat_part *p);

static void write_result(struct bedrock_writing *w, const struct chat_part *p)
{
    bool any = false, said = w->said;
    json_obj(&w->j, NULL);
    json_obj(&w->j, "toolResult");
    json_str(&w->j, "toolUseId", call_id(w, p->id));
    json_arr(&w->j, "content");
    for (const struct chat_part *c = p->parts; c; c = c->next) {
        if (!is_visible(w, c))
            continue;
        any = true;
        write_part(w, c);
    }
    if (!any)
        write_text(w, STR("[no output]"));
    json_end(&w->j);
    if (p->is_error && !w->model->no_status)
        json_str(&w->j, "status", "error");
    json_end(&w->j);
    json_end(&w->j);
    w->said = said; // inside of it, not beside
}

static void write_thinking(struct bedrock_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, "reasoningContent");
    if (p->redacted.n) {
        json_strn(&w->j, "redactedContent", p->redacted);
    } else {
        json_obj(&w->j, "reasoningText");
        json_strn(&w->j, "text", p->text.p ? p->text : STR(""));
        json_strn(&w->j, "signature", p->signature);
        json_end(&w->j);
    }
    json_end(&w->j);
    json_end(&w->j);
}

static void write_part(struct bedrock_writing *w, const struct chat_part *p)
{
    if (rides_along(p)) {
        json_raw(&w->j, NULL, json_text_of(w->a, p->raw));
        w->said = w->said || p->kind == PART_TEXT;
        return;
    }
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(w, p->text); break;
    case PART_IMAGE: write_image(w, p); break;
    case PART_FILE: write_file(w, p); break;
    case PART_AUDIO: write_missing(w, "a sound"); break;
    case PART_TOOL_CALL: write_call(w, p); break;
    case PART_TOOL_RESULT: write_result(w, p); break;
    case PART_THINKING: write_thinking(w, p); break;
    case PART_RAW: break;
    }
}

// Claude Code's first text differs with every build and would spoil caches.
static bool is_said(const struct chat_part *p)
{
    return !text_is_blank(p->text) && !text_is_billing(p->text);
}

static bool is_visible(const struct bedrock_writing *w, const struct chat_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: return rides_along(p) || is_said(p);
    case PART_THINKING:
        if (rides_along(p))
            return true;
        return bedrock_is_claude(w->model) ? bedrock_signed_claude(p)
                                           : w->model->thinking && bedrock_signed(p);
    case PART_RAW:
        if (p->owner != &bedrock_dialect)
            chat_dropped(w->to, "content");
        return p->owner == &bedrock_dialect;
    default: return true;
    }
}

// --- messages -------------------------------------------------------------------

static void close_message(struct bedrock_writing *w)
{
    if (w->role == NONE)
        return;
    if (w->file && !w->said && !w->own)
        write_text(w, STR("."));
    json_end(&w->j);
    json_end(&w->j);
    w->role = NONE;
}

static void open_message(struct bedrock_writing *w, int role)
{
    static const char *const names[] = {"user", "assistant", "system"};
    if (w->role == role)
        return;
    close_message(w);
    w->role = role;
    w->said = w->file = w->result = false;
    json_obj(&w->j, NULL);
    json_str(&w->j, "role", names[role]);
    json_arr(&w->j, "content");
}

static void write_reminder(struct bedrock_writing *w, const struct chat_message *m)
{
    struct str text = parts_text(w->a, m->parts, "\n\n");
    if (text_is_blank(text))
        return;
    char *all = arena_printf(w->a, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARGS(text));
    open_message(w, USER);
    write_text(w, str_of(all));
}

// Beside results some models refuse everything, all of them documents.
static bool needs_gap(const struct bedrock_writing *w, const struct chat_part *p)
{
    return !w->own && w->role == USER && w->result && p->kind != PART_TOOL_RESULT &&
           (w->model->alone || p->kind == PART_FILE);
}

static void write_in_turn(struct bedrock_writing *w, const struct chat_part *p, int role)
{
    if (needs_gap(w, p)) {
        open_message(w, ASSISTANT);
        write_text(w, STR("."));
    }
    open_message(w, role);
    write_part(w, p);
    w->result = p->kind == PART_TOOL_RESULT || (w->result && p->kind != PART_TOOL_RESULT);
    bedrock_write_point(w, p->cache_ttl);
}

// A last message of the assistant is continued by the model and must not end in white space.
static void write_message(struct bedrock_writing *w, const struct chat_message *m, bool first)
{
    int role = m->role == ROLE_ASSISTANT ? ASSISTANT : m->role == ROLE_SYSTEM ? SYSTEM : USER;
    if (role == SYSTEM && !w->own) {
        write_reminder(w, m);
        return;
    }
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        if (!is_visible(w, p))
            continue;
        if (first && role == ASSISTANT && w->role == NONE && !w->own) {
            open_message(w, USER);
            write_text(w, STR("."));
        }
        bool last = p->kind == PART_TEXT && role == ASSISTANT && !p->next && !m->next && !w->own;
        struct chat_part trimmed = *p;
        if (last)
            trimmed.text = text_trimmed(p->text);
        write_in_turn(w, &trimmed, role);
    }
}

void bedrock_write_messages(struct bedrock_writing *w)
{
    bool prefill = bedrock_is_claude(w->model) && claude_model(w->to->model)->prefill;
    bool first = true;
    json_arr(&w->j, "messages");
    w->role = NONE;
    for (const struct chat_message *m = w->messages; m; m = m->next) {
        write_message(w, m, first);
        first = first && w->role == NONE;
    }
    if (!w->own && (first || (w->role == ASSISTANT && !prefill))) {
        open_message(w, USER);
        write_text(w, first ? STR(".") : STR("Continue."));
    }
    close_message(w);
    json_end(&w->j);
}

// --- system ---------------------------------------------------------------------

static const char NO_CALLS[] = "Answer in words. Do not call any tool now.";

void bedrock_write_system(struct bedrock_writing *w)
{
    bool asked = w->format == CLAUDE_FORMAT_PROMPT || w->no_calls, any = asked;
    for (const struct chat_part *p = w->in->system; p && !any; p = p->next)
        any = is_visible(w, p);
    if (!any)
        return;
    json_arr(&w->j, "system");
    for (const struct chat_part *p = w->in->system; p; p = p->next) {
        if (!is_visible(w, p))
            continue;
        write_part(w, p);
        bedrock_write_point(w, p->cache_ttl);
    }
    if (w->format == CLAUDE_FORMAT_PROMPT)
        write_text(w, format_prompt(w->a, w->in));
    if (w->no_calls)
        write_text(w, STR(NO_CALLS));
    json_end(&w->j);
}
