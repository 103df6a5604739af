// Cuts a text into pieces and has each encoded; whole texts and pieces of texts go the same way.

#include "common/tokenizer/tokenizer.h"

#include <string.h>
#include <strings.h>

#include "common/tokenizer/bpe.h"
#include "common/tokenizer/split.h"
#include "common/tokenizer/utf8.h"

extern const unsigned char embed_o200k[], embed_cl100k[];

static const struct encoding {
    const unsigned char *table; // struct ranks
    size_t (*split)(struct str text, bool last);
} encodings[] = {
    [TOKENIZER_O200K] = {embed_o200k, split_o200k},
    [TOKENIZER_CL100K] = {embed_cl100k, split_cl100k},
};

static const enum approx_family families[] = {
    [TOKENIZER_APPROX_CLAUDE] = APPROX_CLAUDE,
    [TOKENIZER_APPROX_GEMINI] = APPROX_GEMINI,
    [TOKENIZER_APPROX_OTHER] = APPROX_OTHER,
};

// The first row that fits counts, so the special stands before the general.
static const struct {
    const char *prefix;
    enum tokenizer which;
} models[] = {
    {"gpt-4o", TOKENIZER_O200K},
    {"gpt-4.", TOKENIZER_O200K}, // 4.1, 4.5
    {"gpt-4", TOKENIZER_CL100K},
    {"gpt-3", TOKENIZER_CL100K}, // also Azure's "gpt-35"
    {"gpt-", TOKENIZER_O200K},   // 5 and later, oss, realtime, audio, image
    {"chatgpt-", TOKENIZER_O200K},
    {"codex-", TOKENIZER_O200K},
    {"o1", TOKENIZER_O200K},
    {"o3", TOKENIZER_O200K},
    {"o4", TOKENIZER_O200K},
    {"text-embedding-3", TOKENIZER_CL100K},
    {"text-embedding-ada-002", TOKENIZER_CL100K},
    {"claude", TOKENIZER_APPROX_CLAUDE},
    {"gemini", TOKENIZER_APPROX_GEMINI},
    {"gemma", TOKENIZER_APPROX_GEMINI},
};

const char *tokenizer_family_name(const char *model)
{
    const char *name = model ? model : "";
    const char *slash = strrchr(name, '/');
    if (slash)
        name = slash + 1;
    const char *claude = strcasestr(name, "claude");
    if (claude)
        return claude;
    return strncasecmp(name, "ft:", 3) ? name : name + 3;
}

enum tokenizer tokenizer_for(const char *model)
{
    const char *name = tokenizer_family_name(model);
    for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
        if (!strncasecmp(name, models[i].prefix, strlen(models[i].prefix)))
            return models[i].which;
    return TOKENIZER_APPROX_OTHER;
}

static bool is_exact(enum tokenizer which)
{
    return which == TOKENIZER_O200K || which == TOKENIZER_CL100K;
}

// The longest beginning of a text that does not end within a character.
static size_t whole_characters(struct str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t back = 1; back <= 3 && back <= text.n; back++) {
        if ((p[text.n - back] & 0xc0) == 0x80)
            continue;
        return utf8_length(p[text.n - back]) > back ? text.n - back : text.n;
    }
    return text.n;
}

// The length of the first piece, at most TOKENIZER_PIECE_MAX; 0 when more must be known.
static size_t next_piece(const struct encoding *e, struct str text, bool last)
{
    if (text.n <= TOKENIZER_PIECE_MAX)
        return e->split(text, last);
    struct str window = {text.p, TOKENIZER_PIECE_MAX};
    size_t n = e->split(window, false);
    return n ? n : whole_characters(window);
}

// Encodes all pieces that are certain; what is left over.
static struct str encode_pieces(enum tokenizer which, struct str text, bool last,
                                struct bpe_out *out)
{
    const struct encoding *e = &encodings[which];
    while (text.n) {
        size_t n = next_piece(e, text, last);
        if (!n)
            break;
        bpe_encode((const void *)e->table, (struct str){text.p, n}, out);
        text = str_skip(text, n);
    }
    return text;
}

int64_t tokenizer_encode(enum tokenizer which, struct str text, uint32_t *ids, int64_t room)
{
    struct bpe_out out = {.ids = ids, .room = room};
    if (is_exact(which))
        encode_pieces(which, text, true, &out);
    return out.count;
}

int64_t tokenizer_count(enum tokenizer which, struct str text)
{
    if (is_exact(which))
        return tokenizer_encode(which, text, NULL, 0);
    struct approx approx = {.family = families[which]};
    approx_add(&approx, text);
    return approx_tokens(&approx);
}

enum { WANTED = 512 };

void tokenizer_start(struct tokenizer_state *s, enum tokenizer which)
{
    *s = (struct tokenizer_state){
        .which = which, .wanted = WANTED, .rest = BUF(2 * TOKENIZER_PIECE_MAX)};
    if (!is_exact(which))
        s->approx.family = families[which];
}

// Counts what is certain in `rest`. A long piece is looked at again only when it has doubled, so
// that feeding it byte by byte does not cost the square of its length.
static void drain(struct tokenizer_state *s, bool last)
{
    struct str text = buf_view(&s->rest), left;
    if (is_exact(s->which)) {
        struct bpe_out out = {.count = s->tokens};
        left = encode_pieces(s->which, text, last, &out);
        s->tokens = out.count;
    } else {
        left = str_skip(text, last ? text.n : whole_characters(text));
        approx_add(&s->approx, (struct str){text.p, text.n - left.n});
        s->tokens = approx_tokens(&s->approx);
    }
    buf_drop(&s->rest, text.n - left.n);
    s->wanted = 2 * left.n < WANTED ? WANTED : 2 * left.n;
    if (s->wanted > TOKENIZER_PIECE_MAX)
        s->wanted = TOKENIZER_PIECE_MAX + 1; // then next_piece() cuts
}

void tokenizer_feed(struct tokenizer_state *s, struct str text)
{
    while (text.n) {
        size_t room = s->wanted - s->rest.n;
        size_t n = text.n < room ? text.n : room;
        buf_add(&s->rest, text.p, n);
        text = str_skip(text, n);
        if (s->rest.n >= s->wanted)
            drain(s, false);
    }
}

int64_t tokenizer_finish(struct tokenizer_state *s)
{
    drain(s, true);
    buf_free(&s->rest);
    return s->tokens;
}
