// The embedded texts, parsed once and then only read.

#include "i18n/i18n.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/json.h"

extern const unsigned char embed_i18n_en[], embed_i18n_zh[];
extern const size_t embed_i18n_en_size, embed_i18n_zh_size;

static const struct {
    const char *name;
    const unsigned char *bytes;
    const size_t *size;
} sources[LANGUAGE_COUNT] = {
    [LANGUAGE_EN] = {"en", embed_i18n_en, &embed_i18n_en_size},
    [LANGUAGE_ZH] = {"zh", embed_i18n_zh, &embed_i18n_zh_size},
};

struct text {
    const char *code, *text;
};

static struct {
    struct text *texts;
    size_t count;
} tables[LANGUAGE_COUNT];
static struct arena *memory;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int by_code(const void *a, const void *b)
{
    return strcmp(((const struct text *)a)->code, ((const struct text *)b)->code);
}

static void parse_all(void)
{
    memory = arena_new();
    for (int i = 0; i < LANGUAGE_COUNT; i++) {
        yyjson_val *root, *key;
        struct str all = {(const char *)sources[i].bytes, *sources[i].size};
        if (json_read(memory, all, &root) || !yyjson_is_obj(root))
            abort(); // our own file
        size_t n = yyjson_obj_size(root);
        tables[i].texts = NEW_ARRAY(memory, struct text, n);
        yyjson_obj_iter it = yyjson_obj_iter_with(root);
        while ((key = yyjson_obj_iter_next(&it)))
            tables[i].texts[tables[i].count++] =
                (struct text){yyjson_get_str(key), yyjson_get_str(yyjson_obj_iter_get_val(key))};
        qsort(tables[i].texts, n, sizeof(struct text), by_code);
    }
}

static const char *find(enum language language, const char *code)
{
    pthread_once(&once, parse_all);
    struct text wanted = {.code = code};
    const struct text *found = bsearch(&wanted, tables[language].texts, tables[language].count,
                                       sizeof(struct text), by_code);
    return found ? found->text : NULL;
}

const char *i18n_text(struct arena *a, enum language language, const char *code, const char *detail)
{
    const char *text = find(language, code);
    if (!text)
        return arena_strdup(a, code);
    const char *hole = strstr(text, "{}");
    if (!hole)
        return text;
    return arena_printf(a, "%.*s%s%s", (int)(hole - text), text, detail ? detail : "", hole + 2);
}

const char *i18n_error(struct arena *a, enum language language, const struct err *e)
{
    return i18n_text(a, language, e->kind->code, e->detail);
}

const char *i18n_language_name(enum language language)
{
    return sources[language].name;
}

// "zh-CN;q=0.9" -> is it this language, and how much is it liked? In thousandths.
static int liking(struct str range, const char *name)
{
    struct str tag, q = range;
    str_next(&q, ';', &tag);
    tag = str_trim(tag);
    size_t n = strlen(name);
    struct str head = {tag.p, tag.n < n ? tag.n : n};
    if (!str_is_nocase(head, name) || (tag.n > n && tag.p[n] != '-' && tag.p[n] != '_'))
        return -1;
    q = str_trim(q);
    if (!str_starts(q, "q="))
        return 1000;
    char number[8] = {0};
    memcpy(number, q.p + 2, q.n - 2 < 7 ? q.n - 2 : 7);
    return (int)(strtod(number, NULL) * 1000);
}

enum language i18n_language(struct str accept_language)
{
    enum language best = LANGUAGE_EN;
    int most = 0;
    struct str range;
    while (str_next(&accept_language, ',', &range))
        for (int i = 0; i < LANGUAGE_COUNT; i++) {
            int q = liking(range, sources[i].name);
            if (q > most) {
                most = q;
                best = (enum language)i;
            }
        }
    return best;
}
