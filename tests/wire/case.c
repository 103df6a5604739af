// Reading case files: sections, each begun by its name and a colon at the begin of a line.

#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

static const char *const names[] = {
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
