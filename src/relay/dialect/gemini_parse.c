// A generateContent request of a caller becomes the canonical conversation.

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/gemini.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

// A call of the history: results may name it by its id, or only by the function.
struct call {
    struct call *next;
    const char *id, *name;
    bool answered;
};

struct parse {
    struct arena *a;
    struct chat_message **end;
    struct call *calls, **calls_end;
    int turn, in_turn; // to number calls without an id, the same way every time
};

// One content while its parts are read.
struct content {
    struct chat_message *message;
    struct chat_part **end;        // of the message
    struct chat_part **signed_end; // behind the carried thinking it begins with
    struct chat_part *results, **results_end;
};

// --- signatures -----------------------------------------------------------------

// Thinking that was carried comes first in its turn, as its provider had it; Gemini's own signature
// stays before the part that it signs.
static void insert_carried(struct parse *p, struct content *c, struct str carried)
{
    struct chat_part *part = NEW(p->a, struct chat_part);
    part->kind = PART_THINKING;
    if (!carry_open(p->a, carried, part))
        return;
    part->next = *c->signed_end;
    if (c->end == c->signed_end)
        c->end = &part->next;
    *c->signed_end = part;
    c->signed_end = &part->next;
}

// True if it was somebody else's.
static bool take_carried(struct parse *p, struct content *c, struct str signature)
{
    struct str bytes = base64_bytes(p->a, signature), rest = bytes, one;
    if (!carry_is(bytes))
        return false;
    while (str_next(&rest, '\n', &one))
        insert_carried(p, c, one);
    return true;
}

static void read_signature(struct parse *p, struct content *c, yyjson_val *in)
{
    struct str signature = gemini_text(in, "thoughtSignature");
    if (!signature.n || take_carried(p, c, signature) || str_starts(signature, "skip_thought"))
        return;
    struct chat_part *part = part_add(p->a, &c->end, PART_THINKING);
    part->signature = signature;
    part->owner = &gemini_dialect;
}

// --- parts ----------------------------------------------------------------------

static void read_text(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value)
{
    struct str text = {yyjson_get_str(value), yyjson_get_len(value)};
    bool thought = json_bool_at(in, "thought", false);
    if (!thought)
        read_signature(p, c, in);
    if (!text.n)
        return;
    struct chat_part *part = part_add(p->a, &c->end, thought ? PART_THINKING : PART_TEXT);
    part->text = text;
    struct str signature = gemini_text(in, "thoughtSignature");
    if (thought && signature.n && !take_carried(p, c, signature)) {
        part->signature = signature;
        part->owner = &gemini_dialect;
    }
}

static enum part_kind kind_of(struct str mime)
{
    if (str_starts(mime, "image/"))
        return PART_IMAGE;
    return str_starts(mime, "audio/") ? PART_AUDIO : PART_FILE;
}

// "audio/x-wav", "audio/mpeg;rate=1": other dialects name the format only.
static const char *audio_format(struct arena *a, struct str mime)
{
    struct str rest = str_skip(mime, strlen("audio/")), name = {0};
    str_next(&rest, ';', &name);
    if (str_starts(name, "x-"))
        name = str_skip(name, 2);
    return str_is(name, "mpeg") ? "mp3" : arena_str(a, name);
}

static struct chat_part *add_data(struct arena *a, struct chat_part ***end, yyjson_val *value)
{
    struct str data = media_base64(a, gemini_text(value, "data"));
    struct str mime = media_mime(data, gemini_text(value, "mimeType"));
    struct chat_part *part = part_add(a, end, kind_of(mime));
    part->data = data;
    part->mime = mime;
    part->name = json_text_at(value, gemini_name(a, value, "displayName"));
    if (part->kind == PART_AUDIO)
        part->detail = audio_format(a, mime);
    return part;
}

static void read_data(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value)
{
    (void)in;
    add_data(p->a, &c->end, value);
}

// Only Google itself can open what lies in its own stores.
static void read_file(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value)
{
    (void)in;
    struct str uri = gemini_text(value, "fileUri"), mime = gemini_text(value, "mimeType");
    bool image = str_starts(mime, "image/");
    bool own = str_starts(uri, "gs://") ||
               str_starts(uri, "https://generativelanguage.googleapis.com/") ||
               !(str_starts(uri, "https://") || str_starts(uri, "http://"));
    struct chat_part *part = part_add(p->a, &c->end, image ? PART_IMAGE : PART_FILE);
    part->mime = mime;
    part->name = json_text_at(value, gemini_name(p->a, value, "displayName"));
    *(own ? &part->file_id : &part->url) = uri;
}

static void read_call(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value)
{
    yyjson_val *args = yyjson_obj_get(value, "args");
    struct call *call = NEW(p->a, struct call);
    read_signature(p, c, in);
    struct chat_part *part = part_add(p->a, &c->end, PART_TOOL_CALL);
    part->id = json_text_at(value, "id");
    if (text_is_empty(part->id))
        part->id = arena_printf(p->a, "call_%d_%d", p->turn, ++p->in_turn);
    part->name = json_text_at(value, "name");
    part->text = yyjson_is_obj(args) ? json_text_of(p->a, args) : STR("{}");
    *call = (struct call){.id = part->id, .name = part->name};
    *p->calls_end = call;
    p->calls_end = &call->next;
}

static void read_raw(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value)
{
    (void)value;
    struct chat_part *part = part_add(p->a, &c->end, PART_RAW);
    part->raw = in;
    part->owner = &gemini_dialect;
}

// --- results --------------------------------------------------------------------

// By id; else the first call of that function without a result, else the first without one at all.
static const char *call_id(struct parse *p, const char *id, const char *name)
{
    struct call *by_name = NULL, *open = NULL;
    for (struct call *c = p->calls; c; c = c->next) {
        if (c->answered)
            continue;
        if (id && text_eq(c->id, id)) {
            c->answered = true;
            return id;
        }
        if (!by_name && text_eq(c->name, name))
            by_name = c;
        open = open ? open : c;
    }
    struct call *found = by_name ? by_name : open;
    if (!found)
        return id ? id : "call_unknown";
    found->answered = true;
    return found->id;
}

// {"output": "text"} is the text, {"error": ...} a failure, anything else itself.
static struct str result_text(struct arena *a, yyjson_val *response, bool *is_error)
{
    static const char *const names[] = {"output", "result", "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        yyjson_val *only = yyjson_obj_get(response, names[i]);
        if (!only || yyjson_obj_size(response) != 1)
            continue;
        *is_error = i == 2;
        return yyjson_is_str(only) ? json_str_at(response, names[i]) : json_text_of(a, only);
    }
    return response ? json_text_of(a, response) : STR("");
}

static void read_result(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value)
{
    (void)in;
    size_t i, max;
    yyjson_val *inner;
    struct chat_part *part = part_add(p->a, &c->results_end, PART_TOOL_RESULT);
    part->name = json_text_at(value, "name");
    part->id = call_id(p, json_text_at(value, "id"), part->name);
    struct chat_part **end = &part->parts;
    struct str text = result_text(p->a, yyjson_obj_get(value, "response"), &part->is_error);
    if (text.n)
        part_add(p->a, &end, PART_TEXT)->text = text;
    yyjson_arr_foreach(yyjson_obj_get(value, "parts"), i, max, inner)
    {
        yyjson_val *data = gemini_at(inner, "inlineData");
        if (data)
            add_data(p->a, &end, data);
    }
}

// --- contents -------------------------------------------------------------------

static const struct {
    const char *name;
    void (*read)(struct parse *p, struct content *c, yyjson_val *in, yyjson_val *value);
} kinds[] = {
    {"text", read_text},       {"functionCall", read_call}, {"functionResponse", read_result},
    {"inlineData", read_data}, {"fileData", read_file},
};

static void read_part(struct parse *p, struct content *c, yyjson_val *in)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        yyjson_val *value = gemini_at(in, kinds[i].name);
        if (value) {
            kinds[i].read(p, c, in, value);
            return;
        }
    }
    if (yyjson_obj_size(in)) // executableCode and the like
        read_raw(p, c, in, NULL);
}

static void read_parts(struct parse *p, struct content *c, yyjson_val *parts)
{
    size_t i, max;
    yyjson_val *in;
    if (yyjson_is_obj(parts)) // old clients: one part without its array
        read_part(p, c, parts);
    yyjson_arr_foreach(parts, i, max, in) read_part(p, c, in);
}

static enum chat_role role_of(struct str role)
{
    if (str_is(role, "model") || str_is(role, "assistant"))
        return ROLE_ASSISTANT;
    return str_is(role, "system") ? ROLE_SYSTEM : ROLE_USER;
}

static struct err *read_content(struct parse *p, yyjson_val *in, size_t at)
{
    if (!yyjson_is_obj(in))
        return err_new(p->a, &err_field_invalid, "contents[%zu]", at);
    struct chat_message message = {.role = role_of(json_str_at(in, "role"))};
    struct content c = {.message = &message, .end = &message.parts, .signed_end = &message.parts};
    c.results_end = &c.results;
    if (message.role == ROLE_ASSISTANT) {
        p->turn++;
        p->in_turn = 0;
    }
    read_parts(p, &c, yyjson_obj_get(in, "parts"));
    if (c.results)
        message_add(p->a, &p->end, ROLE_TOOL)->parts = c.results;
    if (message.parts)
        message_add(p->a, &p->end, message.role)->parts = message.parts;
    return NULL;
}

static void read_system(struct parse *p, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *in = gemini_at(body, "systemInstruction");
    struct chat_message message = {0};
    struct content c = {.message = &message, .end = &message.parts, .signed_end = &message.parts};
    c.results_end = &c.results;
    if (yyjson_is_str(in))
        part_add(p->a, &c.end, PART_TEXT)->text =
            (struct str){yyjson_get_str(in), yyjson_get_len(in)};
    read_parts(p, &c, yyjson_obj_get(in, "parts"));
    out->system = message.parts;
}

struct err *gemini_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    *out = (struct chat_request){.body = body, .owner = &gemini_dialect};
    TRY(gemini_dialect.read_head(a, body, &out->head));
    body = out->body = gemini_body(body);
    struct parse p = {.a = a, .end = &out->messages};
    p.calls_end = &p.calls;
    size_t i, max;
    yyjson_val *list, *in;
    TRY(take_list(a, body, "contents", &list));
    if (yyjson_arr_size(list) == 0)
        return err_new(a, &err_field_missing, "contents");
    if (gemini_text(body, "cachedContent").n) // nobody else can see what is in it
        return err_new(a, &err_field_invalid, "cachedContent");
    yyjson_arr_foreach(list, i, max, in) TRY(read_content(&p, in, i));
    read_system(&p, body, out);
    TRY(gemini_parse_tools(a, body, out));
    return gemini_parse_config(a, body, out);
}
