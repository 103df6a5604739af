// Reading .env: one NAME=value a line, # comments, optional quotes, optional "export".

#include "common/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

const char *env_text(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return text_is_empty(value) ? fallback : value;
}

static struct str unquoted(struct str s)
{
    bool quoted = s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0];
    return quoted ? (struct str){s.p + 1, s.n - 2} : s;
}

static struct err *take_line(struct arena *a, const char *path, int number, struct str line)
{
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return NULL;
    if (str_starts(line, "export "))
        line = str_trim(str_skip(line, strlen("export ")));
    const char *equals = memchr(line.p, '=', line.n);
    if (!equals || equals == line.p)
        return err_new(a, &err_bad_request, "%s:%d: not NAME=value", path, number);
    struct str name = str_trim((struct str){line.p, (size_t)(equals - line.p)});
    struct str value = unquoted(str_trim(str_skip(line, (size_t)(equals - line.p) + 1)));
    setenv(arena_str(a, name), arena_str(a, value), 0);
    return NULL;
}

struct err *env_load(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    struct err *e = NULL;
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    for (int number = 1; !e && (n = getline(&line, &size, f)) >= 0; number++)
        e = take_line(a, path, number, (struct str){line, (size_t)n});
    free(line);
    fclose(f);
    return e;
}
