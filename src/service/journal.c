// Appending, syncing, rotating and deleting the journal's segments.

#include "service/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
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
#include "service/journal_reader.h"

enum {
    SEGMENT_BYTES = 16 << 20,
    SPILL_BYTES = 64 << 20,      // waits in memory while the disk refuses
    FREE_BYTES_LEAST = 64 << 20, // on the disk, for new work to begin
    KEEP_BYTES = 16 << 20,       // booked, and kept all the same
    KEEP_SEGMENTS = 100,
    FRAMES_AT_ONCE = 32 << 10, // and one frame
    LOOK_MS = 1000,            // between two looks at the disk
};

struct journal {
    char *folder;
    const struct field *fields;
    uint32_t print;
    int lock_fd, folder_fd, sync_ms;
    int64_t max_bytes;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t grew;
    int fd, old_fd; // old_fd: the segment before, not synced yet; -1: none
    struct journal_at end;
    struct buf frames, spill;           // to be written together; refused by the disk
    bool dirty, new_segment;            // to be synced: the file, the folder
    bool cramped, unsynced, no_segment; // why work is refused, besides the spill

    _Atomic int64_t unbooked;
    _Atomic bool full;

    pthread_t syncer;
    pthread_cond_t wake_syncer;
    bool stopping;

    // The one reader's.
    struct journal_reader reader;
    int64_t first_segment; // the oldest that still exists
    int64_t kept_for;      // the segment that was being booked when we last deleted
};

// --- writing --------------------------------------------------------------------

static bool write_all(int fd, struct str s, int64_t at)
{
    while (s.n) {
        ssize_t n = pwrite(fd, s.p, s.n, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = str_skip(s, (size_t)n);
        at += n;
    }
    return true;
}

// Something changed about whether work may begin. With the lock held.
static void judge(struct journal *j)
{
    bool full = j->spill.n || j->cramped || j->unsynced || j->no_segment;
    bool before = atomic_exchange(&j->full, full);
    if (full && !before)
        log_error("journal: new work is refused: %s", j->spill.n    ? "records wait for the disk"
                                                      : j->unsynced ? "the disk cannot be synced"
                                                      : j->cramped  ? "the disk is nearly full"
                                                                    : "no room for a new segment");
    if (before && !full)
        log_info("journal: new work is admitted again");
}

// All of these whole frames or nothing. The place is fixed, so that what a full disk cut short is
// overwritten by the next one even where it cannot be taken back.
static bool write_frames(struct journal *j, struct str frames)
{
    if (!write_all(j->fd, frames, j->end.offset)) {
        int why = errno;
        if (ftruncate(j->fd, j->end.offset))
            log_warn("journal: a half-written record stays until the next one");
        errno = why;
        return false;
    }
    j->end.offset += (int64_t)frames.n;
    j->dirty = true;
    return true;
}

static bool allocate_ahead(int fd)
{
    while (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SEGMENT_BYTES))
        if (errno != EINTR)
            return errno == EOPNOTSUPP || errno == ENOSYS;
    return true;
}

// Synced, and what was allocated ahead given back.
static bool finish_segment(int fd)
{
    struct stat st;
    bool fine = fdatasync(fd) == 0;
    if (fstat(fd, &st) == 0 && ftruncate(fd, st.st_size))
        log_warn("journal: unused room is not given back: %s", strerror(errno));
    close(fd);
    return fine;
}

// The segment before is left to the syncing thread: nobody waits for the disk here.
static void replace_segment(struct journal *j, int fd, struct journal_at at)
{
    if (j->old_fd >= 0 && !finish_segment(j->old_fd))
        j->unsynced = true;
    j->old_fd = j->fd;
    j->fd = fd;
    j->end = at;
    j->dirty = j->new_segment = true;
}

static bool open_segment(struct journal *j, int64_t segment)
{
    char path[SEGMENT_PATH];
    segment_path(j->folder, segment, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    BUF_HERE(schema, FRAME_MAX);
    codec_schema(&schema, j->fields);
    if (!allocate_ahead(fd) || !write_all(fd, buf_view(&schema), 0)) {
        int why = errno;
        close(fd);
        unlink(path);
        errno = why;
        return false;
    }
    replace_segment(j, fd, (struct journal_at){segment, (int64_t)schema.n});
    return true;
}

// Where the next segment cannot be had, this one goes on growing for what is in flight.
static void rotate_if_due(struct journal *j)
{
    if (j->end.offset < SEGMENT_BYTES - FRAMES_AT_ONCE - FRAME_MAX - FRAME_HEAD)
        return;
    j->no_segment = !open_segment(j, j->end.segment + 1);
    judge(j);
}

static void spill(struct journal *j, struct str frames)
{
    if (!j->spill.n)
        log_error("journal: cannot write: %s", strerror(errno));
    buf_str(&j->spill, frames);
    if (j->spill.overflow)
        abort(); // 64 MiB of bills that cannot be kept: better to stop serving
    judge(j);
}

// Did this thread append what nobody may have written yet?
static _Thread_local bool appended;

static void write_appended(struct journal *j)
{
    struct str frames = buf_view(&j->frames);
    if (!frames.n)
        return; // another thread has written them
    rotate_if_due(j);
    if (j->spill.n || !write_frames(j, frames))
        spill(j, frames);
    buf_clear(&j->frames);
    pthread_cond_signal(&j->grew);
}

void journal_append(struct journal *j, const void *row, int64_t token_quota)
{
    appended = true;
    pthread_mutex_lock(&j->lock);
    size_t before = j->frames.n;
    codec_row(&j->frames, j->fields, j->print, row, token_quota);
    size_t n = j->frames.n - before;
    atomic_fetch_add(&j->unbooked, (int64_t)n);
    if (j->frames.n > FRAMES_AT_ONCE)
        write_appended(j);
    pthread_mutex_unlock(&j->lock);
}

void journal_write(struct journal *j)
{
    if (!appended)
        return;
    appended = false;
    pthread_mutex_lock(&j->lock);
    write_appended(j);
    pthread_mutex_unlock(&j->lock);
}

// --- the syncing thread -----------------------------------------------------------

static bool disk_has_room(const struct journal *j)
{
    struct statvfs v;
    return statvfs(j->folder, &v) || (int64_t)v.f_bavail * (int64_t)v.f_frsize >= FREE_BYTES_LEAST;
}

// As many of the records that wait as the disk takes.
static void retry_spill(struct journal *j)
{
    size_t done = 0;
    struct str payload;
    while (done < j->spill.n) {
        rotate_if_due(j);
        struct str rest = str_skip(buf_view(&j->spill), done);
        struct str frame = {rest.p, codec_frame(rest, &payload)};
        if (!write_frames(j, frame))
            break;
        done += frame.n;
    }
    if (!done)
        return;
    buf_drop(&j->spill, done);
    if (!j->spill.n)
        buf_free(&j->spill);
    judge(j);
    pthread_cond_signal(&j->grew);
}

static void look_at_disk(struct journal *j)
{
    j->cramped = !disk_has_room(j);
    if (j->no_segment)
        rotate_if_due(j);
    judge(j);
}

// Whatever is not on the disk yet; the lock is given up meanwhile.
static void sync_files(struct journal *j)
{
    int fd = dup(j->fd), old = j->old_fd; // dup: rotation may close the other one meanwhile
    bool folder = j->new_segment, fine = fd >= 0 || fdatasync(j->fd) == 0;
    j->old_fd = -1;
    j->dirty = j->new_segment = false;
    pthread_mutex_unlock(&j->lock);
    fine &= old < 0 || finish_segment(old);
    fine &= fd < 0 || fdatasync(fd) == 0;
    bool folder_fine = !folder || fsync(j->folder_fd) == 0;
    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&j->lock);
    j->dirty |= !fine || !folder_fine;
    j->new_segment |= !folder_fine;
    j->unsynced = !fine || !folder_fine;
    judge(j);
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

// Flags the disk's state once in a while, syncs whenever something was written.
static void *sync_for_ever(void *self)
{
    struct journal *j = self;
    int64_t looked = 0;
    pthread_mutex_lock(&j->lock);
    while (!j->stopping) {
        int64_t now = clock_steady_ms();
        write_appended(j);
        retry_spill(j);
        if (now - looked >= LOOK_MS) {
            looked = now;
            look_at_disk(j);
        }
        if (j->dirty)
            sync_files(j);
        struct timespec until = in_ms(j->sync_ms);
        if (!j->stopping)
            pthread_cond_timedwait(&j->wake_syncer, &j->lock, &until);
    }
    write_appended(j);
    retry_spill(j);
    if (j->dirty)
        sync_files(j);
    if (j->spill.n)
        log_error("journal: %zu bytes of records could not be written", j->spill.n);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

// --- opening and closing ------------------------------------------------------------

static int64_t segment_of(const char *name)
{
    int64_t n;
    struct str s = str_of(name);
    bool fits = s.n == 14 && !strcmp(name + 10, ".log") && str_to_int((struct str){s.p, 10}, &n);
    return fits && n > 0 ? n : 0;
}

bool journal_exists(const char *folder)
{
    bool some = false;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && !some && (e = readdir(d));)
        some = segment_of(e->d_name) > 0;
    if (d)
        closedir(d);
    return some;
}

// A process that was killed could not give back what it had allocated ahead.
static int64_t trim_segment(const char *path)
{
    struct stat st = {0};
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_blocks * 512 >= st.st_size + SEGMENT_BYTES / 4 &&
        ftruncate(fd, st.st_size))
        log_warn("journal: unused room of %s is not given back: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return st.st_size;
}

// The oldest and newest segment there, and the bytes from `booked` on.
static int64_t look_around(struct journal *j, struct journal_at booked)
{
    int64_t newest = 0;
    DIR *d = opendir(j->folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        int64_t n = segment_of(e->d_name);
        char path[SEGMENT_PATH];
        if (!n)
            continue;
        segment_path(j->folder, n, path);
        int64_t size = trim_segment(path);
        if (n > newest)
            newest = n;
        if (!j->first_segment || n < j->first_segment)
            j->first_segment = n;
        int64_t from = n == booked.segment ? booked.offset : 0;
        if (n >= booked.segment && size > from)
            atomic_fetch_add(&j->unbooked, size - from);
    }
    if (d)
        closedir(d);
    return newest;
}

// The lock file says whose folder it is.
static struct err *claim(struct arena *a, struct journal *j, const char *node)
{
    char owner[256] = "";
    ssize_t n = pread(j->lock_fd, owner, sizeof(owner) - 1, 0);
    if (n == 0 && (!write_all(j->lock_fd, str_of(node), 0) || fsync(j->lock_fd)))
        n = -1;
    if (n < 0)
        return err_new(a, &err_internal, "%s/lock: %s", j->folder, strerror(errno));
    if (n > 0 && strcmp(owner, node) != 0)
        return err_new(a, &err_internal,
                       "%s holds the records of node %s, not of %s: set NODE_NAME accordingly",
                       j->folder, owner, node);
    return NULL;
}

static struct err *make_folder(struct arena *a, const char *folder)
{
    if (mkdir(folder, 0700) && errno != EEXIST)
        return err_new(a, &err_internal, "cannot make %s: %s", folder, strerror(errno));
    int parent = open(arena_printf(a, "%s/..", folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool kept = parent >= 0 && fsync(parent) == 0;
    if (parent >= 0)
        close(parent);
    return kept ? NULL
                : err_new(a, &err_internal, "cannot sync %s/..: %s", folder, strerror(errno));
}

static struct err *take_folder(struct arena *a, struct journal *j, const char *node)
{
    TRY(make_folder(a, j->folder));
    j->folder_fd = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    j->lock_fd = open(arena_printf(a, "%s/lock", j->folder), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->folder_fd < 0 || j->lock_fd < 0)
        return err_new(a, &err_internal, "cannot open %s: %s", j->folder, strerror(errno));
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB))
        return err_new(a, &err_internal, "%s is in use by another process", j->folder);
    return claim(a, j, node);
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
        finish_segment(j->fd);
    if (j->old_fd >= 0)
        finish_segment(j->old_fd);
    if (j->folder_fd >= 0)
        close(j->folder_fd);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    reader_done(&j->reader);
    buf_free(&j->frames);
    buf_free(&j->spill);
    pthread_cond_destroy(&j->grew);
    pthread_cond_destroy(&j->wake_syncer);
    pthread_mutex_destroy(&j->lock);
    free(j->folder);
    free(j);
}

static struct journal *journal_new(const struct journal_options *o)
{
    struct journal *j = mem_new(sizeof(*j));
    *j = (struct journal){.folder = mem_strdup(o->folder),
                          .fields = o->fields,
                          .print = codec_print(o->fields),
                          .sync_ms = o->sync_ms,
                          .max_bytes = o->max_bytes,
                          .fd = -1,
                          .old_fd = -1,
                          .folder_fd = -1,
                          .lock_fd = -1,
                          .frames = BUF(FRAMES_AT_ONCE + FRAME_MAX + FRAME_HEAD),
                          .spill = BUF(SPILL_BYTES)};
    reader_init(&j->reader, j->folder, j->fields);
    init_conditions(j);
    return j;
}

struct err *journal_open(struct arena *a, const struct journal_options *o, struct journal_at booked,
                         struct journal **out)
{
    struct journal *j = journal_new(o);
    struct err *e = take_folder(a, j, o->node);
    int64_t newest = e ? 0 : look_around(j, booked);
    int64_t next = (newest > booked.segment ? newest : booked.segment) + 1;
    if (!e && !open_segment(j, next))
        e = err_new(a, &err_internal, "cannot write %s: %s", o->folder, strerror(errno));
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
    return atomic_load(&j->reader.damaged);
}

struct journal_at journal_end(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    struct journal_at end = j->end;
    pthread_mutex_unlock(&j->lock);
    return end;
}

int64_t journal_waiting(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    int64_t n = (int64_t)j->spill.n;
    pthread_mutex_unlock(&j->lock);
    return n;
}

bool journal_wait(struct journal *j, struct journal_at seen, int ms)
{
    struct timespec until = in_ms(ms);
    pthread_mutex_lock(&j->lock);
    while (!journal_before(seen, j->end) && !j->stopping)
        if (pthread_cond_timedwait(&j->grew, &j->lock, &until))
            break;
    bool some = journal_before(seen, j->end);
    pthread_mutex_unlock(&j->lock);
    return some;
}

// --- the reader's side --------------------------------------------------------------

struct err *journal_next(struct journal *j, struct arena *a, struct journal_at *at, void *row,
                         int64_t *token_quota, bool *found)
{
    if (at->segment < j->first_segment)
        *at = (struct journal_at){j->first_segment, 0};
    struct record record = {.row = row};
    struct err *e = reader_next(&j->reader, a, at, journal_end(j), &record);
    *token_quota = record.token_quota;
    *found = record.found;
    return e;
}

static int64_t segment_size(const struct journal *j, int64_t segment)
{
    char path[SEGMENT_PATH];
    struct stat st;
    segment_path(j->folder, segment, path);
    return stat(path, &st) ? 0 : st.st_size;
}

static void delete_booked(struct journal *j, struct journal_at at)
{
    int64_t keep = at.segment, bytes = at.offset;
    while (keep > j->first_segment && bytes < KEEP_BYTES && at.segment - keep < KEEP_SEGMENTS)
        bytes += segment_size(j, --keep);
    for (; j->first_segment < keep; j->first_segment++) {
        char path[SEGMENT_PATH];
        segment_path(j->folder, j->first_segment, path);
        unlink(path);
    }
}

void journal_booked(struct journal *j, struct journal_at at)
{
    if (at.segment != j->kept_for)
        delete_booked(j, at);
    j->kept_for = at.segment;
    pthread_mutex_lock(&j->lock);
    int64_t left = (int64_t)j->spill.n - at.offset;
    for (int64_t n = at.segment; n < j->end.segment; n++)
        left += segment_size(j, n);
    atomic_store(&j->unbooked, left + j->end.offset);
    pthread_mutex_unlock(&j->lock);
}
