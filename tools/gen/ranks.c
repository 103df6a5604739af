// Makes the table of src/common/tokenizer/ranks.h from a .tiktoken file ("base64 rank" per line,
// ranks ascending from 0): ranks IN.tiktoken OUT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tokenizer/ranks.h"

enum {
    TOKENS_MAX = 1 << 18,
    FULL = 60,        // percent of the slots that are taken
    PROBES_MAX = 200, // a longer search would mean that the hash does not suit the data
};

static unsigned char keys[1 << RANKS_AT_BITS];
static uint32_t at_of[TOKENS_MAX];
static uint32_t slots[TOKENS_MAX * 2];

static void die(const char *file, unsigned line, const char *what)
{
    fprintf(stderr, "ranks: %s:%u: %s\n", file, line, what);
    exit(1);
}

static int six_bits(char c)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(letters, c) : NULL;
    return found ? (int)(found - letters) : -1;
}

// Decodes up to the first character that is not base64; the number of bytes.
static size_t decode(const char **text, unsigned char *out, size_t room)
{
    size_t n = 0;
    unsigned v = 0, bits = 0;
    for (int six; (six = six_bits(**text)) >= 0; ++*text) {
        v = (v << 6 | (unsigned)six) & 0xffff;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (n == room)
            return 0;
        out[n++] = (unsigned char)(v >> bits);
    }
    *text += strspn(*text, "=");
    return n;
}

// The keys begin at 1, so that 0 can say "empty slot".
static void read_tokens(const char *path, struct ranks *r, size_t *end)
{
    FILE *in = fopen(path, "r");
    if (!in)
        die(path, 0, "cannot be read");
    char line[1024];
    for (*end = 1; fgets(line, sizeof(line), in); r->tokens++) {
        const char *text = line;
        if (r->tokens == TOKENS_MAX || *end + 256 > sizeof(keys))
            die(path, r->tokens + 1, "too much data for the table");
        size_t n = decode(&text, keys + *end + 1, 255);
        char *rest = NULL;
        if (n == 0 || *text != ' ' || strtoul(text, &rest, 10) != r->tokens || *rest != '\n')
            die(path, r->tokens + 1, "expected base64, a space and the next rank");
        keys[*end] = (unsigned char)n;
        at_of[r->tokens] = (uint32_t)*end;
        *end += n + 1;
        r->longest = n > r->longest ? (uint32_t)n : r->longest;
    }
    fclose(in);
}

// In the order of the ranks, so that frequent tokens are found at the first look.
static void fill_slots(const char *path, struct ranks *r)
{
    r->slots = (uint32_t)((uint64_t)r->tokens * 100 / FULL);
    for (uint32_t i = 0; i < r->tokens; i++) {
        uint64_t hash = ranks_hash(keys + at_of[i] + 1, keys[at_of[i]]);
        uint32_t slot = ranks_slot(hash, r->slots);
        for (int probes = 0; slots[slot]; slot = slot + 1 == r->slots ? 0 : slot + 1)
            if (++probes == PROBES_MAX)
                die(path, i + 1, "too many collisions");
        slots[slot] = at_of[i] | ranks_tag(hash) << RANKS_AT_BITS;
    }
}

static void write_table(const char *path, struct ranks *r, size_t keys_end)
{
    uint32_t marks = (r->tokens + RANKS_MARK - 1) / RANKS_MARK;
    r->keys_at = (uint32_t)(sizeof(*r) + (r->slots + marks) * sizeof(uint32_t));
    FILE *out = fopen(path, "wb");
    if (!out)
        die(path, 0, "cannot be written");
    fwrite(r, sizeof(*r), 1, out);
    fwrite(slots, sizeof(*slots), r->slots, out);
    for (uint32_t i = 0; i < marks; i++)
        fwrite(&at_of[i * RANKS_MARK], sizeof(*at_of), 1, out);
    fwrite(keys, 1, keys_end, out);
    if (ferror(out) | fclose(out))
        die(path, 0, "cannot be written");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: ranks IN.tiktoken OUT\n");
        return 2;
    }
    struct ranks r = {0};
    size_t keys_end = 0;
    read_tokens(argv[1], &r, &keys_end);
    if (r.tokens < 256)
        die(argv[1], r.tokens, "there must be a token for every byte");
    fill_slots(argv[1], &r);
    write_table(argv[2], &r, keys_end);
    return 0;
}
