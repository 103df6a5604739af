// Writing contents as Gemini wants them: two roles in turn, results by the function's name, each
// signature on the call it was given with (gemini.md 2.1, 4.1).

#include "relay/dialect/gemini_messages.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/history.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

// What Google documents for calls whose signature was lost, or never was.
static const char SKIPPED[] = "skip_thought_signature_validator";

// --- contents -------------------------------------------------------------------

static void close_content(struct gemini_writing *w)
{
    if (!w->role)
        return;
    json_end(&w->j);
    json_end(&w->j);
    w->role = NULL;
}

static void open_content(struct gemini_writing *w, const char *role)
{
    if (text_eq(w->role, role))
        return;
    close_content(w);
    w->role = role;
    json_obj(&w->j, NULL);
    json_str(&w->j, "role", role);
    json_arr(&w->j, "parts");
}

static void write_text(struct gemini_writing *w, struct str text)
{
    json_obj(&w->j, NULL);
    json_strn(&w->j, "text", text);
    json_end(&w->j);
}

// --- media ----------------------------------------------------------------------

static void write_missing(struct gemini_writing *w, const char *what)
{
    chat_dropped(w->to, what);
    write_text(w, str_of(arena_printf(w->a, "[%s that cannot be shown here]", what)));
}

static void write_data(struct gemini_writing *w, struct str data, struct str mime)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, "inlineData");
    json_strn(&w->j, "mimeType", mime);
    json_strn(&w->j, "data", media_base64(w->a, data));
    json_end(&w->j);
    json_end(&w->j);
}

static const struct {
    const char *end, *mime;
} endings[] = {
    {".png", "image/png"},   {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},
    {".webp", "image/webp"}, {".gif", "image/gif"},  {".pdf", "application/pdf"},
    {".heic", "image/heic"}, {".mp4", "video/mp4"},  {".txt", "text/plain"},
};

// By the end of its path; .n 0 if that tells nothing.
static struct str mime_of_url(struct str url)
{
    struct str path = {0};
    str_next(&url, '?', &path);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        size_t n = strlen(endings[i].end);
        if (path.n > n && !strncasecmp(path.p + path.n - n, endings[i].end, n))
            return str_of(endings[i].mime);
    }
    return (struct str){0};
}

// Google's own stores are always open to it; the web only to newer models.
static bool may_open(const struct gemini_model *model, struct str url)
{
    static const char *const own[] = {"gs://", "https://generativelanguage.googleapis.com/",
                                      "https://www.youtube.com/", "https://youtu.be/"};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (str_starts(url, own[i]))
            return true;
    return model->addresses && (str_starts(url, "https://") || str_starts(url, "http://"));
}

bool gemini_wants_bytes(const struct chat_target *to, const struct chat_part *p)
{
    return p->kind <= PART_FILE && !may_open(gemini_model(to->model), p->url);
}

static void write_address(struct gemini_writing *w, const struct chat_part *p, struct str url)
{
    struct str mime = p->mime.n ? p->mime : mime_of_url(url);
    json_obj(&w->j, NULL);
    json_obj(&w->j, "fileData");
    if (mime.n)
        json_strn(&w->j, "mimeType", mime);
    json_strn(&w->j, "fileUri", url);
    json_end(&w->j);
    json_end(&w->j);
}

static void write_titled(struct gemini_writing *w, const struct chat_part *p)
{
    const char *title = p->name ? p->name : "document";
    write_text(w, str_of(arena_printf(w->a, "[%s]\n%.*s", title, STR_ARGS(p->text))));
}

static struct str mime_of(struct gemini_writing *w, const struct chat_part *p)
{
    if (p->kind == PART_AUDIO && !p->mime.n)
        return str_of(arena_printf(w->a, "audio/%s", p->detail ? p->detail : "wav"));
    return media_mime(p->data, p->mime);
}

static void write_media(struct gemini_writing *w, const struct chat_part *p, const char *what)
{
    if (p->text.n)
        write_titled(w, p);
    else if (p->data.n)
        write_data(w, p->data, mime_of(w, p));
    else if (p->url.n && may_open(w->model, p->url))
        write_address(w, p, p->url);
    else if (p->file_id.n && may_open(w->model, p->file_id))
        write_address(w, p, p->file_id);
    else
        write_missing(w, what);
}

// --- calls and results ----------------------------------------------------------

static void write_call(struct gemini_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, "functionCall");
    json_str(&w->j, "id", p->id);
    json_str(&w->j, "name", name_to_wire(w->a, w->names, p->name ? p->name : ""));
    json_raw(&w->j, "args", object_text(w->a, p->text));
    json_end(&w->j);
    if (w->signature.n)
        json_strn(&w->j, "thoughtSignature", w->signature);
    else if (!w->called && w->model->signatures)
        json_str(&w->j, "thoughtSignature", SKIPPED);
    json_end(&w->j);
    w->signature = (struct str){0};
    w->called = true;
}

static const char *name_of_call(const struct gemini_writing *w, const struct chat_part *result)
{
    for (const struct chat_part *p = w->turn ? w->turn->parts : NULL; p; p = p->next)
        if (p->kind == PART_TOOL_CALL && text_eq(p->id, result->id) && p->name)
            return p->name;
    return result->name ? result->name : "unknown";
}

static bool is_picture(const struct chat_part *p)
{
    return p->kind == PART_IMAGE || p->kind == PART_FILE || p->kind == PART_AUDIO;
}

static struct str result_text(struct gemini_writing *w, const struct chat_part *r)
{
    BUF_HERE(text, (size_t)256 << 20);
    int pictures = 0;
    for (const struct chat_part *p = r->parts; p; p = p->next) {
        if (is_picture(p) && w->model->rich_results)
            continue;
        if (text.n)
            buf_puts(&text, "\n");
        if (is_picture(p))
            buf_printf(&text, "[image %d of %s follows]", ++pictures, r->id);
        else if (p->kind == PART_TEXT)
            buf_str(&text, p->text);
        else if (p->raw)
            buf_str(&text, json_text_of(w->a, p->raw));
    }
    return (struct str){arena_str(w->a, buf_view(&text)), text.n};
}

static bool any_data(const struct chat_part *p)
{
    for (; p; p = p->next)
        if (is_picture(p) && p->data.n)
            return true;
    return false;
}

static void write_result(struct gemini_writing *w, const struct chat_part *r)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, "functionResponse");
    json_str(&w->j, "id", r->id);
    json_str(&w->j, "name", name_to_wire(w->a, w->names, name_of_call(w, r)));
    json_obj(&w->j, "response");
    json_strn(&w->j, r->is_error ? "error" : "output", result_text(w, r));
    json_end(&w->j);
    if (w->model->rich_results && any_data(r->parts)) {
        json_arr(&w->j, "parts");
        for (const struct chat_part *p = r->parts; p; p = p->next)
            if (is_picture(p) && p->data.n)
                write_data(w, p->data, mime_of(w, p));
        json_end(&w->j);
    }
    json_end(&w->j);
    json_end(&w->j);
}

// Older models see a result's pictures behind all of the results.
static void write_pictures(struct gemini_writing *w, const struct chat_message *m)
{
    for (const struct chat_part *r = m->parts; r && !w->model->rich_results; r = r->next) {
        int n = 0;
        for (const struct chat_part *p = r->parts; p; p = p->next) {
            if (!is_picture(p))
                continue;
            write_text(w, str_of(arena_printf(w->a, "[image %d of %s]", ++n, r->id)));
            write_media(w, p, "image");
        }
    }
}

// --- messages -------------------------------------------------------------------

static void take_signature(struct gemini_writing *w, const struct chat_part *p)
{
    if (p->owner == &gemini_dialect)
        w->signature = p->signature.n ? p->signature : p->redacted;
}

static bool is_written(const struct gemini_writing *w, const struct chat_part *p)
{
    if (p->kind == PART_RAW)
        chat_dropped(w->to, "content");
    if (p->kind == PART_TEXT || p->kind == PART_REFUSAL)
        return p->text.n > 0;
    return p->kind != PART_THINKING && p->kind != PART_RAW;
}

static void write_part(struct gemini_writing *w, const struct chat_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(w, p->text); break;
    case PART_IMAGE: write_media(w, p, "image"); break;
    case PART_AUDIO: write_media(w, p, "audio"); break;
    case PART_FILE: write_media(w, p, "file"); break;
    case PART_TOOL_CALL: write_call(w, p); break;
    case PART_TOOL_RESULT: write_result(w, p); break;
    case PART_THINKING:
    case PART_RAW: break;
    }
}

static void write_parts(struct gemini_writing *w, const struct chat_message *m, const char *role)
{
    bool first = true;
    w->signature = (struct str){0};
    w->called = false;
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        if (p->kind == PART_THINKING)
            take_signature(w, p);
        if (!is_written(w, p))
            continue;
        if (first && !w->role && text_eq(role, "model")) { // a conversation begins with its user
            open_content(w, "user");
            write_text(w, STR("."));
        }
        first = false;
        open_content(w, role);
        write_part(w, p);
    }
}

static void write_reminder(struct gemini_writing *w, const struct chat_message *m)
{
    struct str text = parts_text(w->a, m->parts, "\n\n");
    if (text_is_blank(text))
        return;
    char *all = arena_printf(w->a, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARGS(text));
    open_content(w, "user");
    write_text(w, str_of(all));
}

static void write_message(struct gemini_writing *w, const struct chat_message *m)
{
    switch (m->role) {
    case ROLE_SYSTEM: write_reminder(w, m); break;
    case ROLE_ASSISTANT:
        w->turn = m;
        write_parts(w, m, "model");
        break;
    case ROLE_TOOL:
        write_parts(w, m, "user");
        write_pictures(w, m);
        break;
    case ROLE_USER: write_parts(w, m, "user");
    }
}

// --- system ---------------------------------------------------------------------

static bool is_prompt(const struct chat_part *p)
{
    // Claude Code's first text differs with every build and would spoil caches.
    return p->kind == PART_TEXT && !text_is_blank(p->text) && !text_is_billing(p->text);
}

static bool any_prompt(const struct gemini_writing *w)
{
    bool any = w->format == GEMINI_FORMAT_PROMPT;
    for (const struct chat_part *p = w->in->system; p && !any; p = p->next)
        any = is_prompt(p);
    return any;
}

static void write_prompts(struct gemini_writing *w)
{
    for (const struct chat_part *p = w->in->system; p; p = p->next)
        if (is_prompt(p))
            write_text(w, p->text);
    if (w->format == GEMINI_FORMAT_PROMPT)
        write_text(w, format_prompt(w->a, w->in));
}

void gemini_write_system(struct gemini_writing *w)
{
    if (w->model->no_system || !any_prompt(w))
        return;
    json_obj(&w->j, "systemInstruction");
    json_arr(&w->j, "parts");
    write_prompts(w);
    json_end(&w->j);
    json_end(&w->j);
}

void gemini_write_contents(struct gemini_writing *w)
{
    bool none = true;
    json_arr(&w->j, "contents");
    if (w->model->no_system && any_prompt(w)) {
        open_content(w, "user");
        write_prompts(w);
    }
    for (const struct chat_message *m = history_repair(w->a, w->in->messages); m; m = m->next) {
        write_message(w, m);
        none = none && !w->role;
    }
    if (none) { // only a system prompt
        open_content(w, "user");
        write_text(w, STR("."));
    }
    close_content(w);
    json_end(&w->j);
}
