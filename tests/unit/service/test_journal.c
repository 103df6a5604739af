// The journal: what is appended is read, once and unchanged, whatever happens to process and disk.

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "service/journal.h"
#include "service/journal_codec.h"
#include "unit/common/db/fixture.h"
#include "unit/service/folder.h"

struct note {
    int64_t id, number;
    int small;
    bool flag;
    double ratio;
    const char *text, *more;
};

static const struct field note_fields[] = {
    FIELD(struct note, id, .flags = KEY),
    FIELD(struct note, number),
    FIELD(struct note, small),
    FIELD(struct note, flag),
    FIELD(struct note, ratio),
    FIELD(struct note, text),
    FIELD(struct note, more),
    {0},
};

static const struct journal_at origin = {0, 0};

struct fixture_journal {
    struct arena *a;
    char folder[64], path[128];
    struct journal *j;
    struct journal_at at;
};

static struct journal *open_as(struct fixture_journal *x, const struct field *fields,
                               struct journal_at booked)
{
    assert_fine(journal_open(x->a, x->folder, "n1", fields, booked, 5, 1 << 20, &x->j));
    return x->j;
}

static int set_up(void **state)
{
    static struct fixture_journal x;
    x = (struct fixture_journal){.a = arena_new()};
    folder_make(x.folder);
    snprintf(x.path, sizeof(x.path), "%s/0000000001.log", x.folder);
    *state = &x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture_journal *x = *state;
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

static void append(struct fixture_journal *x, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        struct note note = sample(n);
        journal_append(x->j, &note, n * 2);
    }
}

static bool next(struct fixture_journal *x, struct note *out, int64_t *token_quota)
{
    bool found;
    assert_fine(journal_next(x->j, x->a, &x->at, out, token_quota, &found));
    return found;
}

static void assert_same(const struct note *got, int64_t token_quota)
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
static int64_t read_all(struct fixture_journal *x)
{
    struct note got;
    int64_t count = 0, last = -1, token_quota;
    for (; next(x, &got, &token_quota); count++) {
        assert_same(&got, token_quota);
        assert_true(got.number > last); // in order, none twice
        last = got.number;
    }
    return count;
}

static void reopen(struct fixture_journal *x, struct journal_at booked)
{
    journal_close(x->j);
    x->j = NULL;
    open_as(x, note_fields, booked);
    x->at = booked;
}

// --- reading what was written ---------------------------------------------------------

static void records_come_back_in_order(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    assert_int_equal(read_all(x), 0);
    append(x, 0, 100);
    assert_int_equal(read_all(x), 100);
    append(x, 100, 101);
    assert_int_equal(read_all(x), 1);
    assert_int_equal(read_all(x), 0);
    assert_true(journal_unbooked(x->j) > 0);
    journal_booked(x->j, x->at);
    assert_int_equal(journal_unbooked(x->j), 0);
    assert_int_equal(journal_damaged(x->j), 0);
}

static void extreme_values_survive(void **state)
{
    struct fixture_journal *x = *state;
    struct note in = {.number = INT64_MIN, .small = INT32_MAX, .text = "", .ratio = -0.0}, out;
    int64_t token_quota;
    open_as(x, note_fields, origin);
    journal_append(x->j, &in, INT64_MAX);
    assert_true(next(x, &out, &token_quota));
    assert_true(out.number == INT64_MIN && token_quota == INT64_MAX && out.small == INT32_MAX);
}

static void a_restart_reads_on_from_where_it_was(void **state)
{
    struct fixture_journal *x = *state;
    struct note got;
    int64_t token_quota;
    open_as(x, note_fields, origin);
    append(x, 0, 10);
    for (int i = 0; i < 4; i++)
        assert_true(next(x, &got, &token_quota));
    reopen(x, x->at);
    append(x, 10, 15);
    assert_int_equal(read_all(x), 11);
    reopen(x, origin); // a position that was lost: everything once more
    assert_int_equal(read_all(x), 15);
}

static void a_position_beyond_everything(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    append(x, 0, 10);
    reopen(x, (struct journal_at){1, 999999});
    assert_int_equal(journal_unbooked(x->j), 0);
    assert_int_equal(read_all(x), 0);
    append(x, 10, 12);
    assert_int_equal(read_all(x), 2);
    reopen(x, (struct journal_at){9, 5});
    append(x, 12, 15);
    assert_int_equal(read_all(x), 3);
    assert_int_equal(journal_end(x->j).segment, 10);
}

static void an_empty_folder_with_a_position(void **state)
{
    struct fixture_journal *x = *state;
    x->at = (struct journal_at){7, 4321};
    open_as(x, note_fields, x->at);
    assert_int_equal(journal_end(x->j).segment, 8);
    append(x, 0, 3);
    assert_int_equal(read_all(x), 3);
}

// --- segments ---------------------------------------------------------------------------

static void append_large(struct fixture_journal *x, int64_t from, int64_t to)
{
    static char large[60001];
    memset(large, 'x', 60000);
    for (int64_t n = from; n < to; n++) {
        struct note note = {.number = n, .text = large};
        journal_append(x->j, &note, 0);
    }
}

static int64_t read_large(struct fixture_journal *x)
{
    struct note got;
    int64_t count = 0, token_quota, last = -1;
    for (; next(x, &got, &token_quota); count++) {
        assert_int_equal(strlen(got.text), 60000);
        assert_true(got.number > last);
        last = got.number;
        arena_reset(x->a);
    }
    return count;
}

static bool exists(struct fixture_journal *x, int segment)
{
    struct stat st;
    snprintf(x->path, sizeof(x->path), "%s/%010d.log", x->folder, segment);
    return stat(x->path, &st) == 0;
}

static void segments_follow_each_other(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    append_large(x, 0, 1000); // 60 MB
    assert_int_equal(journal_end(x->j).segment, 4);
    assert_false(journal_admits(x->j)); // more than its megabyte is unbooked
    assert_int_equal(read_large(x), 1000);
    journal_booked(x->j, x->at);
    assert_true(journal_admits(x->j));
    assert_false(exists(x, 1)); // long booked
    assert_true(exists(x, 3));  // but this one, if SQL forgot its last transactions
    append_large(x, 1000, 1003);
    assert_int_equal(read_large(x), 3);
    assert_int_equal(journal_damaged(x->j), 0);
}

static void a_kept_segment_is_read_again(void **state)
{
    struct fixture_journal *x = *state;
    struct note got;
    int64_t token_quota;
    struct journal_at before;
    open_as(x, note_fields, origin);
    append_large(x, 0, 300);
    for (int i = 0; i < 200; i++)
        assert_true(next(x, &got, &token_quota));
    before = x->at;
    assert_int_equal(read_large(x), 100);
    journal_booked(x->j, x->at);
    reopen(x, before);
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
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    append(x, 0, 3);
    if (blocks(x->path) < 1 << 20)
        skip(); // nothing can be allocated ahead here
    journal_close(x->j);
    x->j = NULL;
    assert_true(blocks(x->path) < 1 << 20);
    pid_t child = fork();
    if (child == 0) {
        open_as(x, note_fields, origin);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(exists(x, 2));
    assert_true(blocks(x->path) > 1 << 20);
    open_as(x, note_fields, origin);
    assert_true(blocks(x->path) < 1 << 20);
}

static void many_restarts_leave_few_files(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    for (int i = 0; i < 130; i++) {
        reopen(x, x->at);
        append(x, i, i + 1);
        assert_int_equal(read_all(x), 1);
        journal_booked(x->j, x->at);
    }
    assert_false(exists(x, 20));
    assert_true(exists(x, 100));
}

static void a_missing_segment_is_passed_over(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    append(x, 0, 3);
    reopen(x, origin);
    append(x, 3, 6);
    reopen(x, origin);
    append(x, 6, 9);
    assert_true(exists(x, 2));
    unlink(x->path);
    assert_int_equal(read_all(x), 6);
    assert_int_equal(journal_damaged(x->j), 1);
}

static void too_many_open_files_lose_nothing(void **state)
{
    struct fixture_journal *x = *state;
    struct rlimit before, none;
    struct note got;
    int64_t token_quota;
    bool found = true;
    open_as(x, note_fields, origin);
    append(x, 0, 3);
    reopen(x, origin);
    append(x, 3, 6);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_err(internal, journal_next(x->j, x->a, &x->at, &got, &token_quota, &found));
    setrlimit(RLIMIT_NOFILE, &before);
    assert_false(found);
    assert_int_equal(read_all(x), 6);
}

// --- who may have it ----------------------------------------------------------------------

static void one_process_at_a_time(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    pid_t child = fork();
    if (child == 0) {
        struct journal *second = NULL;
        struct err *e =
            journal_open(x->a, x->folder, "n1", note_fields, origin, 5, 1 << 20, &second);
        _exit(e && e->kind == &err_internal && !second ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void one_node_for_ever(void **state)
{
    struct fixture_journal *x = *state;
    struct journal *other = NULL;
    open_as(x, note_fields, origin);
    append(x, 0, 3);
    journal_close(x->j);
    x->j = NULL;
    assert_err(internal, journal_open(x->a, x->folder, "n2", note_fields, origin, 5, 1, &other));
    open_as(x, note_fields, origin);
    assert_int_equal(read_all(x), 3);
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
    struct fixture_journal *x = *state;
    struct later got;
    int64_t token_quota;
    bool found;
    open_as(x, note_fields, origin);
    append(x, 6, 7);
    append(x, INT64_MAX / 2, INT64_MAX / 2 + 1);
    journal_close(x->j);
    open_as(x, later_fields, origin);
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

static void the_largest_frames_are_read(void **state)
{
    struct fixture_journal *x = *state;
    enum { LARGEST = FRAME_MAX - 1100 };
    char *text = mem_new(LARGEST + 1);
    struct note got;
    int64_t token_quota;
    memset(text, 'y', LARGEST);
    open_as(x, note_fields, origin);
    for (int i = 0; i < 9; i++) {
        append(x, i, i + 1);
        journal_append(x->j, &(struct note){.number = i, .text = text}, 0);
    }
    for (int i = 0; i < 9; i++) {
        assert_true(next(x, &got, &token_quota));
        assert_same(&got, token_quota);
        assert_true(next(x, &got, &token_quota));
        assert_int_equal(strlen(got.text), LARGEST);
    }
    free(text);
}

static void what_is_too_large_is_shortened(void **state)
{
    struct fixture_journal *x = *state;
    enum { HUGE_TEXT = 3 << 20 };
    char *text = mem_new(HUGE_TEXT + 1);
    struct note got;
    int64_t token_quota;
    open_as(x, note_fields, origin);
    for (size_t n = FRAME_MAX - 1200; n <= HUGE_TEXT; n += n < FRAME_MAX + 100 ? 7 : 900000) {
        memset(text, 'z', n);
        text[n] = '\0';
        journal_append(x->j, &(struct note){.number = 77, .text = text, .more = "stays"}, 5);
        assert_true(next(x, &got, &token_quota));
        assert_true(got.number == 77 && token_quota == 5);
        assert_true(strlen(got.text) == 0 || strlen(got.text) == n);
        assert_string_equal(got.more, "stays");
        arena_reset(x->a);
    }
    assert_string_equal(got.text, "");
    assert_int_equal(journal_damaged(x->j), 0);
    free(text);
}

// --- damage -------------------------------------------------------------------------------

static struct str bytes_of(struct fixture_journal *x)
{
    int fd = open(x->path, O_RDONLY);
    char *bytes = arena_raw(x->a, 1 << 16);
    ssize_t n = read(fd, bytes, 1 << 16);
    assert_true(n > 0);
    close(fd);
    return (struct str){bytes, (size_t)n};
}

// A folder that holds these bytes as its first segment.
static void put_segment(struct fixture_journal *x, struct str bytes)
{
    journal_close(x->j);
    x->j = NULL;
    folder_clear(x->folder);
    int fd = open(x->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
    x->at = origin;
    open_as(x, note_fields, origin);
}

static void every_torn_tail(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    append(x, 0, 3);
    int64_t whole = journal_end(x->j).offset;
    append(x, 3, 4);
    journal_close(x->j);
    x->j = NULL;
    struct str bytes = bytes_of(x);
    for (size_t n = 0; n < bytes.n; n++) {
        put_segment(x, (struct str){bytes.p, n});
        int64_t count = read_all(x);
        assert_true(n < (size_t)whole ? count < 3 : count == 3);
        append(x, 10, 12);
        assert_int_equal(read_all(x), 2);
    }
}

// One flipped bit costs at most the record it is in; never is anything else read than was written.
static void every_flipped_bit(void **state)
{
    struct fixture_journal *x = *state;
    open_as(x, note_fields, origin);
    append(x, 0, 4);
    journal_close(x->j);
    x->j = NULL;
    struct str bytes = bytes_of(x);
    char *flipped = arena_strndup(x->a, bytes.p, bytes.n);
    for (size_t i = 0; i < bytes.n * 8; i++) {
        flipped[i / 8] ^= (char)(1 << i % 8);
        put_segment(x, (struct str){flipped, bytes.n});
        int64_t count = read_all(x);
        assert_true(count == 3 || count == 4);
        assert_int_equal(journal_damaged(x->j), 1);
        flipped[i / 8] ^= (char)(1 << i % 8);
    }
}

static void garbage_is_no_record(void **state)
{
    struct fixture_journal *x = *state;
    char garbage[4096];
    unsigned seed = 1;
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(garbage); i++)
            garbage[i] = (char)(rand_r(&seed) >> 8);
        put_segment(x, (struct str){garbage, sizeof(garbage)});
        assert_int_equal(read_all(x), 0);
        assert_int_equal(journal_damaged(x->j), 1);
    }
}

// A row whose schema frame is gone reads only if our own schema is the one it was written by.
static void a_foreign_row_without_its_schema_is_damage(void **state)
{
    struct fixture_journal *x = *state;
    struct later row = {.small = 1, .number = 2, .text = "t"};
    open_as(x, later_fields, origin);
    journal_append(x->j, &row, 0);
    journal_close(x->j);
    x->j = NULL;
    struct str bytes = bytes_of(x);
    ((char *)bytes.p)[9] ^= 1;
    put_segment(x, bytes);
    assert_int_equal(read_all(x), 0);
    assert_int_equal(journal_damaged(x->j), 2);
}

// --- a full disk ----------------------------------------------------------------------------

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    if (setrlimit(RLIMIT_FSIZE, &limit))
        _exit(90);
}

static bool comes_true(bool (*is)(struct fixture_journal *x), struct fixture_journal *x)
{
    for (int i = 0; i < 6000; i++) {
        if (is(x))
            return true;
        usleep(10000);
    }
    return false;
}

static bool nothing_waits(struct fixture_journal *x)
{
    return journal_waiting(x->j) == 0;
}

static bool admits(struct fixture_journal *x)
{
    return journal_admits(x->j);
}

static int64_t count_up(struct fixture_journal *x, int64_t from)
{
    struct note got;
    int64_t token_quota;
    bool found = true;
    while (!journal_next(x->j, x->a, &x->at, &got, &token_quota, &found) && found)
        if (got.number != from++)
            _exit(95);
    return from;
}

// Files may not grow beyond 5000 bytes for a while; exit 0 when nothing was lost.
static void work_on_a_full_disk(struct fixture_journal *x)
{
    signal(SIGXFSZ, SIG_IGN);
    open_as(x, note_fields, origin);
    if (!comes_true(admits, x))
        _exit(91);
    limit_files(5000);
    append(x, 0, 1000);
    if (journal_admits(x->j) || journal_waiting(x->j) == 0 || journal_end(x->j).offset > 5000)
        _exit(92);
    int64_t before = count_up(x, 0);
    limit_files(7001);
    usleep(30000);
    limit_files(RLIM_INFINITY);
    append(x, 1000, 1010);
    if (!comes_true(nothing_waits, x) || !comes_true(admits, x))
        _exit(93);
    append(x, 1010, 1020);
    if (before == 0 || count_up(x, before) != 1020 || journal_damaged(x->j))
        _exit(94);
    journal_close(x->j);
    _exit(0);
}

static void a_full_disk_loses_nothing(void **state)
{
    struct fixture_journal *x = *state;
    pid_t child = fork();
    if (child == 0)
        work_on_a_full_disk(x);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
    open_as(x, note_fields, origin); // and so does a later start
    assert_int_equal(read_all(x), 1020);
}

// A disk of its own, in a world of its own: gone with the process. Exits with 77 where that may not
// be.
static void mount_small_disk(const char *folder)
{
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", folder, "tmpfs", 0, "size=96m"))
        _exit(77);
}

static void fill_disk(const char *path)
{
    char block[4096] = {0};
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (fd >= 0 && write(fd, block, sizeof(block)) > 0)
        ;
    close(fd);
}

static bool refuses(struct fixture_journal *x)
{
    return !journal_admits(x->j);
}

static void work_on_a_small_disk(struct fixture_journal *x)
{
    char ballast[100];
    mount_small_disk(x->folder);
    snprintf(ballast, sizeof(ballast), "%s/ballast", x->folder);
    assert_fine(journal_open(x->a, x->folder, "n1", note_fields, origin, 5, 1 << 30, &x->j));
    if (!comes_true(admits, x))
        _exit(91);
    fill_disk(ballast);
    if (!comes_true(refuses, x))
        _exit(92);
    append(x, 0, 1000); // in flight: there is a place for them
    if (journal_waiting(x->j) || count_up(x, 0) != 1000)
        _exit(93);
    append_large(x, 1000, 1400);
    if (!journal_waiting(x->j) || journal_end(x->j).segment != 1)
        _exit(94);
    unlink(ballast);
    if (!comes_true(nothing_waits, x) || !comes_true(admits, x))
        _exit(95);
    append_large(x, 1400, 1500);
    if (count_up(x, 1000) != 1500 || journal_end(x->j).segment < 2 || journal_damaged(x->j))
        _exit(96);
    journal_close(x->j);
    _exit(0);
}

static void a_small_disk_fills_and_empties(void **state)
{
    struct fixture_journal *x = *state;
    pid_t child = fork();
    if (child == 0)
        work_on_a_small_disk(x);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

// --- many at once ---------------------------------------------------------------------------

enum { WRITERS = 4, EACH = 3000 };

struct writer {
    pthread_t thread;
    struct fixture_journal *x;
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
    }
    return NULL;
}

static void writers_and_a_reader(void **state)
{
    struct fixture_journal *x = *state;
    struct writer writers[WRITERS];
    int64_t seen[WRITERS] = {0};
    open_as(x, note_fields, origin);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.x = x, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (int64_t count = 0; count < WRITERS * EACH;) {
        struct note got;
        int64_t token_quota;
        if (!next(x, &got, &token_quota)) {
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
    assert_int_equal(read_all(x), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(the_largest_frames_are_read),
        TEST(what_is_too_large_is_shortened),
        TEST(every_torn_tail),
        TEST(every_flipped_bit),
        TEST(garbage_is_no_record),
        TEST(a_foreign_row_without_its_schema_is_damage),
        TEST(a_full_disk_loses_nothing),
        TEST(a_small_disk_fills_and_empties),
        TEST(writers_and_a_reader),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
