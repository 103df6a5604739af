// A journal of notes in a throw-away folder.

#pragma once
#include "service/journal.h"

struct note {
    int64_t id, number;
    int small;
    bool flag;
    double ratio;
    const char *text, *more;
};
extern const struct field notes_fields[];

struct notes {
    struct arena *a;
    char folder[64], path[128]; // path: of the first segment
    struct journal *j;
    struct journal_at at; // of the reader
};

static const struct journal_at origin = {0, 0};

int notes_set_up(void **state);
int notes_tear_down(void **state);
struct journal *notes_open(struct notes *x, const struct field *fields, struct journal_at booked);
void notes_reopen(struct notes *x, struct journal_at booked); // and reads on from there

void notes_append(struct notes *x, int64_t from, int64_t to);
void notes_append_large(struct notes *x, int64_t from, int64_t to); // of 60,000 bytes

bool notes_next(struct notes *x, struct note *out, int64_t *token_quota);
void notes_assert_same(const struct note *got, int64_t token_quota);
// Reads on; every record must be one that was appended, in order. How many.
int64_t notes_read_all(struct notes *x);
