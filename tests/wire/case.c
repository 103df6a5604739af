// Reading case files: sections, each begun by its name and a colon at the begin of a line.

#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"

static const char *const names[] = {
    "shows",
    "provider",
    "base",
    "other",
    "key",
    "model",
    "header",
    "caller",
    "upstream expects",
    "upstream answers",
    "caller gets",
    "usage",
    "dropped",
    NULL,
};

static struct str read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    fseek(f, 0, SEEK_SET);
    char *text = arena_raw(a, n + 1);
    n = fread(text, 1, n, f);
    text[n] = '\0';
    fclose(f);
    return (struct str){text, n};
}

static const char *name_of(struct str line)
{
    for (size_t i = 0; names[i]; i++) {
        size_t n = strlen(names[i]);
        if (str_starts(line, names[i]) && line.n > n && line.p[n] == ':')
            return names[i];
    }
    return NULL;
}

struct section *case_read(struct arena *a, const char *path)
{
    struct str rest = read_file(a, path), line;
    struct section *first = NULL, **end = &first, *s = NULL;
    for (int at = 1; str_next(&rest, '\n', &line); at++) {
        const char *name = name_of(line);
        if (!name) {
            if (s)
                s->body.n = (size_t)(line.p + line.n - s->body.p) + (rest.p != NULL);
            continue;
        }
        s = NEW(a, struct section);
        *s = (struct section){.name = str_of(name), .line = at};
        s->head = str_trim(str_skip(line, strlen(name) + 1));
        s->body.p = line.p + line.n + 1;
        *end = s;
        end = &s->next;
    }
    return first;
}

// --- pairs ----------------------------------------------------------------------

static bool is_callers(const struct section *s)
{
    return str_is(s->name, "caller") || str_is(s->name, "header") || str_is(s->name, "caller gets");
}

// The n-th section of that name.
static const struct section *nth(const struct section *s, const char *name, int n)
{
    for (; s; s = s->next)
        if (str_is(s->name, name) && n-- == 0)
            return s;
    return NULL;
}

static struct str word_behind(const struct section *s, const char *word)
{
    struct str rest = s->head, found;
    while (str_next(&rest, ' ', &found))
        if (str_is(found, word))
            return str_next(&rest, ' ', &found) ? found : (struct str){0};
    return (struct str){0};
}

// "OpenAI-Responses" names "OpenAI Responses".
static bool is_named(struct str name, struct str word)
{
    if (name.n != word.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != word.p[i] && !(name.p[i] == ' ' && word.p[i] == '-'))
            return false;
    return true;
}

struct pair {
    const struct section *caller, *provider;
};

enum meant { FOR_OTHERS, FOR_ALL, FOR_THESE };

static enum meant meant_for(const struct section *s, const struct pair *p)
{
    struct str from = word_behind(s, "from"), by = word_behind(s, "by");
    if (from.n)
        return is_named(p->provider->head, from) ? FOR_THESE : FOR_OTHERS;
    if (by.n) {
        struct str path = case_word(p->caller, 1);
        bool fits = path.n >= by.n && !memcmp(path.p, by.p, by.n);
        return fits ? FOR_THESE : FOR_OTHERS;
    }
    return FOR_ALL;
}

static void add(struct arena *a, struct section ***end, const struct section *s)
{
    struct section *copy = NEW(a, struct section);
    *copy = *s;
    copy->next = NULL;
    **end = copy;
    *end = &copy->next;
}

struct section *case_pair(struct arena *a, const struct section *all, int caller, int provider)
{
    struct pair p = {nth(all, "caller", caller), nth(all, "provider", provider)};
    struct section *first = NULL, **end = &first;
    if (!p.caller || !p.provider)
        return NULL;
    bool several = nth(all, "caller", 1) || nth(all, "provider", 1);
    for (enum meant meant = FOR_THESE; meant >= FOR_ALL; meant--) {
        const struct section *of_caller = NULL, *of_provider = NULL;
        for (const struct section *s = all; s; s = s->next) {
            of_caller = str_is(s->name, "caller") ? s : of_caller;
            of_provider = str_is(s->name, "provider") ? s : of_provider;
            bool mine = is_callers(s) ? of_caller == p.caller : of_provider == p.provider;
            if ((!several || mine) && meant_for(s, &p) == meant)
                add(a, &end, s);
        }
    }
    return first;
}

const struct section *case_section(const struct section *first, const char *name)
{
    while (first && !str_is(first->name, name))
        first = first->next;
    return first;
}

struct str case_head(const struct section *first, const char *name, const char *fallback)
{
    const struct section *s = case_section(first, name);
    return s ? s->head : str_of(fallback);
}

struct str case_word(const struct section *s, int n)
{
    struct str rest = s->head, word = {0};
    for (int i = 0; i <= n; i++)
        if (!str_next(&rest, ' ', &word))
            return (struct str){0};
    return word;
}

bool case_flag(const struct section *s, const char *flag)
{
    struct str rest = s->head, word;
    while (str_next(&rest, ' ', &word))
        if (str_is(word, flag))
            return true;
    return false;
}

struct str case_bytes(struct arena *a, const struct section *s)
{
    struct str text = str_trim(s->body);
    BUF_HERE(out, (size_t)16 << 20);
    const char *eol = case_flag(s, "crlf") ? "\r\n" : case_flag(s, "cr") ? "\r" : "\n";
    if (case_flag(s, "bom"))
        buf_puts(&out, "\xef\xbb\xbf");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n')
            buf_puts(&out, eol);
        else
            buf_add(&out, text.p + i, 1);
    }
    bool ends = case_flag(s, "text/event-stream") && !case_flag(s, "unfinished");
    for (int i = 0; ends && i < 2; i++)
        buf_puts(&out, eol);
    return (struct str){arena_str(a, buf_view(&out)), out.n};
}
