// The journal's reader: segments with damage anywhere, and records of other schemas whose checksums
// are right. What was written reads back; what was not is stepped over, and reading always ends.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/hash.h"
#include "input.h"
#include "model/log.h"
#include "service/journal_reader.h"

static char folder[64];

static void put_u32(struct buf *out, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        buf_add(out, &(char){(char)(v >> (8 * i))}, 1);
}

static void put_frame(struct buf *out, struct str payload)
{
    put_u32(out, (uint32_t)payload.n);
    put_u32(out, hash_crc32c(0, payload.p, payload.n));
    buf_str(out, payload);
}

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v > 0x7f; v >>= 7)
        buf_add(out, &(char){(char)(v | 0x80)}, 1);
    buf_add(out, &(char){(char)v}, 1);
}

// A record of `schema`, its print put right so that its values are looked at.
static void put_record(struct buf *out, uint32_t print, struct str values)
{
    BUF_HERE(payload, FRAME_MAX);
    put_varint(&payload, PAYLOAD_ROW);
    put_varint(&payload, print);
    buf_str(&payload, values);
    if (!payload.overflow)
        put_frame(out, buf_view(&payload));
}

static void write_segment(const char *path, struct str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    HOLDS(fd >= 0 && write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    close(fd);
}

static void touch_texts(const struct log_row *row)
{
    const char *const texts[] = {row->request_id, row->username, row->model_name, row->other};
    size_t n = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        n += texts[i] ? strlen(texts[i]) : 0;
    HOLDS(n <= FRAME_MAX);
}

// Answers how many of the rows are the one that was certainly written.
static int read_segment(struct str bytes)
{
    char path[SEGMENT_PATH];
    struct journal_reader r;
    struct journal_at at = {1, 0}, end = {1, (int64_t)bytes.n};
    ARENA(a);
    segment_path(folder, 1, path);
    write_segment(path, bytes);
    reader_init(&r, folder, log_table.fields);
    int ours = 0;
    for (bool found = true; found;) {
        struct log_row row = {0};
        struct record record = {.row = &row};
        int64_t before = at.offset;
        HOLDS(!reader_next(&r, a, &at, end, &record));
        found = record.found;
        HOLDS(at.offset >= before && at.offset <= end.offset);
        if (found)
            touch_texts(&row);
        ours +=
            found && row.quota == 4711 && record.token_quota == 42 && text_eq(row.request_id, "r1");
    }
    HOLDS(at.offset == end.offset);
    reader_done(&r);
    return ours;
}

static void put_ours(struct buf *out)
{
    struct log_row row = {
        .request_id = "r1", .type = LOG_TYPE_CONSUME, .quota = 4711, .other = "{}"};
    codec_row(out, log_table.fields, codec_print(log_table.fields), &row, 42);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned how = input_byte(&in), cut = input_byte(&in);
    if (!*folder) {
        snprintf(folder, sizeof(folder), "/dev/shm/tf-fuzz-%d", (int)getpid());
        mkdir(folder, 0700);
    }
    BUF_HERE(segment, 1 << 20);
    size_t at = in.text.n * cut / 256;
    struct str head = {in.text.p, at}, tail = str_skip(in.text, at);
    if (!(how & 1))
        codec_schema(&segment, log_table.fields);
    else if (head.n)
        put_frame(&segment, head); // somebody else's schema, perhaps
    uint32_t print = how & 1 ? hash_crc32c(0, head.p, head.n) : codec_print(log_table.fields);
    if (how & 2)
        put_record(&segment, print, tail);
    else
        buf_str(&segment, tail);
    put_ours(&segment);
    if (how & 4)
        buf_str(&segment, head);
    if (segment.overflow)
        return 0;
    int ours = read_segment(buf_view(&segment));
    HOLDS(how & 1 || ours >= 1); // behind any damage; with another schema it is not ours to read
    return 0;
}
