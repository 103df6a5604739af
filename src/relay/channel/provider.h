// A provider is somebody we can call. Most are a row of data and nothing else.

#pragma once
#include "relay/chat.h"

struct attempt;

enum quirk {
    NO_STREAM_USAGE = 1 << 0,   // refuses stream_options
    NO_SYSTEM_ROLE = 1 << 1,    // wants system text as a user turn
    NO_DEVELOPER_ROLE = 1 << 2, // knows "system" only
    THINK_TAGS = 1 << 3,        // reasoning arrives inside <think>…</think>
    OLD_MAX_TOKENS = 1 << 4,    // knows max_tokens only
    NO_TOOLS = 1 << 5,
    KEEP_REASONING = 1 << 6,    // wants reasoning_content back in the history
    USAGE_EVERYWHERE = 1 << 7,  // cumulative usage in every chunk
    NEEDS_BASE_URL = 1 << 8,    // no default: the channel must give one
};

struct provider {
    const char *name;     // as shown, and accepted as a channel's type
    const char *base_url; // default; NULL if there is none
    const struct dialect *dialect; // what the payloads mean
    const struct framing *framing; // how they are cut out of the stream
    struct err *(*authorize)(struct attempt *t); // puts the credential on the request
    const char *path[MODE_COUNT]; // "{model}" "{other}" are replaced; NULL = cannot do this
    unsigned quirks;
    const char *models; // presets for the console, comma-separated
    const char *logo;   // the console's icon

    // Hooks for what data cannot say. NULL means the dialect's own behaviour.
    struct err *(*fix_url)(struct attempt *t);
    struct err *(*fix_request)(struct attempt *t, struct chat_request *request);
    struct err *(*fix_event)(struct attempt *t, struct chat_event *ev);
    // Logs in first (on a worker) and caches the result; NULL where the key is the credential.
    struct err *(*log_in)(struct attempt *t);
};

// One try at one channel: all a provider ever sees of a relay.
struct attempt {
    struct arena *arena;
    const struct provider *provider;
    enum relay_mode mode;
    bool stream;
    const char *base_url, *key, *model, *other; // the channel's; `other`: api version, region ...
    const char *url;    // filled in by attempt_prepare
    struct buf headers; // "Name: value\r\n" lines
    // What the caller sent and a provider of the same dialect wants to see ("anthropic-beta").
    struct str (*caller_header)(struct attempt *t, const char *name);
    void *caller;
};

// Indexed by the type stored in the channels table: rows are never renumbered. NULL: no such type.
const struct provider *provider_of(int type);
int provider_type(const char *name_or_number); // 0 if unknown; names in any case
int provider_types(void);                      // one more than the largest type

// Builds URL and headers: base URL (a path in it is honoured, a trailing /v1 not doubled), path,
// credential. err_mode_unsupported when the provider has no such path.
struct err *attempt_prepare(struct attempt *t);
