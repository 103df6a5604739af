// The journal: what is appended is read, once and unchanged, over segments, restarts and versions.

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "service/journal_codec.h"
#include "unit/common/db/fixture.h"
#include "unit/service/notes.h"

// --- reading what was written ---------------------------------------------------------

static void records_come_back_in_order(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    assert_int_equal(notes_read_all(x), 0);
    notes_append(x, 0, 100);
    assert_int_equal(notes_read_all(x), 100);
    notes_append(x, 100, 101);
    assert_int_equal(notes_read_all(x), 1);
    assert_int_equal(notes_read_all(x), 0);
    assert_true(journal_unbooked(x->j) > 0);
    journal_booked(x->j, x->at);
    assert_int_equal(journal_unbooked(x->j), 0);
    assert_int_equal(journal_damaged(x->j), 0);
}

static void extreme_values_survive(void **state)
{
    struct notes *x = *state;
    struct note in = {.number = INT64_MIN, .small = INT32_MAX, .text = "", .ratio = -0.0}, out;
    int64_t token_quota;
    notes_open(x, notes_fields, origin);
    journal_append(x->j, &in, INT64_MAX);
    journal_write(x->j);
    assert_true(notes_next(x, &out, &token_quota));
    assert_true(out.number == INT64_MIN && token_quota == INT64_MAX && out.small == INT32_MAX);
}

static void a_restart_reads_on_from_where_it_was(void **state)
{
    struct notes *x = *state;
    struct note got;
    int64_t token_quota;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 10);
    for (int i = 0; i < 4; i++)
        assert_true(notes_next(x, &got, &token_quota));
    notes_reopen(x, x->at);
    notes_append(x, 10, 15);
    assert_int_equal(notes_read_all(x), 11);
    notes_reopen(x, origin); // a position that was lost: everything once more
    assert_int_equal(notes_read_all(x), 15);
}

static void a_position_beyond_everything(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 10);
    notes_reopen(x, (struct journal_at){1, 999999});
    assert_int_equal(journal_unbooked(x->j), 0);
    assert_int_equal(notes_read_all(x), 0);
    notes_append(x, 10, 12);
    assert_int_equal(notes_read_all(x), 2);
    notes_reopen(x, (struct journal_at){9, 5});
    notes_append(x, 12, 15);
    assert_int_equal(notes_read_all(x), 3);
    assert_int_equal(journal_end(x->j).segment, 10);
}

static void an_empty_folder_with_a_position(void **state)
{
    struct notes *x = *state;
    x->at = (struct journal_at){7, 4321};
    notes_open(x, notes_fields, x->at);
    assert_int_equal(journal_end(x->j).segment, 8);
    notes_append(x, 0, 3);
    assert_int_equal(notes_read_all(x), 3);
}

// --- segments ---------------------------------------------------------------------------

static int64_t read_large(struct notes *x)
{
    struct note got;
    int64_t count = 0, token_quota, last = -1;
    for (; notes_next(x, &got, &token_quota); count++) {
        assert_int_equal(strlen(got.text), 60000);
        assert_true(got.number > last);
        last = got.number;
        arena_reset(x->a);
    }
    return count;
}

static bool exists(struct notes *x, int segment)
{
    struct stat st;
    snprintf(x->path, sizeof(x->path), "%s/%010d.log", x->folder, segment);
    return stat(x->path, &st) == 0;
}

static void segments_follow_each_other(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    notes_append_large(x, 0, 1000); // 60 MB
    assert_int_equal(journal_end(x->j).segment, 4);
    assert_false(journal_admits(x->j)); // more than its megabyte is unbooked
    assert_int_equal(read_large(x), 1000);
    journal_booked(x->j, x->at);
    assert_true(journal_admits(x->j));
    assert_false(exists(x, 1)); // long booked
    assert_true(exists(x, 3));  // but this one, if SQL forgot its last transactions
    notes_append_large(x, 1000, 1003);
    assert_int_equal(read_large(x), 3);
    assert_int_equal(journal_damaged(x->j), 0);
}

static void a_kept_segment_is_read_again(void **state)
{
    struct notes *x = *state;
    struct note got;
    int64_t token_quota;
    struct journal_at before;
    notes_open(x, notes_fields, origin);
    notes_append_large(x, 0, 300);
    for (int i = 0; i < 200; i++)
        assert_true(notes_next(x, &got, &token_quota));
    before = x->at;
    assert_int_equal(read_large(x), 100);
    journal_booked(x->j, x->at);
    notes_reopen(x, before);
    assert_int_equal(read_large(x), 100);
}

static int64_t blocks(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_blocks * 512;
}

static void unused_room_is_given_back(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 3);
    if (blocks(x->path) < 1 << 20)
        skip(); // nothing can be allocated ahead here
    journal_close(x->j);
    x->j = NULL;
    assert_true(blocks(x->path) < 1 << 20);
    pid_t child = fork();
    if (child == 0) {
        notes_open(x, notes_fields, origin);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(exists(x, 2));
    assert_true(blocks(x->path) > 1 << 20);
    notes_open(x, notes_fields, origin);
    assert_true(blocks(x->path) < 1 << 20);
}

static void many_restarts_leave_few_files(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    for (int i = 0; i < 130; i++) {
        notes_reopen(x, x->at);
        notes_append(x, i, i + 1);
        assert_int_equal(notes_read_all(x), 1);
        journal_booked(x->j, x->at);
    }
    assert_false(exists(x, 20));
    assert_true(exists(x, 100));
}

static void a_missing_segment_is_passed_over(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 3);
    notes_reopen(x, origin);
    notes_append(x, 3, 6);
    notes_reopen(x, origin);
    notes_append(x, 6, 9);
    assert_true(exists(x, 2));
    unlink(x->path);
    assert_int_equal(notes_read_all(x), 6);
    assert_int_equal(journal_damaged(x->j), 1);
}

static void too_many_open_files_lose_nothing(void **state)
{
    struct notes *x = *state;
    struct rlimit before, none;
    struct note got;
    int64_t token_quota;
    bool found = true;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 3);
    notes_reopen(x, origin);
    notes_append(x, 3, 6);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_err(internal, journal_next(x->j, x->a, &x->at, &got, &token_quota, &found));
    setrlimit(RLIMIT_NOFILE, &before);
    assert_false(found);
    assert_int_equal(notes_read_all(x), 6);
}

// --- who may have it ----------------------------------------------------------------------

static void one_process_at_a_time(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    pid_t child = fork();
    if (child == 0) {
        struct journal *second = NULL;
        struct journal_options options = {x->folder, "n1", notes_fields, 5, 1 << 20};
        struct err *e = journal_open(x->a, &options, origin, &second);
        _exit(e && e->kind == &err_internal && !second ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void one_node_for_ever(void **state)
{
    struct notes *x = *state;
    struct journal *other = NULL;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 3);
    journal_close(x->j);
    x->j = NULL;
    struct journal_options options = {x->folder, "n2", notes_fields, 5, 1};
    assert_err(internal, journal_open(x->a, &options, origin, &other));
    notes_open(x, notes_fields, origin);
    assert_int_equal(notes_read_all(x), 3);
}

// --- other fields ---------------------------------------------------------------------------

struct later {
    const char *added;
    int64_t small;
    int number;
    const char *ratio, *text;
};

static const struct field later_fields[] = {
    FIELD(struct later, added, .def = "new"),
    FIELD(struct later, small),  // was int
    FIELD(struct later, number), // was int64_t
    FIELD(struct later, ratio),  // was double
    FIELD(struct later, text),   // flag and more are gone
    {0},
};

static void a_newer_program_reads_older_records(void **state)
{
    struct notes *x = *state;
    struct later got;
    int64_t token_quota;
    bool found;
    notes_open(x, notes_fields, origin);
    notes_append(x, 6, 7);
    notes_append(x, INT64_MAX / 2, INT64_MAX / 2 + 1);
    journal_close(x->j);
    notes_open(x, later_fields, origin);
    assert_fine(journal_next(x->j, x->a, &x->at, &got, &token_quota, &found));
    assert_true(found);
    assert_string_equal(got.added, "new");
    assert_int_equal(got.small, 6 - 500);
    assert_int_equal(got.number, 6);
    assert_string_equal(got.ratio, "");
    assert_string_equal(got.text, "note 6");
    assert_int_equal(token_quota, 12);
    assert_fine(journal_next(x->j, x->a, &x->at, &got, &token_quota, &found));
    assert_int_equal(got.number, INT32_MAX); // as near as it can be
    assert_int_equal(journal_damaged(x->j), 0);
}

// --- sizes --------------------------------------------------------------------------------

static void large_frames_are_read(void **state)
{
    struct notes *x = *state;
    enum { LARGEST = FRAME_MAX - 1100 };
    char *text = mem_new(LARGEST + 1);
    struct note got;
    int64_t token_quota;
    notes_open(x, notes_fields, origin);
    for (int i = 0; i < 40; i++) { // in every position to what is read ahead
        memset(text, 'y', LARGEST);
        text[LARGEST - i * 6000] = '\0';
        notes_append(x, i, i + 1);
        journal_append(x->j, &(struct note){.number = i, .text = text}, 0);
        journal_write(x->j);
    }
    for (int i = 0; i < 40; i++) {
        assert_true(notes_next(x, &got, &token_quota));
        notes_assert_same(&got, token_quota);
        assert_true(notes_next(x, &got, &token_quota));
        assert_int_equal(strlen(got.text), LARGEST - i * 6000);
    }
    free(text);
}

static void what_is_too_large_is_shortened(void **state)
{
    struct notes *x = *state;
    enum { HUGE_TEXT = 3 << 20 };
    char *text = mem_new(HUGE_TEXT + 1);
    struct note got;
    int64_t token_quota;
    notes_open(x, notes_fields, origin);
    for (size_t n = FRAME_MAX - 1200; n <= HUGE_TEXT; n += n < FRAME_MAX + 100 ? 7 : 900000) {
        memset(text, 'z', n);
        text[n] = '\0';
        journal_append(x->j, &(struct note){.number = 77, .text = text, .more = "stays"}, 5);
        journal_write(x->j);
        assert_true(notes_next(x, &got, &token_quota));
        assert_true(got.number == 77 && token_quota == 5);
        assert_true(strlen(got.text) == 0 || strlen(got.text) == n);
        assert_string_equal(got.more, "stays");
        arena_reset(x->a);
    }
    assert_string_equal(got.text, "");
    assert_int_equal(journal_damaged(x->j), 0);
    free(text);
}

// --- many at once ---------------------------------------------------------------------------

enum { WRITERS = 4, EACH = 3000 };

struct writer {
    pthread_t thread;
    struct notes *x;
    int64_t number;
};

static void *write_many(void *self)
{
    struct writer *w = self;
    char text[400];
    memset(text, 't', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    for (int64_t i = 0; i < EACH; i++) {
        struct note note = {.number = w->number * EACH + i, .text = text};
        journal_append(w->x->j, &note, i);
        if (i % 7 == 0 || i == EACH - 1)
            journal_write(w->x->j);
    }
    return NULL;
}

static void writers_and_a_reader(void **state)
{
    struct notes *x = *state;
    struct writer writers[WRITERS];
    int64_t seen[WRITERS] = {0};
    notes_open(x, notes_fields, origin);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.x = x, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (int64_t count = 0; count < WRITERS * EACH;) {
        struct note got;
        int64_t token_quota;
        if (!notes_next(x, &got, &token_quota)) {
            journal_booked(x->j, x->at);
            journal_wait(x->j, x->at, 1000);
            continue;
        }
        int64_t writer = got.number / EACH;
        assert_int_equal(got.number % EACH, seen[writer]++);
        assert_int_equal(token_quota, got.number % EACH);
        count++;
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    journal_booked(x->j, x->at);
    assert_int_equal(journal_unbooked(x->j), 0);
    assert_int_equal(notes_read_all(x), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, notes_set_up, notes_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_back_in_order),
        TEST(extreme_values_survive),
        TEST(a_restart_reads_on_from_where_it_was),
        TEST(a_position_beyond_everything),
        TEST(an_empty_folder_with_a_position),
        TEST(segments_follow_each_other),
        TEST(a_kept_segment_is_read_again),
        TEST(unused_room_is_given_back),
        TEST(many_restarts_leave_few_files),
        TEST(a_missing_segment_is_passed_over),
        TEST(too_many_open_files_lose_nothing),
        TEST(one_process_at_a_time),
        TEST(one_node_for_ever),
        TEST(a_newer_program_reads_older_records),
        TEST(large_frames_are_read),
        TEST(what_is_too_large_is_shortened),
        TEST(writers_and_a_reader),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
