// The journal on disks that lie, tear and fill: nothing wrong is read, nothing written is lost.

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/log.h"
#include "unit/common/db/fixture.h"
#include "unit/service/folder.h"
#include "unit/service/notes.h"

// --- damage -------------------------------------------------------------------------------

static struct str bytes_of(struct notes *x)
{
    int fd = open(x->path, O_RDONLY);
    char *bytes = arena_raw(x->a, 1 << 16);
    ssize_t n = read(fd, bytes, 1 << 16);
    assert_true(n > 0);
    close(fd);
    return (struct str){bytes, (size_t)n};
}

// A folder that holds these bytes as its first segment.
static void put_segment(struct notes *x, struct str bytes)
{
    journal_close(x->j);
    x->j = NULL;
    folder_clear(x->folder);
    int fd = open(x->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
    x->at = origin;
    notes_open(x, notes_fields, origin);
}

static void every_torn_tail(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 3);
    int64_t whole = journal_end(x->j).offset;
    notes_append(x, 3, 4);
    journal_close(x->j);
    x->j = NULL;
    struct str bytes = bytes_of(x);
    for (size_t n = 0; n < bytes.n; n++) {
        put_segment(x, (struct str){bytes.p, n});
        int64_t count = notes_read_all(x);
        assert_true(n < (size_t)whole ? count < 3 : count == 3);
        notes_append(x, 10, 12);
        assert_int_equal(notes_read_all(x), 2);
    }
}

// One flipped bit costs at most the record it is in; never is anything else read than was written.
static void every_flipped_bit(void **state)
{
    struct notes *x = *state;
    notes_open(x, notes_fields, origin);
    notes_append(x, 0, 4);
    journal_close(x->j);
    x->j = NULL;
    struct str bytes = bytes_of(x);
    char *flipped = arena_strndup(x->a, bytes.p, bytes.n);
    for (size_t i = 0; i < bytes.n * 8; i++) {
        flipped[i / 8] ^= (char)(1 << i % 8);
        put_segment(x, (struct str){flipped, bytes.n});
        int64_t count = notes_read_all(x);
        assert_true(count == 3 || count == 4);
        assert_int_equal(journal_damaged(x->j), 1);
        flipped[i / 8] ^= (char)(1 << i % 8);
    }
}

static void garbage_is_no_record(void **state)
{
    struct notes *x = *state;
    char garbage[4096];
    unsigned seed = 1;
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(garbage); i++)
            garbage[i] = (char)(rand_r(&seed) >> 8);
        put_segment(x, (struct str){garbage, sizeof(garbage)});
        assert_int_equal(notes_read_all(x), 0);
        assert_int_equal(journal_damaged(x->j), 1);
    }
}

// Of the same shape as a note, so that only the print of the schema tells them apart.
struct foreign {
    int64_t price;
    int weight;
    bool used;
    double size;
    const char *name, *place;
};

static const struct field foreign_fields[] = {
    FIELD(struct foreign, price),
    FIELD(struct foreign, weight),
    FIELD(struct foreign, used),
    FIELD(struct foreign, size),
    FIELD(struct foreign, name),
    FIELD(struct foreign, place),
    {0},
};

// A row whose schema frame is gone reads only if our own schema is the one it was written by.
static void a_foreign_row_without_its_schema_is_damage(void **state)
{
    struct notes *x = *state;
    struct foreign row = {.price = 2, .name = "t"};
    notes_open(x, foreign_fields, origin);
    journal_append(x->j, &row, 0);
    journal_write(x->j);
    journal_close(x->j);
    x->j = NULL;
    struct str bytes = bytes_of(x);
    ((char *)bytes.p)[9] ^= 1;
    put_segment(x, bytes);
    assert_int_equal(notes_read_all(x), 0);
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

static bool comes_true(bool (*is)(struct notes *x), struct notes *x)
{
    for (int i = 0; i < 6000; i++) {
        if (is(x))
            return true;
        usleep(10000);
    }
    return false;
}

static bool nothing_waits(struct notes *x)
{
    return journal_waiting(x->j) == 0;
}

static bool admits(struct notes *x)
{
    return journal_admits(x->j);
}

static int64_t count_up(struct notes *x, int64_t from)
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
static void work_on_a_full_disk(struct notes *x)
{
    signal(SIGXFSZ, SIG_IGN);
    notes_open(x, notes_fields, origin);
    if (!comes_true(admits, x))
        _exit(91);
    limit_files(5000);
    notes_append(x, 0, 1000);
    if (journal_admits(x->j) || journal_waiting(x->j) == 0 || journal_end(x->j).offset > 5000)
        _exit(92);
    int64_t before = count_up(x, 0);
    limit_files(7001);
    usleep(30000);
    limit_files(RLIM_INFINITY);
    notes_append(x, 1000, 1010);
    if (!comes_true(nothing_waits, x) || !comes_true(admits, x))
        _exit(93);
    notes_append(x, 1010, 1020);
    if (before == 0 || count_up(x, before) != 1020 || journal_damaged(x->j))
        _exit(94);
    journal_close(x->j);
    _exit(0);
}

static void a_full_disk_loses_nothing(void **state)
{
    struct notes *x = *state;
    pid_t child = fork();
    if (child == 0)
        work_on_a_full_disk(x);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
    notes_open(x, notes_fields, origin); // and so does a later start
    assert_int_equal(notes_read_all(x), 1020);
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

static bool refuses(struct notes *x)
{
    return !journal_admits(x->j);
}

static void work_on_a_small_disk(struct notes *x)
{
    char ballast[100];
    mount_small_disk(x->folder);
    snprintf(ballast, sizeof(ballast), "%s/ballast", x->folder);
    struct journal_options options = {x->folder, "n1", notes_fields, 5, 1 << 30};
    assert_fine(journal_open(x->a, &options, origin, &x->j));
    if (!comes_true(admits, x))
        _exit(91);
    fill_disk(ballast);
    if (!comes_true(refuses, x))
        _exit(92);
    notes_append(x, 0, 1000); // in flight: there is a place for them
    if (journal_waiting(x->j) || count_up(x, 0) != 1000)
        _exit(93);
    notes_append_large(x, 1000, 1400);
    if (!journal_waiting(x->j) || journal_end(x->j).segment != 1)
        _exit(94);
    unlink(ballast);
    if (!comes_true(nothing_waits, x) || !comes_true(admits, x))
        _exit(95);
    notes_append_large(x, 1400, 1500);
    if (count_up(x, 1000) != 1500 || journal_end(x->j).segment < 2 || journal_damaged(x->j))
        _exit(96);
    journal_close(x->j);
    _exit(0);
}

static void a_small_disk_fills_and_empties(void **state)
{
    struct notes *x = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, notes_set_up, notes_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_torn_tail),           TEST(every_flipped_bit),
        TEST(garbage_is_no_record),      TEST(a_foreign_row_without_its_schema_is_damage),
        TEST(a_full_disk_loses_nothing), TEST(a_small_disk_fills_and_empties),
    };
    log_setup("error", "text");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
