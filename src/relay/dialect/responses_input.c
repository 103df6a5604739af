// Writing a conversation as the items of a Responses request.

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/history.h"
#include "relay/dialect/media.h"
#include "relay/dialect/responses_request.h"
#include "relay/dialect/take.h"

// --- parts ----------------------------------------------------------------------

static void write_text(struct responses_writing *w, const char *type, struct str text)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", type);
    json_strn(&w->j, text_eq(type, "refusal") ? "refusal" : "text", text);
    if (text_eq(type, "output_text")) {
        json_arr(&w->j, "annotations");
        json_end(&w->j);
    }
    json_end(&w->j);
}

static void write_missing(struct responses_writing *w, const char *what)
{
    chat_dropped(w->to, what);
    write_text(w, "input_text",
               str_of(arena_printf(w->a, "[a %s that cannot be shown here]", what)));
}

static void write_image(struct responses_writing *w, const struct chat_part *p)
{
    struct str url = media_to_url(w->a, p);
    if (!url.n) {
        write_missing(w, "picture");
        return;
    }
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "input_image");
    json_strn(&w->j, "image_url", url);
    json_str(&w->j, "detail", p->detail ? p->detail : "auto");
    json_end(&w->j);
}

static void write_file(struct responses_writing *w, const struct chat_part *p)
{
    struct str text = p->text;
    if (!text.p && p->data.n && str_starts(p->mime, "text/"))
        text = base64_bytes(w->a, p->data);
    if (text.p && utf8_valid(text)) {
        char *all =
            arena_printf(w->a, "[%s]\n%.*s", p->name ? p->name : "document", STR_ARGS(text));
        write_text(w, "input_text", str_of(all));
        return;
    }
    if (!p->data.n && !p->url.n) {
        write_missing(w, "file");
        return;
    }
    if (p->data.n && str_starts(media_mime(p->data, p->mime), "image/")) {
        write_image(w, p);
        return;
    }
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "input_file");
    if (p->data.n) {
        json_str(&w->j, "filename", media_file_name(w->a, p));
        json_strn(&w->j, "file_data", media_to_url(w->a, p));
    } else {
        json_strn(&w->j, "file_url", p->url);
    }
    json_end(&w->j);
}

static void write_part(struct responses_writing *w, const struct chat_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(w, "input_text", p->text); break;
    case PART_IMAGE: write_image(w, p); break;
    case PART_FILE: write_file(w, p); break;
    case PART_AUDIO: write_missing(w, "sound"); break;
    default: chat_dropped(w->to, "content");
    }
}

static bool any_written(const struct chat_part *parts)
{
    for (; parts; parts = parts->next)
        if (parts->kind <= PART_FILE || parts->kind == PART_REFUSAL)
            return true;
    return false;
}

static void write_parts(struct responses_writing *w, const char *key, const struct chat_part *parts)
{
    json_arr(&w->j, key);
    for (const struct chat_part *p = parts; p; p = p->next)
        write_part(w, p);
    json_end(&w->j);
}

// --- items ----------------------------------------------------------------------

static void begin_message(struct responses_writing *w, const char *role)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "message");
    json_str(&w->j, "role", role);
}

static void write_user(struct responses_writing *w, const struct chat_message *m)
{
    if (!any_written(m->parts))
        return;
    begin_message(w, "user");
    write_parts(w, "content", m->parts);
    json_end(&w->j);
}

static void write_note(struct responses_writing *w, const struct chat_message *m)
{
    struct str text = parts_text(w->a, m->parts, "\n\n");
    if (!text.n)
        return;
    begin_message(w, "developer");
    json_strn(&w->j, "content", text);
    json_end(&w->j);
}

static bool is_said(const struct chat_part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_REFUSAL;
}

// Texts that follow each other are one message; answers the first part behind them.
static const struct chat_part *write_said(struct responses_writing *w, const struct chat_part *p)
{
    begin_message(w, "assistant");
    json_arr(&w->j, "content");
    for (; p && is_said(p); p = p->next)
        write_text(w, p->kind == PART_TEXT ? "output_text" : "refusal", p->text);
    json_end(&w->j);
    json_end(&w->j);
    return p;
}

static void write_call(struct responses_writing *w, const struct chat_part *p)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "function_call");
    json_str(&w->j, "call_id", id_legal(w->a, p->id, RESPONSES_ID_MAX));
    json_str(&w->j, "name", name_to_wire(w->a, w->names, p->name ? p->name : ""));
    json_strn(&w->j, "arguments", p->text.n ? p->text : STR("{}"));
    json_end(&w->j);
}

static bool is_ours(const struct chat_part *p)
{
    return p->owner == &responses_dialect && (p->signature.n || p->redacted.n);
}

// Reasoning stands before what came of it, else it is refused; without its state it means nothing.
static void write_reasoning(struct responses_writing *w, const struct chat_part *p)
{
    const struct chat_part *next = p->next;
    while (next && !is_said(next) && next->kind != PART_TOOL_CALL)
        next = next->next;
    if (!next || !is_ours(p))
        return;
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "reasoning");
    json_arr(&w->j, "summary");
    if (p->text.n)
        write_text(w, "summary_text", p->text);
    json_end(&w->j);
    json_strn(&w->j, "encrypted_content", p->signature.n ? p->signature : p->redacted);
    json_end(&w->j);
}

static void write_assistant(struct responses_writing *w, const struct chat_message *m)
{
    for (const struct chat_part *p = m->parts; p;) {
        if (is_said(p)) {
            p = write_said(w, p);
            continue;
        }
        if (p->kind == PART_TOOL_CALL)
            write_call(w, p);
        else if (p->kind == PART_THINKING)
            write_reasoning(w, p);
        else
            chat_dropped(w->to, "content");
        p = p->next;
    }
}

static bool is_text_only(const struct chat_part *parts)
{
    for (; parts; parts = parts->next)
        if (parts->kind != PART_TEXT)
            return false;
    return true;
}

static struct str result_text(struct responses_writing *w, const struct chat_part *r)
{
    struct str text = parts_text(w->a, r->parts, "\n");
    if (!text.p)
        text = STR("");
    return r->is_error ? str_of(arena_printf(w->a, "Error: %.*s", STR_ARGS(text))) : text;
}

static void write_results(struct responses_writing *w, const struct chat_message *m)
{
    for (const struct chat_part *r = m->parts; r; r = r->next) {
        json_obj(&w->j, NULL);
        json_str(&w->j, "type", "function_call_output");
        json_str(&w->j, "call_id", id_legal(w->a, r->id, RESPONSES_ID_MAX));
        if (is_text_only(r->parts))
            json_strn(&w->j, "output", result_text(w, r));
        else
            write_parts(w, "output", r->parts);
        json_end(&w->j);
    }
}

static void write_message(struct responses_writing *w, const struct chat_message *m)
{
    switch (m->role) {
    case ROLE_USER: write_user(w, m); break;
    case ROLE_ASSISTANT: write_assistant(w, m); break;
    case ROLE_TOOL: write_results(w, m); break;
    case ROLE_SYSTEM: write_note(w, m); break;
    }
}

// --- all of it ------------------------------------------------------------------

// Claude Code's first system text differs with every build and would spoil prompt caches.
static struct str instructions_of(struct responses_writing *w)
{
    struct chat_part *kept = NULL, **end = &kept;
    for (const struct chat_part *p = w->in->system; p; p = p->next)
        if (p->kind == PART_TEXT && !text_is_billing(p->text))
            part_add(w->a, &end, PART_TEXT)->text = p->text;
    return parts_text(w->a, kept, "\n\n");
}

static void write_translated(struct responses_writing *w)
{
    struct str instructions = instructions_of(w);
    if (instructions.n)
        json_strn(&w->j, "instructions", instructions);
    json_arr(&w->j, "input");
    const struct chat_message *m = history_repair(w->a, w->in->messages);
    if (!m) {
        json_obj(&w->j, NULL);
        json_str(&w->j, "role", "user");
        json_str(&w->j, "content", "");
        json_end(&w->j);
    }
    for (; m; m = m->next)
        write_message(w, m);
    json_end(&w->j);
}

// Reasoning of another vendor's model is left out, this one's is unwrapped; the rest is as it was.
static void write_own_item(struct responses_writing *w, yyjson_val *in)
{
    static const char *const replaced[] = {"encrypted_content", NULL};
    struct str state = json_str_at(in, "encrypted_content");
    struct chat_part part = {.kind = PART_THINKING};
    if (!carry_is(state)) {
        json_val(&w->j, NULL, in);
        return;
    }
    if (!carry_open(w->a, state, &part) || !is_ours(&part))
        return;
    json_obj(&w->j, NULL);
    ride_along(w->a, &w->j, in, replaced);
    json_strn(&w->j, "encrypted_content", part.signature.n ? part.signature : part.redacted);
    json_end(&w->j);
}

static void write_own(struct responses_writing *w)
{
    yyjson_val *input = yyjson_obj_get(w->in->body, "input"), *in;
    yyjson_val *said = yyjson_obj_get(w->in->body, "instructions");
    const struct chat_part *first = w->in->system; // the channel's own, if not the caller's
    size_t i, max;
    if (said)
        json_val(&w->j, "instructions", said);
    else if (first && first->owner != &responses_dialect)
        json_strn(&w->j, "instructions", first->text);
    if (!yyjson_is_arr(input)) {
        json_val(&w->j, "input", input);
        return;
    }
    json_arr(&w->j, "input");
    yyjson_arr_foreach(input, i, max, in) write_own_item(w, in);
    json_end(&w->j);
}

void responses_write_input(struct responses_writing *w)
{
    if (w->own)
        write_own(w);
    else
        write_translated(w);
}
