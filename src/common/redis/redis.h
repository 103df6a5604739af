// Redis, as something that comes and goes: what needs it goes on without.
//
// One thread owns two connections, one for commands and one for subscriptions (a connection that
// subscribes can do nothing else). While a connection is lost nothing waits for it: calls are
// refused at once, and it is tried again after 0.1 to 5 seconds. Both are proven alive every
// second: our name is published on the channel "here", and must come back to us.
//
// No TLS. Protocol facts: RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/lane.h"
#include "common/str.h"

struct redisReply; // hiredis's own: read it with the functions below

// --- the whole ---------------------------------------------------------------------------

struct redis_address {
    const char *host;
    int port;
    const char *user, *password; // "" if there are none
    int database;
};

// redis://[user][:password@]host[:port][/database], percent-encoded; no error shows any of it.
struct err *redis_parse(struct arena *a, const char *text, struct redis_address *out);

// Before redis_start: everything that is to be known on every connection.
//
// A script's text and the struct live for ever. Redis knows it before the first call can be made.
struct redis_script {
    const char *text;
    char sha[41]; // Redis's own from here on
    struct redis_script *next;
};
void redis_script_add(struct redis_script *script);

// Both are called on the Redis thread and must not wait. on_subscribed: from now on messages come;
// what was published before, since the connection was lost perhaps, was not heard.
struct redis_channel {
    const char *name; // the prefix is put before it
    void (*on_message)(struct str message);
    void (*on_subscribed)(void);
    struct redis_channel *next; // Redis's own
};
void redis_subscribe(struct redis_channel *channel);

struct redis_options {
    struct redis_address address;
    const char *prefix; // of all names of keys and channels: others may use the same server
    const char *name;   // ours, among those with this prefix
    // On the Redis thread, when commands can be given, and when they no longer can (why is set).
    void (*on_change)(bool up, const char *why);
};
void redis_start(const struct redis_options *o);
void redis_stop(void); // nobody may call any more; fine when it was never started

const char *redis_prefix(void); // "" when there is no Redis

struct redis_state {
    bool configured;
    bool up;                                     // commands can be given
    bool subscribed;                             // messages come
    int64_t calls, failures, connects, messages; // since start
};
void redis_state(struct redis_state *out);

// --- calls -------------------------------------------------------------------------------

// Embedded by the caller, zeroed; it must stay where it is until on_reply, which may free it.
struct redis_call {
    // On the Redis thread, exactly once, must not wait. NULL: no answer came, and the command may
    // have been carried out or not. The reply lives only as long as the callback. An error that
    // Redis answered is a reply (redis_error).
    void (*on_reply)(struct redis_call *call, const struct redisReply *reply);

    struct job job; // Redis's own from here on
    char *bytes;
    long long size;
    const struct redis_script *script;
    bool again;
};

// From any thread, never waits; the arguments are copied. False: there is no Redis now, nothing was
// sent, and on_reply will not be called. Keys are the caller's to prefix.
bool redis_run(struct redis_call *call, int argc, const struct str *argv);
// EVALSHA: the first `keys` arguments are KEYS, the others ARGV.
bool redis_eval(struct redis_call *call, const struct redis_script *script, int keys, int argc,
                const struct str *argv);
// To everybody who subscribed, ourselves included. False: not sent; true is not a promise.
bool redis_publish(const char *channel, struct str message);

// --- replies: NULL and the wrong type are answered with false, .p NULL or 0 -------------------

const char *redis_error(const struct redisReply *reply); // NULL: it is none
bool redis_int(const struct redisReply *reply, int64_t *out);
struct str redis_text(const struct redisReply *reply);
size_t redis_count(const struct redisReply *reply); // of an array
const struct redisReply *redis_item(const struct redisReply *reply, size_t index);
