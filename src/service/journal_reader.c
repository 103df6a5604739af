// Reading ahead in large pieces; looking for the next whole frame behind a damaged one.

#include "service/journal_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/log.h"

// Twice the largest frame: while at least one is there nothing is read, so bytes are read once.
enum { FRAME_WHOLE = FRAME_HEAD + FRAME_MAX, READ_BYTES = 2 * FRAME_WHOLE };

void segment_path(const char *folder, int64_t segment, char out[SEGMENT_PATH])
{
    snprintf(out, SEGMENT_PATH, "%s/%010lld.log", folder, (long long)segment);
}

void reader_init(struct journal_reader *r, const char *folder, const struct field *fields)
{
    *r = (struct journal_reader){
        .folder = folder, .fields = fields, .fd = -1, .ahead = mem_new(READ_BYTES)};
    BUF_HERE(schema, FRAME_WHOLE);
    struct str payload;
    codec_schema(&schema, fields);
    if (!codec_frame(buf_view(&schema), &payload) || !codec_read_schema(payload, fields, &r->ours))
        abort(); // more fields than a journal can hold
}

void reader_done(struct journal_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    free(r->ahead);
}

// *there is false if there is no such segment.
static struct err *open_segment(struct journal_reader *r, struct arena *a, int64_t segment,
                                bool *there)
{
    char path[SEGMENT_PATH];
    *there = r->fd >= 0 && r->segment == segment;
    if (*there)
        return NULL;
    if (r->fd >= 0)
        close(r->fd);
    segment_path(r->folder, segment, path);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 && errno != ENOENT)
        return err_new(a, &err_internal, "cannot read %s: %s", path, strerror(errno));
    *there = r->fd >= 0;
    r->segment = segment;
    r->ahead_n = 0;
    r->ahead_at = 0;
    r->schema.count = 0;
    return NULL;
}

static struct err *fill(struct journal_reader *r, struct arena *a, int64_t offset, int64_t limit)
{
    int64_t left = limit - offset;
    size_t want = left < READ_BYTES ? (size_t)left : READ_BYTES;
    r->ahead_at = offset;
    r->ahead_n = 0;
    while (r->ahead_n < want) {
        ssize_t n =
            pread(r->fd, r->ahead + r->ahead_n, want - r->ahead_n, offset + (int64_t)r->ahead_n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_new(a, &err_internal, "cannot read journal segment %lld: %s",
                           (long long)r->segment, strerror(errno));
        if (n == 0)
            break;
        r->ahead_n += (size_t)n;
    }
    return NULL;
}

// The bytes from `offset` up to `limit`, at least as far as one frame can reach.
static struct err *look_ahead(struct journal_reader *r, struct arena *a, int64_t offset,
                              int64_t limit, struct str *out)
{
    int64_t end = r->ahead_at + (int64_t)r->ahead_n;
    bool inside = offset >= r->ahead_at && offset < end;
    if (!inside || (end - offset < FRAME_WHOLE && end < limit))
        TRY(fill(r, a, offset, limit));
    size_t skip = (size_t)(offset - r->ahead_at);
    *out = (struct str){r->ahead + skip, r->ahead_n - skip};
    return NULL;
}

static struct err *frame_at(struct journal_reader *r, struct arena *a, int64_t offset,
                            int64_t limit, struct str *payload, size_t *n)
{
    struct str bytes;
    TRY(look_ahead(r, a, offset, limit, &bytes));
    *n = codec_frame(bytes, payload);
    return NULL;
}

static void note_damage(struct journal_reader *r, struct journal_at at, int64_t until)
{
    atomic_fetch_add(&r->damaged, 1);
    log_error("journal: segment %lld is damaged at byte %lld; %lld bytes skipped",
              (long long)at.segment, (long long)at.offset, (long long)(until - at.offset));
}

// Behind a damaged frame: where the next whole one begins, or the limit.
static struct err *skip_damage(struct journal_reader *r, struct arena *a, struct journal_at *at,
                               int64_t limit)
{
    struct str payload;
    size_t n = 0;
    int64_t offset = at->offset;
    while (!n && ++offset < limit)
        TRY(frame_at(r, a, offset, limit, &payload, &n));
    note_damage(r, *at, offset);
    at->offset = offset;
    return NULL;
}

// The schema is the first frame. Where that is damaged, rows that were written by ours still read.
static struct err *read_schema(struct journal_reader *r, struct arena *a, int64_t limit)
{
    struct str payload;
    size_t n;
    if (r->schema.count)
        return NULL;
    TRY(frame_at(r, a, 0, limit, &payload, &n));
    if (!n || !codec_read_schema(payload, r->fields, &r->schema))
        r->schema = r->ours;
    return NULL;
}

// One frame further: over a record, a schema or what is damaged.
static struct err *next_frame(struct journal_reader *r, struct arena *a, struct journal_at *at,
                              int64_t limit, struct record *out)
{
    struct str payload;
    struct journal_at here = *at;
    size_t n;
    TRY(read_schema(r, a, limit));
    TRY(frame_at(r, a, at->offset, limit, &payload, &n));
    if (!n)
        return skip_damage(r, a, at, limit);
    at->offset += (int64_t)n;
    if (codec_is_schema(payload))
        return NULL;
    out->found = codec_read_row(a, payload, &r->schema, r->fields, out->row, &out->token_quota);
    if (!out->found)
        note_damage(r, here, at->offset);
    return NULL;
}

static struct err *size_of(struct journal_reader *r, struct arena *a, int64_t *size)
{
    struct stat st;
    if (fstat(r->fd, &st))
        return err_new(a, &err_internal, "journal segment %lld: %s", (long long)r->segment,
                       strerror(errno));
    *size = st.st_size;
    return NULL;
}

// A record of the segment *at is in; none: *at is at its end, or at `end`.
static struct err *next_here(struct journal_reader *r, struct arena *a, struct journal_at *at,
                             struct journal_at end, struct record *out)
{
    bool there, last = at->segment == end.segment;
    int64_t limit = end.offset;
    TRY(open_segment(r, a, at->segment, &there));
    if (!there && last)
        return err_new(a, &err_internal, "journal segment %lld has been taken away",
                       (long long)at->segment);
    if (!there) {
        note_damage(r, *at, at->offset);
        return NULL;
    }
    if (!last)
        TRY(size_of(r, a, &limit));
    while (!out->found && at->offset < limit)
        TRY(next_frame(r, a, at, limit, out));
    return NULL;
}

struct err *reader_next(struct journal_reader *r, struct arena *a, struct journal_at *at,
                        struct journal_at end, struct record *out)
{
    out->found = false;
    while (journal_before(*at, end)) {
        TRY(next_here(r, a, at, end, out));
        if (out->found || at->segment == end.segment)
            break;
        *at = (struct journal_at){at->segment + 1, 0};
    }
    return NULL;
}
