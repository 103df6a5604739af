// A provider is somebody we can call. Most are a row of data and nothing else.

#pragma once
#include "relay/chat.h"

struct attempt;

// A header the provider wants: the caller's own value when it speaks the same dialect and sent one.
struct provider_header {
    const char *name, *fallback; // fallback NULL: only when the caller sent it
};

struct provider {
    const char *name;                   // as shown, and accepted as a channel's type
    const char *base_url;               // default; NULL if there is none
    const struct dialect *dialect;      // what the payloads mean
    const struct framing *framing;      // how they are cut out of the stream
    const struct framing *json_framing; // ... of one that says it is JSON; NULL: then it is whole
    struct err *(*authorize)(struct attempt *t); // puts the credential on the request
    const char *path[MODE_COUNT]; // "{model}" "{other}" are replaced; NULL = cannot do this; with
                                  // MODE_RESPONSES it speaks that dialect too, there
    const char *more_models;      // a second list beside path[MODE_MODELS]; NULL: none
    unsigned quirks;              // enum quirk
    const struct provider_header *headers; // name NULL ends; NULL: none
    const char *models;                    // presets for the console, comma-separated
    const char *logo;                      // the console's icon

    // Hooks for what data cannot say. NULL means the dialect's own behaviour.
    // Whether a channel with this `other` can be asked at a path of the row.
    bool (*has_mode)(enum relay_mode mode, const char *other);
    struct err *(*fix_url)(struct attempt *t);
    // fix_request runs where a request is translated; one of the same dialect stays as it was sent.
    struct err *(*fix_request)(struct attempt *t, struct chat_request *request);
    struct err *(*fix_event)(struct attempt *t, struct chat_event *ev);
    // Signs the request as it will be sent, when all else is known: more lines in t->headers.
    struct err *(*sign)(struct attempt *t, const char *method, const struct str *body,
                        size_t pieces);
    // Logs in first (on a worker) and caches the result; NULL where the key is the credential.
    struct err *(*log_in)(struct attempt *t);
};

// One try at one channel: all a provider ever sees of a relay.
struct attempt {
    struct arena *arena;
    const struct provider *provider;
    enum relay_mode mode;
    const struct dialect *dialect; // what is spoken there: provider_dialect
    bool stream;
    bool array;       // as one JSON array, which the caller will get as it is
    const char *tail; // behind the path: "/resp_1/input_items"; NULL none
    const char *base_url, *key, *model, *other; // the channel's; `other`: api version, region ...
    const char *path;                           // instead of the row's; NULL: that
    const char *url;                            // filled in by attempt_prepare
    struct buf headers; // "Name: value\r\n" lines: credential and the row's headers; never
                        // Host, Content-Type, Content-Length
    // What the caller sent and a provider of the same dialect wants to see ("anthropic-beta");
    // .p NULL if it did not. NULL when the caller speaks another dialect.
    struct str (*caller_header)(struct attempt *t, const char *name);
    void *caller;
};

// Indexed by the type stored in the channels table: rows are never renumbered. NULL: no such type.
const struct provider *provider_of(int type);
int provider_type(const char *name_or_number); // 0 if unknown; names in any case
int provider_types(void);                      // one more than the largest type

// What this provider is asked when its caller asks for `mode`: a conversation may be had at either
// of two paths (chat or responses), in the caller's own words if it can be.
enum relay_mode provider_mode(const struct provider *p, enum relay_mode mode, const char *model,
                              const char *other);
const struct dialect *provider_dialect(const struct provider *p, enum relay_mode mode);

// Builds URL and headers. A path in the base URL is honoured; where it ends in a version ("/v1",
// "/api/paas/v4", "/v1beta/openai") the "/v1" of our path is left out; a query is kept.
// err_mode_unsupported when the provider has no such path, err_channel_misconfigured when the
// channel's base URL or key cannot be used.
struct err *attempt_prepare(struct attempt *t);

// What is asked of this provider; NULL: it cannot do that.
const char *attempt_path(const struct attempt *t);
// The URL of `path` (which begins with "/") at this attempt's address, for fix_url hooks.
struct err *attempt_url(struct attempt *t, const char *path);
// One more header; err_channel_misconfigured if the value could end the line.
struct err *attempt_header(struct attempt *t, const char *name, struct str value);
// Appends `text` with everything but letters, digits and -_.~ percent-encoded.
void attempt_escape(struct buf *out, const char *text);
