// Appending, syncing, rotating and reading the journal's segments.

#include "service/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "service/journal_codec.h"

enum {
    SEGMENT_BYTES = 16 << 20,
    SPILL_BYTES = 64 << 20,      // waits in memory while the disk refuses
    READ_BYTES = 1 << 20,        // read ahead; at least FRAME_MAX + FRAME_HEAD
    FREE_BYTES_LEAST = 64 << 20, // on the disk, for new work to begin
};

struct journal {
    char *folder;
    const struct field *fields;
    int lock_fd, sync_ms;
    int64_t max_bytes;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t grew;
    int fd;
    struct journal_at end;
    struct buf frame, spill;
    bool dirty;

    _Atomic int64_t unbooked, damaged;
    _Atomic bool full;
    int64_t first_segment; // the oldest that still exists

    pthread_t syncer;
    pthread_cond_t wake_syncer;
    bool stopping;

    // The one reader's.
    int read_fd;
    int64_t read_segment;
    struct codec_schema schema;
    char *ahead;
    size_t ahead_n;
    int64_t ahead_at;
};

static void segment_path(const struct journal *j, int64_t segment, char *out, size_t n)
{
    snprintf(out, n, "%s/%010lld.log", j->folder, (long long)segment);
}

// --- writing --------------------------------------------------------------------

static bool write_all(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

// Whole frames or nothing: what a full disk cut short is taken back.
static bool write_frames(struct journal *j, struct str frames)
{
    if (j->fd >= 0 && write_all(j->fd, frames)) {
        j->end.offset += (int64_t)frames.n;
        j->dirty = true;
        return true;
    }
    if (j->fd >= 0 && ftruncate(j->fd, j->end.offset) == 0)
        lseek(j->fd, j->end.offset, SEEK_SET);
    return false;
}

static bool open_segment(struct journal *j, int64_t segment)
{
    char path[1100];
    segment_path(j, segment, path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool room = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SEGMENT_BYTES) == 0 || errno == EOPNOTSUPP;
    BUF_HERE(schema, FRAME_MAX);
    codec_schema(&schema, j->fields);
    if (!room || !write_all(fd, buf_view(&schema))) {
        close(fd);
        unlink(path);
        return false;
    }
    if (j->fd >= 0) {
        fdatasync(j->fd);
        close(j->fd);
    }
    j->fd = fd;
    j->end = (struct journal_at){segment, (int64_t)schema.n};
    return true;
}

// Where the next segment cannot be had, this one goes on growing.
static void rotate_if_due(struct journal *j)
{
    if (j->end.offset < SEGMENT_BYTES - FRAME_MAX)
        return;
    if (!open_segment(j, j->end.segment + 1) && j->end.offset >= SEGMENT_BYTES)
        atomic_store(&j->full, true);
}

static void spill(struct journal *j, struct str frame)
{
    if (!atomic_exchange(&j->full, true))
        log_error("journal: cannot write (%s); new work is refused", strerror(errno));
    buf_str(&j->spill, frame);
    if (j->spill.overflow)
        abort(); // 64 MiB of bills that cannot be kept: better to stop serving
}

void journal_append(struct journal *j, const void *row, int64_t token_quota)
{
    pthread_mutex_lock(&j->lock);
    buf_clear(&j->frame);
    codec_row(&j->frame, j->fields, row, token_quota);
    rotate_if_due(j);
    if (j->spill.n || !write_frames(j, buf_view(&j->frame)))
        spill(j, buf_view(&j->frame));
    atomic_fetch_add(&j->unbooked, (int64_t)j->frame.n);
    pthread_cond_signal(&j->grew);
    pthread_mutex_unlock(&j->lock);
}

// --- the syncing thread -----------------------------------------------------------

static bool disk_has_room(const struct journal *j)
{
    struct statvfs v;
    return statvfs(j->folder, &v) || (int64_t)v.f_bavail * (int64_t)v.f_frsize >= FREE_BYTES_LEAST;
}

static void retry_spill(struct journal *j)
{
    if (j->spill.n && write_frames(j, buf_view(&j->spill))) {
        buf_free(&j->spill);
        pthread_cond_signal(&j->grew);
        log_info("journal: writing again");
    }
}

// Flags the disk's state once in a while, syncs whenever something was written.
static void sync_once(struct journal *j, bool look)
{
    retry_spill(j);
    if (look)
        atomic_store(&j->full, j->spill.n || !disk_has_room(j));
    if (!j->dirty)
        return;
    int fd = dup(j->fd); // rotation may close the other one meanwhile
    j->dirty = false;
    pthread_mutex_unlock(&j->lock);
    if (fd >= 0) {
        fdatasync(fd);
        close(fd);
    }
    pthread_mutex_lock(&j->lock);
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static void *sync_for_ever(void *self)
{
    struct journal *j = self;
    int64_t looked = 0;
    pthread_mutex_lock(&j->lock);
    while (!j->stopping) {
        int64_t now = clock_steady_ms();
        bool look = now - looked >= 1000;
        if (look)
            looked = now;
        sync_once(j, look);
        struct timespec until = in_ms(j->sync_ms);
        if (!j->stopping)
            pthread_cond_timedwait(&j->wake_syncer, &j->lock, &until);
    }
    sync_once(j, true);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

// --- opening and closing ------------------------------------------------------------

static int64_t segment_of(const char *name)
{
    int64_t n;
    struct str s = str_of(name);
    bool fits = s.n == 14 && !strcmp(name + 10, ".log") && str_to_int((struct str){s.p, 10}, &n);
    return fits ? n : 0;
}

// The oldest and newest segment there, and the bytes from `booked` on.
static int64_t look_around(struct journal *j, struct journal_at booked)
{
    int64_t newest = 0;
    DIR *d = opendir(j->folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        int64_t n = segment_of(e->d_name);
        struct stat st;
        char path[1100];
        if (!n)
            continue;
        segment_path(j, n, path, sizeof(path));
        if (n > newest)
            newest = n;
        if (!j->first_segment || n < j->first_segment)
            j->first_segment = n;
        if (n >= booked.segment && !stat(path, &st))
            atomic_fetch_add(&j->unbooked, st.st_size - (n == booked.segment ? booked.offset : 0));
    }
    if (d)
        closedir(d);
    return newest;
}

static struct err *take_folder(struct arena *a, struct journal *j)
{
    if (mkdir(j->folder, 0700) && errno != EEXIST)
        return err_new(a, &err_internal, "cannot make %s: %s", j->folder, strerror(errno));
    j->lock_fd = open(arena_printf(a, "%s/lock", j->folder), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->lock_fd < 0 || flock(j->lock_fd, LOCK_EX | LOCK_NB))
        return err_new(a, &err_internal, "%s is in use by another process", j->folder);
    return NULL;
}

static void init_conditions(struct journal *j)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->grew, &attr);
    pthread_cond_init(&j->wake_syncer, &attr);
    pthread_condattr_destroy(&attr);
}

static void journal_free(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    if (j->read_fd >= 0)
        close(j->read_fd);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    buf_free(&j->frame);
    buf_free(&j->spill);
    pthread_cond_destroy(&j->grew);
    pthread_cond_destroy(&j->wake_syncer);
    pthread_mutex_destroy(&j->lock);
    free(j->ahead);
    free(j->folder);
    free(j);
}

struct err *journal_open(struct arena *a, const char *folder, const struct field *fields,
                         struct journal_at booked, int sync_ms, int64_t max_bytes,
                         struct journal **out)
{
    struct journal *j = mem_new(sizeof(*j));
    *j = (struct journal){.folder = mem_strdup(folder),
                          .fields = fields,
                          .sync_ms = sync_ms,
                          .max_bytes = max_bytes,
                          .fd = -1,
                          .read_fd = -1,
                          .lock_fd = -1,
                          .frame = BUF(FRAME_MAX + FRAME_HEAD),
                          .spill = BUF(SPILL_BYTES),
                          .ahead = mem_new(READ_BYTES + FRAME_HEAD + 1)};
    init_conditions(j);
    struct err *e = take_folder(a, j);
    int64_t newest = e ? 0 : look_around(j, booked);
    int64_t next = (newest > booked.segment ? newest : booked.segment) + 1;
    if (!e && !open_segment(j, next))
        e = err_new(a, &err_internal, "cannot write %s: %s", folder, strerror(errno));
    if (e) {
        journal_free(j);
        return e;
    }
    if (!j->first_segment)
        j->first_segment = next;
    if (pthread_create(&j->syncer, NULL, sync_for_ever, j))
        abort();
    *out = j;
    return NULL;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_broadcast(&j->wake_syncer);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->syncer, NULL);
    journal_free(j);
}

// --- state ------------------------------------------------------------------------

bool journal_admits(const struct journal *j)
{
    return !atomic_load(&j->full) && atomic_load(&j->unbooked) < j->max_bytes;
}

int64_t journal_unbooked(const struct journal *j)
{
    return atomic_load(&j->unbooked);
}

int64_t journal_damaged(const struct journal *j)
{
    return atomic_load(&j->damaged);
}

struct journal_at journal_end(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    struct journal_at end = j->end;
    pthread_mutex_unlock(&j->lock);
    return end;
}

static bool is_behind(struct journal_at a, struct journal_at b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

void journal_wait(struct journal *j, struct journal_at seen, int ms)
{
    struct timespec until = in_ms(ms);
    pthread_mutex_lock(&j->lock);
    while (!is_behind(seen, j->end) && !j->stopping)
        if (pthread_cond_timedwait(&j->grew, &j->lock, &until))
            break;
    pthread_mutex_unlock(&j->lock);
}

static int64_t segment_size(const struct journal *j, int64_t segment)
{
    char path[1100];
    struct stat st;
    segment_path(j, segment, path, sizeof(path));
    return stat(path, &st) ? 0 : st.st_size;
}

void journal_booked(struct journal *j, struct journal_at at)
{
    for (; j->first_segment < at.segment; j->first_segment++) {
        char path[1100];
        segment_path(j, j->first_segment, path, sizeof(path));
        unlink(path);
    }
    pthread_mutex_lock(&j->lock);
    int64_t left = (int64_t)j->spill.n - at.offset;
    for (int64_t n = at.segment; n < j->end.segment; n++)
        left += segment_size(j, n);
    atomic_store(&j->unbooked, left + j->end.offset);
    pthread_mutex_unlock(&j->lock);
}

// --- reading ------------------------------------------------------------------------

static bool open_for_reading(struct journal *j, int64_t segment)
{
    char path[1100];
    if (j->read_fd >= 0 && j->read_segment == segment)
        return true;
    if (j->read_fd >= 0)
        close(j->read_fd);
    segment_path(j, segment, path, sizeof(path));
    j->read_fd = open(path, O_RDONLY | O_CLOEXEC);
    j->read_segment = segment;
    j->ahead_n = 0;
    j->schema.count = 0;
    return j->read_fd >= 0;
}

// The bytes from `offset` on, up to `limit`, as far as one frame can reach.
static struct str look_ahead(struct journal *j, int64_t offset, int64_t limit)
{
    int64_t have = j->ahead_at + (int64_t)j->ahead_n - offset;
    bool inside = offset >= j->ahead_at && have > 0;
    if (!inside || (have < FRAME_MAX / 2 && j->ahead_at + (int64_t)j->ahead_n < limit)) {
        int64_t want = limit - offset < READ_BYTES ? limit - offset : READ_BYTES;
        ssize_t n = want > 0 ? pread(j->read_fd, j->ahead, (size_t)want, offset) : 0;
        j->ahead_at = offset;
        j->ahead_n = n > 0 ? (size_t)n : 0;
    }
    return (struct str){j->ahead + (offset - j->ahead_at),
                        (size_t)(j->ahead_at + (int64_t)j->ahead_n - offset)};
}

static bool read_schema(struct journal *j, int64_t limit)
{
    struct str payload;
    return j->schema.count > 0 || (codec_frame(look_ahead(j, 0, limit), &payload) &&
                                   codec_read_schema(payload, j->fields, &j->schema));
}

static int64_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) ? 0 : st.st_size;
}

static void note_damage(struct journal *j, struct journal_at at, int64_t limit)
{
    atomic_fetch_add(&j->damaged, 1);
    log_error("journal: segment %lld is damaged at byte %lld; %lld bytes skipped",
              (long long)at.segment, (long long)at.offset, (long long)(limit - at.offset));
}

// One record of the segment *at is in. False at its end (damaged rests are its end too).
static bool next_here(struct journal *j, struct arena *a, struct journal_at *at, int64_t limit,
                      void *row, int64_t *token_quota)
{
    while (at->offset < limit) {
        struct str payload;
        size_t n =
            read_schema(j, limit) ? codec_frame(look_ahead(j, at->offset, limit), &payload) : 0;
        if (!n) {
            note_damage(j, *at, limit);
            at->offset = limit;
            return false;
        }
        struct journal_at here = *at;
        at->offset += (int64_t)n;
        if (here.offset == 0)
            continue; // the schema
        if (codec_read_row(a, payload, &j->schema, j->fields, row, token_quota))
            return true;
        note_damage(j, here, at->offset);
    }
    return false;
}

bool journal_next(struct journal *j, struct arena *a, struct journal_at *at, void *row,
                  int64_t *token_quota)
{
    struct journal_at end = journal_end(j);
    if (at->segment < j->first_segment)
        *at = (struct journal_at){j->first_segment, 0};
    bool found = false;
    while (!found && is_behind(*at, end)) {
        bool here = open_for_reading(j, at->segment);
        int64_t limit = !here ? 0 : at->segment == end.segment ? end.offset : size_of(j->read_fd);
        found = here && next_here(j, a, at, limit, row, token_quota);
        if (!found && at->segment < end.segment)
            *at = (struct journal_at){at->segment + 1, 0};
    }
    return found;
}
