// Writing messages as Cohere wants them: what is said before a call is its plan, results are texts,
// files are documents beside the conversation (cohere.md 2.1, 11).

#include "relay/dialect/cohere_messages.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

// --- content --------------------------------------------------------------------

static void begin_message(struct cohere_writing *w, const char *role)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "role", role);
}

static void write_text(struct cohere_writing *w, struct str text)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "text");
    json_strn(&w->j, "text", text);
    json_end(&w->j);
}

static void write_image(struct cohere_writing *w, const struct chat_part *p)
{
    struct str url = media_to_url(w->a, p);
    if (!url.n) {
        chat_dropped(w->to, "image");
        write_text(w, STR("[an image that cannot be shown here]"));
        return;
    }
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "image_url");
    json_obj(&w->j, "image_url");
    json_strn(&w->j, "url", url);
    if (p->detail)
        json_str(&w->j, "detail", p->detail);
    json_end(&w->j);
    json_end(&w->j);
}

static void write_file(struct cohere_writing *w, const struct chat_part *p)
{
    const char *name = p->name ? p->name : "document";
    if (cohere_document(w->a, p).p) {
        write_text(w, str_of(arena_printf(w->a, "[document: %s]", name)));
        return;
    }
    chat_dropped(w->to, "file");
    struct str shown = p->url.n ? p->url : STR("a file that cannot be shown here");
    write_text(w, str_of(arena_printf(w->a, "[%s]\n%.*s", name, STR_ARGS(shown))));
}

// The documents of a request in this dialect ride along as they are.
static bool is_shown(const struct cohere_writing *w, const struct chat_part *p)
{
    if (w->own && p->kind == PART_FILE)
        return false;
    return p->kind != PART_RAW || p->owner == &cohere_dialect;
}

static void write_part(struct cohere_writing *w, const struct chat_part *p)
{
    if (!is_shown(w, p)) {
        if (!w->own)
            chat_dropped(w->to, "content");
        return;
    }
    if (p->raw && p->owner == &cohere_dialect) {
        json_raw(&w->j, NULL, json_text_of(w->a, p->raw));
        return;
    }
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(w, p->text); break;
    case PART_IMAGE: write_image(w, p); break;
    case PART_FILE: write_file(w, p); break;
    default: chat_dropped(w->to, p->kind == PART_AUDIO ? "audio" : "content");
    }
}

// --- messages -------------------------------------------------------------------

static void write_said(struct cohere_writing *w, const char *role, struct str text)
{
    begin_message(w, role);
    json_strn(&w->j, "content", text);
    json_end(&w->j);
}

static void write_user(struct cohere_writing *w, const struct chat_message *m)
{
    const struct chat_part *only = NULL;
    int shown = 0;
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (is_shown(w, p) && ++shown)
            only = p;
    if (!shown)
        return;
    bool raw = only->raw && only->owner == &cohere_dialect;
    if (shown == 1 && only->kind == PART_TEXT && !raw) {
        write_said(w, "user", only->text);
        return;
    }
    begin_message(w, "user");
    json_arr(&w->j, "content");
    for (const struct chat_part *p = m->parts; p; p = p->next)
        write_part(w, p);
    json_end(&w->j);
    json_end(&w->j);
}

// Any id will do, but there must be one.
static const char *id_of(struct cohere_writing *w, const char *id)
{
    return text_is_empty(id) ? id_legal(w->a, id, COHERE_NAME_MAX) : id;
}

static void write_call(struct cohere_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "id", id_of(w, p->id));
    json_str(&w->j, "type", "function");
    json_obj(&w->j, "function");
    json_str(&w->j, "name", name_to_wire(w->a, w->names, p->name ? p->name : ""));
    json_strn(&w->j, "arguments", p->text.n ? p->text : STR("{}"));
    json_end(&w->j);
    json_end(&w->j);
}

static struct str texts_of(struct cohere_writing *w, const struct chat_message *m,
                           enum part_kind kind)
{
    struct chat_part *list = NULL, **end = &list;
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (p->text.n && (p->kind == kind || (kind == PART_TEXT && p->kind == PART_REFUSAL)))
            part_add(w->a, &end, PART_TEXT)->text = p->text;
    return parts_text(w->a, list, "");
}

// What was thought goes back where the model thinks; signatures have no place here.
static void write_answer(struct cohere_writing *w, struct str text, struct str thinking)
{
    begin_message(w, "assistant");
    if (thinking.n && w->model->thinks) {
        json_arr(&w->j, "content");
        json_obj(&w->j, NULL);
        json_str(&w->j, "type", "thinking");
        json_strn(&w->j, "thinking", thinking);
        json_end(&w->j);
        if (text.n)
            write_text(w, text);
        json_end(&w->j);
    } else {
        json_strn(&w->j, "content", text);
    }
    json_end(&w->j);
}

static void write_assistant(struct cohere_writing *w, const struct chat_message *m)
{
    struct str text = texts_of(w, m, PART_TEXT), thinking = texts_of(w, m, PART_THINKING);
    bool calls = false;
    for (const struct chat_part *p = m->parts; p; p = p->next)
        calls = calls || p->kind == PART_TOOL_CALL;
    if (!calls && (text.n || (thinking.n && w->model->thinks)))
        write_answer(w, text, thinking);
    if (!calls)
        return;
    begin_message(w, "assistant");
    if (text.n || thinking.n)
        json_strn(&w->j, "tool_plan", text.n ? text : thinking);
    json_arr(&w->j, "tool_calls");
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (p->kind == PART_TOOL_CALL)
            write_call(w, p);
    json_end(&w->j);
    json_end(&w->j);
}

static struct str result_text(struct cohere_writing *w, const struct chat_part *r)
{
    BUF_HERE(text, (size_t)256 << 20);
    if (r->is_error)
        buf_puts(&text, "Error: ");
    for (const struct chat_part *p = r->parts; p; p = p->next) {
        struct str document = cohere_document(w->a, p);
        if (p != r->parts)
            buf_puts(&text, "\n");
        if (p->kind == PART_TEXT || document.p)
            buf_str(&text, document.p ? document : p->text);
        else if (p->kind == PART_RAW)
            buf_str(&text, json_text_of(w->a, p->raw));
        else
            buf_puts(&text, "[an image that cannot be shown here]");
        if (p->kind == PART_IMAGE || (p->kind == PART_FILE && !document.p))
            chat_dropped(w->to, p->kind == PART_IMAGE ? "image" : "file");
    }
    return (struct str){arena_str(w->a, buf_view(&text)), text.n};
}

static bool is_raw(const struct chat_part *parts)
{
    return parts && parts->raw && parts->owner == &cohere_dialect;
}

static void write_results(struct cohere_writing *w, const struct chat_message *m)
{
    for (const struct chat_part *r = m->parts; r; r = r->next) {
        begin_message(w, "tool");
        json_str(&w->j, "tool_call_id", id_of(w, r->id));
        if (is_raw(r->parts)) {
            json_arr(&w->j, "content");
            for (const struct chat_part *p = r->parts; p; p = p->next)
                json_raw(&w->j, NULL, json_text_of(w->a, p->raw));
            json_end(&w->j);
        } else {
            json_strn(&w->j, "content", result_text(w, r));
        }
        json_end(&w->j);
    }
}

static void write_system(struct cohere_writing *w)
{
    struct chat_part *kept = NULL, **end = &kept;
    for (const struct chat_part *p = w->in->system; p; p = p->next)
        if (p->kind == PART_TEXT && !text_is_billing(p->text))
            part_add(w->a, &end, PART_TEXT)->text = p->text;
    struct str text = parts_text(w->a, kept, "\n\n");
    bool asks = w->format == COHERE_FORMAT_JSON || w->format == COHERE_FORMAT_PROMPT;
    if (asks) {
        struct str words = format_prompt(w->a, w->in);
        text = str_of(arena_printf(w->a, "%.*s%s%.*s", STR_ARGS(text), text.n ? "\n\n" : "",
                                   STR_ARGS(words)));
    }
    if (text.n)
        write_said(w, "system", text);
}

static void write_message(struct cohere_writing *w, const struct chat_message *m)
{
    struct str text = {0};
    switch (m->role) {
    case ROLE_USER: write_user(w, m); break;
    case ROLE_ASSISTANT: write_assistant(w, m); break;
    case ROLE_TOOL: write_results(w, m); break;
    case ROLE_SYSTEM:
        text = parts_text(w->a, m->parts, "\n\n");
        if (text.n)
            write_said(w, "system", text);
    }
}

// --- documents ------------------------------------------------------------------

static void write_document(struct cohere_writing *w, const struct chat_part *p, struct str text,
                           int n)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "id", p->id ? p->id : arena_printf(w->a, "doc:%d", n));
    json_obj(&w->j, "data");
    if (p->name)
        json_str(&w->j, "title", p->name);
    json_strn(&w->j, "text", text);
    json_end(&w->j);
    json_end(&w->j);
}

// In the order of the conversation: "doc:0" is the first, as Anthropic's document_index counts.
static void write_documents(struct cohere_writing *w)
{
    int n = 0;
    for (const struct chat_message *m = w->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next) {
            struct str text = m->role == ROLE_USER ? cohere_document(w->a, p) : (struct str){0};
            if (!text.p)
                continue;
            if (!n)
                json_arr(&w->j, "documents");
            write_document(w, p, text, n++);
        }
    if (n)
        json_end(&w->j);
}

void cohere_write_messages(struct cohere_writing *w)
{
    json_arr(&w->j, "messages");
    write_system(w);
    size_t before = w->j.out->n;
    for (const struct chat_message *m = w->messages; m; m = m->next)
        write_message(w, m);
    if (w->j.out->n == before)
        write_said(w, "user", STR("."));
    json_end(&w->j);
    if (!w->own)
        write_documents(w);
}
