// Merging: of all neighbours that together are a token, the pair of the lowest rank becomes one,
// the leftmost first, until no two neighbours are a token.

#include "common/tokenizer/bpe.h"

#include <stdlib.h>

#include "common/arena.h"
#include "common/tokenizer/ranks.h"

static const uint32_t *slots_of(const struct ranks *r)
{
    return (const uint32_t *)(r + 1);
}

static const unsigned char *keys_of(const struct ranks *r)
{
    return (const unsigned char *)r + r->keys_at;
}

// The place of the token with these bytes, which orders tokens as their ranks do; RANKS_NONE.
static uint32_t find(const struct ranks *r, const unsigned char *p, size_t n)
{
    if (n > r->longest)
        return (uint32_t)RANKS_NONE;
    const uint32_t *slots = slots_of(r);
    const unsigned char *keys = keys_of(r);
    uint64_t hash = ranks_hash(p, n);
    uint32_t tag = ranks_tag(hash);
    for (uint32_t i = ranks_slot(hash, r->slots); slots[i]; i = i + 1 == r->slots ? 0 : i + 1) {
        if (slots[i] >> RANKS_AT_BITS != tag)
            continue;
        uint32_t at = slots[i] & ((1u << RANKS_AT_BITS) - 1);
        if (keys[at] == n && !memcmp(keys + at + 1, p, n))
            return at;
    }
    return (uint32_t)RANKS_NONE;
}

// The rank of the token at this place: from the nearest mark before it, key by key.
static uint32_t rank_of(const struct ranks *r, uint32_t at)
{
    const uint32_t *marks = slots_of(r) + r->slots;
    const unsigned char *keys = keys_of(r);
    uint32_t low = 0, high = (r->tokens + RANKS_MARK - 1) / RANKS_MARK;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (marks[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    uint32_t rank = low * RANKS_MARK;
    for (uint32_t key = marks[low]; key < at; key += keys[key] + 1u)
        rank++;
    return rank;
}

static void emit(const struct ranks *r, struct bpe_out *out, const unsigned char *p, size_t n)
{
    if (out->ids && out->count < out->room)
        out->ids[out->count] = rank_of(r, find(r, p, n));
    out->count++;
}

// A part of the piece, and the token that it would be together with the next part.
struct part {
    uint32_t start, pair;
};

static size_t lowest(const struct part *parts, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (parts[i].pair < parts[best].pair)
            best = i;
    return best;
}

static void encode_short(const struct ranks *r, struct str piece, struct bpe_out *out)
{
    const unsigned char *p = (const unsigned char *)piece.p;
    struct part parts[BPE_SHORT + 1];
    size_t n = piece.n;
    for (size_t i = 0; i <= n; i++) {
        bool pair = i + 2 <= n;
        parts[i] = (struct part){(uint32_t)i, pair ? find(r, p + i, 2) : (uint32_t)RANKS_NONE};
    }
    while (n > 1) {
        size_t i = lowest(parts, n);
        if (parts[i].pair == (uint32_t)RANKS_NONE)
            break;
        memmove(&parts[i + 1], &parts[i + 2], (n - i - 1) * sizeof(*parts));
        n--;
        for (size_t k = i ? i - 1 : 0; k <= i; k++)
            parts[k].pair = k + 2 <= n
                                ? find(r, p + parts[k].start, parts[k + 2].start - parts[k].start)
                                : (uint32_t)RANKS_NONE;
    }
    for (size_t i = 0; i < n; i++)
        emit(r, out, p + parts[i].start, parts[i + 1].start - parts[i].start);
}

// The same for long pieces: parts are a list over the byte positions, their pairs a heap ordered by
// rank and position. Entries of the heap whose part has changed since are skipped.
struct node {
    uint32_t before, next, pair; // next is the piece's length behind the last part
};

struct merge {
    const struct ranks *r;
    const unsigned char *p;
    uint32_t n;
    struct node *nodes;
    uint64_t *heap;
    size_t waiting;
};

static void heap_push(struct merge *m, uint64_t entry)
{
    size_t i = m->waiting++;
    for (; i && m->heap[(i - 1) / 2] > entry; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = entry;
}

static uint64_t heap_pop(struct merge *m)
{
    uint64_t top = m->heap[0], moved = m->heap[--m->waiting];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < m->waiting; i = child) {
        if (child + 1 < m->waiting && m->heap[child + 1] < m->heap[child])
            child++;
        if (m->heap[child] >= moved)
            break;
        m->heap[i] = m->heap[child];
    }
    m->heap[i] = moved;
    return top;
}

static void look_up_pair(struct merge *m, uint32_t at)
{
    struct node *node = &m->nodes[at];
    node->pair = (uint32_t)RANKS_NONE;
    if (node->next < m->n)
        node->pair = find(m->r, m->p + at, m->nodes[node->next].next - at);
    if (node->pair != (uint32_t)RANKS_NONE)
        heap_push(m, (uint64_t)node->pair << 32 | at);
}

static void join_with_next(struct merge *m, uint32_t at)
{
    struct node *node = &m->nodes[at], *gone = &m->nodes[node->next];
    node->next = gone->next;
    gone->pair = (uint32_t)RANKS_NONE;
    if (node->next < m->n)
        m->nodes[node->next].before = at;
    look_up_pair(m, at);
    if (at)
        look_up_pair(m, node->before);
}

static void encode_long(const struct ranks *r, struct str piece, struct bpe_out *out)
{
    // Every join takes one entry from the heap and adds at most two: 2n are enough.
    size_t per_byte = sizeof(struct node) + 2 * sizeof(uint64_t);
    uint64_t *memory = mem_new(piece.n * per_byte);
    struct merge m = {.r = r,
                      .p = (const unsigned char *)piece.p,
                      .n = (uint32_t)piece.n,
                      .heap = memory,
                      .nodes = (struct node *)(memory + 2 * piece.n)};
    for (uint32_t i = 0; i < m.n; i++)
        m.nodes[i] = (struct node){.before = i - 1, .next = i + 1};
    for (uint32_t i = 0; i < m.n; i++)
        look_up_pair(&m, i);
    while (m.waiting) {
        uint64_t top = heap_pop(&m);
        uint32_t at = (uint32_t)top;
        if (m.nodes[at].pair == top >> 32)
            join_with_next(&m, at);
    }
    for (uint32_t i = 0; i < m.n; i = m.nodes[i].next)
        emit(r, out, m.p + i, m.nodes[i].next - i);
    free(memory);
}

void bpe_encode(const struct ranks *r, struct str piece, struct bpe_out *out)
{
    const unsigned char *p = (const unsigned char *)piece.p;
    if (find(r, p, piece.n) != (uint32_t)RANKS_NONE)
        emit(r, out, p, piece.n);
    else if (piece.n <= BPE_SHORT)
        encode_short(r, piece, out);
    else
        encode_long(r, piece, out);
}
