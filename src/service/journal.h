// The journal: an append-only record of what was settled, on disk before anybody is told.
//
// Files DATA_DIR/journal/0000000001.log, 2, 3 ... Each holds frames of
//
//     u32 length of the payload, u32 CRC-32C of the payload (little endian), payload
//
// The first frame of a file names the fields of its records, so that a newer program with more
// fields still reads it. Ints are zigzag varints, texts a varint length and the bytes. A frame is
// written at once: a killed process loses nothing. fdatasync of file and folder follows in groups.
// Files are allocated ahead, so that what is in flight when the disk fills still has its place.

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/field.h"

struct arena;
struct journal;

struct journal_at {
    int64_t segment, offset;
};

static inline bool journal_same(struct journal_at a, struct journal_at b)
{
    return a.segment == b.segment && a.offset == b.offset;
}
static inline bool journal_before(struct journal_at a, struct journal_at b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

struct journal_options {
    const char *folder, *node;
    const struct field *fields; // of its records
    int sync_ms;                // how much a power cut may lose
    int64_t max_bytes;          // unbooked; above it no new work begins
};

// Takes the folder for this process alone (err_internal if another one has it), and for this node:
// another node's position would mean nothing here, and records would be booked twice. New records
// go to a new segment behind everything that is there and behind `booked`.
struct err *journal_open(struct arena *a, const struct journal_options *o, struct journal_at booked,
                         struct journal **out);
bool journal_exists(const char *folder); // has anything ever been written there?
void journal_close(struct journal *j);   // synced; NULL is fine

// Any thread. token_quota rides along with the row. Written with the next journal_write of the same
// thread at the latest: nobody may be told before. Never fails from the caller's point of view:
// what the disk refuses waits in memory until it can be written, and new work is refused.
void journal_append(struct journal *j, const void *row, int64_t token_quota);
void journal_write(struct journal *j); // what was appended; costs nothing where nothing was

// May new work begin? False above max_bytes unbooked, on a full disk, or while records wait or
// cannot be synced.
bool journal_admits(const struct journal *j);

struct journal_at journal_end(struct journal *j); // behind the last record written
int64_t journal_waiting(struct journal *j);       // bytes that wait in memory for the disk
// Waits for something behind `seen`, at most so long; is there something?
bool journal_wait(struct journal *j, struct journal_at seen, int ms);

// Reads the next record at *at and moves it on, over segment ends too. *found is false when there
// is none yet. What is damaged is skipped, counted and logged, record by record. An error says that
// the disk cannot be read now: *at has not passed anything, try again. Texts live in the arena. One
// reader.
struct err *journal_next(struct journal *j, struct arena *a, struct journal_at *at, void *row,
                         int64_t *token_quota, bool *found);

// Everything before is in SQL: old segments are deleted, but for those that a database which lost
// its last transactions in a power cut would ask for again (16 MiB, 100 files at most).
void journal_booked(struct journal *j, struct journal_at at);

int64_t journal_unbooked(const struct journal *j); // bytes
int64_t journal_damaged(const struct journal *j);  // places skipped since start
