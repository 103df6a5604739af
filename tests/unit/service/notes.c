// Opening, appending, and reading back what must be the same.

#include "unit/service/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "unit/common/db/fixture.h"
#include "unit/service/folder.h"

const struct field notes_fields[] = {
    FIELD(struct note, id, .flags = KEY),
    FIELD(struct note, number),
    FIELD(struct note, small),
    FIELD(struct note, flag),
    FIELD(struct note, ratio),
    FIELD(struct note, text),
    FIELD(struct note, more),
    {0},
};

struct journal *notes_open(struct notes *x, const struct field *fields, struct journal_at booked)
{
    struct journal_options options = {x->folder, "n1", fields, 5, 1 << 20};
    assert_fine(journal_open(x->a, &options, booked, &x->j));
    return x->j;
}

int notes_set_up(void **state)
{
    static struct notes x;
    x = (struct notes){.a = arena_new()};
    folder_make(x.folder);
    snprintf(x.path, sizeof(x.path), "%s/0000000001.log", x.folder);
    *state = &x;
    return 0;
}

int notes_tear_down(void **state)
{
    struct notes *x = *state;
    journal_close(x->j);
    folder_remove(x->folder);
    arena_free(x->a);
    return 0;
}

static struct note sample(int64_t n)
{
    static char text[64];
    snprintf(text, sizeof(text), "note %lld", (long long)n);
    return (struct note){.number = n,
                         .small = (int)(n % 1000) - 500,
                         .flag = n % 3 == 0,
                         .ratio = (double)n / 7,
                         .text = text,
                         .more = n % 2 ? NULL : "漢字"};
}

void notes_append(struct notes *x, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        struct note note = sample(n);
        journal_append(x->j, &note, n * 2);
        journal_write(x->j);
    }
}

bool notes_next(struct notes *x, struct note *out, int64_t *token_quota)
{
    bool found;
    assert_fine(journal_next(x->j, x->a, &x->at, out, token_quota, &found));
    return found;
}

void notes_assert_same(const struct note *got, int64_t token_quota)
{
    struct note want = sample(got->number);
    assert_int_equal(token_quota, got->number * 2);
    assert_int_equal(got->id, 0);
    assert_int_equal(got->small, want.small);
    assert_int_equal(got->flag, want.flag);
    assert_true(got->ratio == want.ratio);
    assert_string_equal(got->text, want.text);
    assert_string_equal(got->more, want.more ? want.more : "");
}

// Reads on; every record must be one that was written. How many.
int64_t notes_read_all(struct notes *x)
{
    struct note got;
    int64_t count = 0, last = -1, token_quota;
    for (; notes_next(x, &got, &token_quota); count++) {
        notes_assert_same(&got, token_quota);
        assert_true(got.number > last); // in order, none twice
        last = got.number;
    }
    return count;
}

void notes_reopen(struct notes *x, struct journal_at booked)
{
    journal_close(x->j);
    x->j = NULL;
    notes_open(x, notes_fields, booked);
    x->at = booked;
}

void notes_append_large(struct notes *x, int64_t from, int64_t to)
{
    static char large[60001];
    memset(large, 'x', 60000);
    for (int64_t n = from; n < to; n++) {
        struct note note = {.number = n, .text = large};
        journal_append(x->j, &note, 0);
        journal_write(x->j);
    }
}
