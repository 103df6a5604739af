// Custom tools as functions: wrapping their text, and an unescaper that works on pieces.

#include "relay/dialect/custom.h"

#include <string.h>

#include "common/arena.h"

static const char KEY[] = "input";
enum { KEY_SIZE = sizeof(KEY) - 1, TEXT_MOST = 256 << 20 };

struct str custom_arguments(struct arena *a, struct str input)
{
    BUF_HERE(text, TEXT_MOST);
    buf_puts(&text, "{\"input\":");
    json_quote(&text, input);
    buf_puts(&text, "}");
    return (struct str){arena_str(a, buf_view(&text)), text.n};
}

struct str custom_schema(void)
{
    return STR("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\","
               "\"description\":\"the raw text\"}},\"required\":[\"input\"]}");
}

const char *custom_description(struct arena *a, const char *description, yyjson_val *format)
{
    const char *begin = text_is_empty(description) ? "" : description;
    const char *gap = *begin ? "\n\n" : "", *grammar = json_text_at(format, "definition");
    if (!grammar)
        return arena_printf(a, "%s%sPut the raw text in `input`.", begin, gap);
    const char *syntax = json_text_at(format, "syntax");
    return arena_printf(a, "%s%sPut the raw text in `input`. It must match this %s grammar:\n%s",
                        begin, gap, syntax ? syntax : "lark", grammar);
}

static void put_code(struct custom *c, struct buf *out)
{
    unsigned code = c->code;
    bool low = code >= 0xdc00 && code < 0xe000;
    if (c->high && !low) { // a half without its other half
        c->high = 0;
        buf_puts(out, "\xef\xbf\xbd");
    }
    if (code >= 0xd800 && code < 0xdc00) {
        c->high = code;
        return;
    }
    if (low)
        code = c->high ? 0x10000 + ((c->high - 0xd800) << 10) + (code - 0xdc00) : 0xfffd;
    c->high = 0;
    char text[4];
    size_t n = 0;
    if (code < 0x80) {
        text[n++] = (char)code;
    } else if (code < 0x800) {
        text[n++] = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        text[n++] = (char)(0xe0 | code >> 12);
        text[n++] = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
        text[n++] = (char)(0xf0 | code >> 18);
        text[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        text[n++] = (char)(0x80 | (code >> 6 & 0x3f));
    }
    if (code >= 0x80)
        text[n++] = (char)(0x80 | (code & 0x3f));
    buf_add(out, text, n);
}

static void in_escape(struct custom *c, char at, struct buf *out)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const char *found = strchr(from, at);
    c->at = CUSTOM_TEXT;
    if (at == 'u') {
        c->at = CUSTOM_HEX;
        c->code = 0;
        c->digits = 0;
    } else {
        buf_add(out, found ? to + (found - from) : &at, 1);
    }
}

static void in_hex(struct custom *c, char at, struct buf *out)
{
    unsigned digit =
        at >= '0' && at <= '9' ? (unsigned)(at - '0') : (unsigned)((at | 32) - 'a' + 10);
    c->code = c->code << 4 | (digit & 15);
    if (++c->digits < 4)
        return;
    c->at = CUSTOM_TEXT;
    put_code(c, out);
}

static void in_other(struct custom *c, char at)
{
    if (c->escape)
        c->escape = false;
    else if (c->quoted && at == '\\')
        c->escape = true;
    else if (at == '"')
        c->quoted = !c->quoted;
    else if (!c->quoted && (at == '{' || at == '['))
        c->depth++;
    else if (!c->quoted && (at == '}' || at == ']') && c->depth-- == 0)
        c->at = CUSTOM_OVER;
    else if (!c->quoted && at == ',' && c->depth == 0)
        c->at = CUSTOM_BEFORE;
}

static void in_value(struct custom *c, char at)
{
    if (strchr(" \t\r\n", at))
        return;
    if (at == '"' && c->key == KEY_SIZE) {
        c->at = CUSTOM_TEXT;
        return;
    }
    c->at = CUSTOM_OTHER;
    c->quoted = c->escape = false;
    c->depth = 0;
    in_other(c, at);
}

static void in_key(struct custom *c, char at)
{
    if (at == '"')
        c->at = CUSTOM_COLON;
    else
        c->key = c->key < KEY_SIZE && at == KEY[c->key] ? c->key + 1 : KEY_SIZE + 1;
}

// One character that is no plain text.
static void step(struct custom *c, char at, struct buf *out)
{
    switch (c->at) {
    case CUSTOM_BEGIN:
        if (at == '{')
            c->at = CUSTOM_BEFORE;
        else if (!strchr(" \t\r\n", at))
            c->at = CUSTOM_PLAIN;
        if (c->at == CUSTOM_PLAIN)
            buf_add(out, &at, 1);
        break;
    case CUSTOM_BEFORE:
        if (at == '}')
            c->at = CUSTOM_OVER;
        if (at == '"') {
            c->at = CUSTOM_KEY;
            c->key = 0;
        }
        break;
    case CUSTOM_KEY: in_key(c, at); break;
    case CUSTOM_COLON:
        if (at == ':')
            c->at = CUSTOM_VALUE;
        break;
    case CUSTOM_VALUE: in_value(c, at); break;
    case CUSTOM_TEXT: c->at = at == '"' ? CUSTOM_OVER : CUSTOM_ESCAPE; break;
    case CUSTOM_ESCAPE: in_escape(c, at, out); break;
    case CUSTOM_HEX: in_hex(c, at, out); break;
    case CUSTOM_OTHER: in_other(c, at); break;
    default: break;
    }
}

void custom_feed(struct custom *c, struct str json, struct buf *out)
{
    for (size_t i = 0; i < json.n && c->at != CUSTOM_OVER;) {
        size_t n = 0; // of text that is there as it is
        if (c->at == CUSTOM_PLAIN)
            n = json.n - i;
        else if (c->at == CUSTOM_TEXT)
            while (i + n < json.n && json.p[i + n] != '"' && json.p[i + n] != '\\')
                n++;
        buf_add(out, json.p + i, n);
        i += n;
        if (i < json.n)
            step(c, json.p[i++], out);
    }
}

bool custom_complete(const struct custom *c)
{
    return c->at == CUSTOM_OVER || c->at == CUSTOM_PLAIN;
}
