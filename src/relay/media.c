// Pictures and documents at addresses of the caller's choosing, fetched for providers that want
// the bytes themselves.
//
// Threads of their own do it: whoever names slow servers must not keep the workers from SQL.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/http/fetch.h"
#include "common/image.h"
#include "relay/state.h"

enum {
    URLS_MOST = 32,    // of one request
    THREADS_MOST = 16, // of this process
    QUEUE_MOST = 1024, // addresses that wait
    ONE_MS = 10000,    // for one
    ALL_MS = 20000,    // for all of a request, waiting included
    REDIRECTS = 3,
    REASON_MOST = 200
};

struct item {
    struct item *next;
    struct media *all;
    struct chat_part *part;
    struct item *same; // an earlier one with that address: not fetched again
    struct str data;   // base64, malloc's
    const char *mime;
    char failed[REASON_MOST]; // "": it is there
};

// What one request waits for.
struct media {
    struct relay *r;
    _Atomic int left;
    int64_t until_ms;
    size_t each_most;
    bool private;
    struct item items[URLS_MOST];
    int count;
    bool too_many;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct item *first, **end;
    int waiting, threads, idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .end = &pool.first};

// --- what is needed ---------------------------------------------------------------------

static struct item *same_as(struct media *m, const struct chat_part *p)
{
    for (int i = 0; i < m->count; i++)
        if (str_eq(m->items[i].part->url, p->url))
            return &m->items[i];
    return NULL;
}

static bool is_needed(const struct relay *r, const struct chat_part *p)
{
    bool web = str_starts(p->url, "https://") || str_starts(p->url, "http://");
    return web && !p->data.n && !p->text.n && r->attempt.dialect->wants_bytes(&r->target, p);
}

static void add_parts(struct media *m, struct chat_part *parts)
{
    for (struct chat_part *p = parts; p; p = p->next) {
        if (p->kind == PART_TOOL_RESULT)
            add_parts(m, p->parts);
        if (!is_needed(m->r, p))
            continue;
        if (m->count == URLS_MOST) {
            m->too_many = true;
            return;
        }
        struct item *same = same_as(m, p);
        m->items[m->count++] = (struct item){.all = m, .part = p, .same = same};
    }
}

static void free_items(void *media)
{
    struct media *m = media;
    for (int i = 0; i < m->count; i++)
        if (!m->items[i].same)
            free((char *)m->items[i].data.p);
}

// NULL: nothing.
static struct media *needed(struct relay *r)
{
    const struct relay_setting *s = &r->snapshot->settings.relay;
    struct media *m = NEW(r->arena, struct media);
    m->r = r;
    for (struct chat_message *at = r->request.messages; at; at = at->next)
        add_parts(m, at->parts);
    if (!m->count)
        return NULL;
    m->until_ms = clock_steady_ms() + ALL_MS;
    m->each_most = ((size_t)s->media_megabytes << 20) / (size_t)m->count;
    m->private = s->media_private;
    arena_defer(r->arena, free_items, m);
    return m;
}

// --- fetching ---------------------------------------------------------------------------

static const char *sniffed(const struct item *it, struct str body)
{
    static const char *const pictures[] = {[IMAGE_PNG] = "image/png",
                                           [IMAGE_JPEG] = "image/jpeg",
                                           [IMAGE_GIF] = "image/gif",
                                           [IMAGE_WEBP] = "image/webp"};
    struct image image = {0};
    image_size(body, &image);
    if (image.type != IMAGE_UNKNOWN)
        return pictures[image.type];
    if (it->part->kind != PART_FILE || !body.n)
        return NULL;
    if (str_starts(body, "%PDF-"))
        return "application/pdf";
    return utf8_valid(body) ? "text/plain" : NULL;
}

static const char *why_not(struct arena *a, const struct item *it,
                           const struct fetch_answer *answer)
{
    if (answer->status != 200)
        return arena_printf(a, "status %d", answer->status);
    return sniffed(it, answer->body)     ? NULL
           : it->part->kind == PART_FILE ? "it is no PDF, picture or text"
                                         : "it is no PNG, JPEG, GIF or WebP";
}

static void take(struct arena *a, struct item *it, const struct fetch_answer *answer)
{
    const char *text = base64_text(a, answer->body.p, answer->body.n);
    it->mime = sniffed(it, answer->body);
    it->data = (struct str){mem_strdup(text), strlen(text)};
}

static void fetch_one(struct item *it)
{
    ARENA(a);
    int64_t left = it->all->until_ms - clock_steady_ms();
    struct http_header headers[] = {{STR("User-Agent"), STR("token-factory/" TF_VERSION)},
                                    {STR("Accept"), STR("*/*")}};
    struct fetch request = {
        .url = arena_str(a, it->part->url),
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(*headers),
        .guarded = !it->all->private,
        .redirects = REDIRECTS,
        .timeout_ms = left < ONE_MS ? (int)left : ONE_MS,
        .max_bytes = it->all->each_most,
    };
    struct fetch_answer answer = {0};
    struct err *e = left > 0 ? fetch(a, &request, &answer) : err_new(a, &err_upstream_timeout, "-");
    const char *why = e ? e->kind->code : why_not(a, it, &answer);
    if (!why)
        take(a, it, &answer);
    snprintf(it->failed, sizeof(it->failed), "%s", why ? why : "");
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&pool.lock);
        pool.idle++;
        while (!pool.first)
            pthread_cond_wait(&pool.more, &pool.lock);
        struct item *it = pool.first;
        pool.first = it->next;
        if (!pool.first)
            pool.end = &pool.first;
        pool.idle--;
        pool.waiting--;
        pthread_mutex_unlock(&pool.lock);
        struct relay *r = it->all->r;
        fetch_one(it);
        if (atomic_fetch_sub(&it->all->left, 1) == 1)
            loop_post(r->loop, &r->job);
    }
    return NULL;
}

// Under the lock.
static void add_thread(void)
{
    pthread_t thread;
    if (pool.waiting <= pool.idle || pool.threads == THREADS_MOST)
        return;
    if (pthread_create(&thread, NULL, serve, NULL))
        abort();
    pthread_detach(thread);
    pool.threads++;
}

static void queue(struct item *it)
{
    it->next = NULL;
    *pool.end = it;
    pool.end = &it->next;
    pool.waiting++;
    add_thread();
    pthread_cond_signal(&pool.more);
}

// False: there is no room for so many.
static bool queue_all(struct media *m)
{
    pthread_mutex_lock(&pool.lock);
    bool fits = pool.waiting + m->count <= QUEUE_MOST;
    for (int i = 0; fits && i < m->count; i++)
        if (!m->items[i].same)
            m->left++;
    for (int i = 0; fits && i < m->count; i++)
        if (!m->items[i].same)
            queue(&m->items[i]);
    pthread_mutex_unlock(&pool.lock);
    return fits;
}

// --- the relay's side -------------------------------------------------------------------

static struct err *put_into_request(struct relay *r, struct media *m)
{
    for (int i = 0; i < m->count; i++) {
        struct item *it = &m->items[i], *from = it->same ? it->same : it;
        if (*from->failed) {
            struct url url;
            const char *text = arena_str(r->arena, it->part->url);
            bool known = !url_parse(r->arena, text, &url);
            return err_new(r->arena, &err_media_failed, "%s (%s)", known ? url.host : "?",
                           from->failed);
        }
        it->part->data = from->data;
        it->part->mime = str_of(from->mime);
        it->part->url = (struct str){0};
    }
    return NULL;
}

static void start(struct relay *r)
{
    relay_await(r);
    if (queue_all(r->media))
        return;
    r->failed = err_new(r->arena, &err_overloaded, "media");
    loop_post(r->loop, &r->job);
}

struct err *relay_media(struct relay *r)
{
    struct media *m = r->media;
    r->media = NULL;
    if (m)
        return put_into_request(r, m);
    if (!r->attempt.dialect->wants_bytes || !r->snapshot->settings.relay.media_enabled)
        return NULL;
    m = needed(r);
    if (m && m->too_many)
        return err_new(r->arena, &err_content_unsupported, "more than %d addresses", URLS_MOST);
    r->media = m;
    r->first = m ? start : NULL;
    return NULL;
}
