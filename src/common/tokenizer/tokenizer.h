// How many tokens a text has, for replies whose provider did not say.
//
// Exact for OpenAI's o200k and cl100k (rank data of tiktoken, see tools/gen/ranks.c; only a piece,
// that is a "word", of more than TOKENIZER_PIECE_MAX bytes is cut where tiktoken would go on).
// Special tokens ("<|endoftext|>") are counted as the text they are. The other families are
// approximated, see common/tokenizer/approx.h: their makers publish no tokenizer.
//
// Texts are UTF-8; bytes that are not count as punctuation. Nothing here waits or keeps global
// state: any thread may count, at some 40 MB/s (a worker's job all the same for long texts).

#pragma once
#include "common/buf.h"
#include "common/tokenizer/approx.h"

enum tokenizer {
    TOKENIZER_O200K,
    TOKENIZER_CL100K,
    TOKENIZER_APPROX_CLAUDE,
    TOKENIZER_APPROX_GEMINI,
    TOKENIZER_APPROX_OTHER,
};

enum { TOKENIZER_PIECE_MAX = 32768 };

// By the beginning of the model's family name; NULL is fine.
enum tokenizer tokenizer_for(const char *model);

// The part of a model's name that tells its family, without what resellers put before it:
// "openai/gpt-4o", "ft:gpt-4o-mini:org", "us.anthropic.claude-opus-4-7-v1:0".
const char *tokenizer_family_name(const char *model);

int64_t tokenizer_count(enum tokenizer which, struct str text);

// The same for a text that arrives in pieces, cut anywhere. Holds a few hundred bytes, or as much
// as the longest "word", at most TOKENIZER_PIECE_MAX. `finish` gives the memory back.
struct tokenizer_state {
    enum tokenizer which;
    int64_t tokens;  // counted so far, without what is in `rest`
    struct buf rest; // not yet certain where its first piece ends
    size_t wanted;   // bytes in `rest` before it is looked at again
    struct approx approx;
};

void tokenizer_start(struct tokenizer_state *s, enum tokenizer which);
void tokenizer_feed(struct tokenizer_state *s, struct str text);
int64_t tokenizer_finish(struct tokenizer_state *s);

// The tokens themselves, as many as there is room for; how many there are. Only for the exact ones.
int64_t tokenizer_encode(enum tokenizer which, struct str text, uint32_t *ids, int64_t room);
