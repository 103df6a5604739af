// The upstream of the measurements: one thread that answers as OpenAI and Anthropic would.
//
// The model in the request says how: bench-json, bench-burst (all frames at once), bench-paced
// (frames some time apart), bench-hold (one frame, then one every 30 seconds).

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "payload.h"
#include "wire.h"

enum { IN_MAX = 4096, EVENTS_MAX = 256, HOLD_FRAMES = 100000, SCRATCH = 256 * 1024 };

#define HOLD_NS (INT64_C(30) * 1000000000)

// Streams wait for their next frame in lists ordered by time: all of one list have the same gap.
struct pace {
    int64_t gap_ns;
    int frames;
    struct conn *first, *last;
};

struct conn {
    struct wire wire;
    bool counted; // the head of this request was read
    bool want_out;
    enum dialect dialect;
    size_t in_n;
    int64_t body_left;
    char *out; // what the socket did not take
    size_t out_n, out_at;
    struct pace *pace; // NULL: not a paced reply
    int frames_left;
    int64_t due;
    struct conn *before, *after;
    char in[IN_MAX];
};

static struct {
    int epoll, plain, tls;
    SSL_CTX *context;
    struct pace paced, hold;
    struct text json[DIALECTS], burst[DIALECTS], head[DIALECTS], frame[DIALECTS], end[DIALECTS];
    size_t stamp[DIALECTS];
    long long served, refused, aborted, opened;
    char *scratch;
    const char *why; // the last refusal
} mock;

// --- pace -----------------------------------------------------------------------------------

static void pace_add(struct conn *c)
{
    struct pace *p = c->pace;
    c->before = p->last;
    c->after = NULL;
    *(p->last ? &p->last->after : &p->first) = c;
    p->last = c;
}

static void pace_remove(struct conn *c)
{
    struct pace *p = c->pace;
    if (!p)
        return;
    *(c->before ? &c->before->after : &p->first) = c->after;
    *(c->after ? &c->after->before : &p->last) = c->before;
}

// --- output ---------------------------------------------------------------------------------

static void conn_free(struct conn *c)
{
    if (c->pace || c->counted || c->out_at < c->out_n)
        mock.aborted++;
    pace_remove(c);
    wire_close(&c->wire);
    free(c->out);
    free(c);
}

static void watch(struct conn *c, bool out)
{
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    if (c->want_out != out)
        epoll_ctl(mock.epoll, EPOLL_CTL_MOD, c->wire.fd, &e);
    c->want_out = out;
}

static void keep(struct conn *c, const char *p, size_t n)
{
    memmove(c->out, c->out + c->out_at, c->out_n - c->out_at);
    c->out_n -= c->out_at;
    c->out_at = 0;
    c->out = realloc(c->out, c->out_n + n);
    if (!c->out)
        die("out of memory");
    memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
    watch(c, true);
}

// False if the connection is broken.
static bool put(struct conn *c, const char *p, size_t n)
{
    while (n > 0 && c->out_n == 0) {
        ssize_t sent = wire_write(&c->wire, p, n);
        if (sent == WIRE_AGAIN)
            break;
        if (sent < 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    if (n > 0)
        keep(c, p, n);
    return true;
}

static bool flush(struct conn *c)
{
    while (c->out_at < c->out_n) {
        ssize_t sent = wire_write(&c->wire, c->out + c->out_at, c->out_n - c->out_at);
        if (sent == WIRE_AGAIN)
            return true;
        if (sent < 0)
            return false;
        c->out_at += (size_t)sent;
    }
    free(c->out);
    c->out = NULL;
    c->out_n = c->out_at = 0;
    watch(c, false);
    return true;
}

// --- replies --------------------------------------------------------------------------------

static bool put_frame(struct conn *c, int64_t now)
{
    struct text *frame = &mock.frame[c->dialect];
    payload_stamp(frame->p + mock.stamp[c->dialect], now);
    c->frames_left--;
    return put(c, frame->p, frame->n);
}

static bool start_stream(struct conn *c, struct pace *pace)
{
    int64_t now = clock_ns();
    c->pace = pace;
    c->frames_left = pace->frames;
    c->due = now + pace->gap_ns;
    pace_add(c);
    return put(c, mock.head[c->dialect].p, mock.head[c->dialect].n) && put_frame(c, now);
}

static bool end_stream(struct conn *c)
{
    const struct text *end = &mock.end[c->dialect];
    pace_remove(c);
    c->pace = NULL;
    mock.served++;
    return put(c, end->p, end->n);
}

// The frame that is due; the list keeps its order because every gap is the same.
static bool step_stream(struct conn *c)
{
    if (c->frames_left == 0)
        return end_stream(c);
    pace_remove(c);
    c->due += c->pace->gap_ns;
    pace_add(c);
    return put_frame(c, clock_ns());
}

static bool put_stats(struct conn *c)
{
    char body[512], reply[1024];
    int n = snprintf(body, sizeof(body),
                     "{\"served\":%lld,\"refused\":%lld,\"aborted\":%lld,\"opened\":%lld,"
                     "\"why\":\"%s\"}",
                     mock.served, mock.refused, mock.aborted, mock.opened, mock.why);
    n = snprintf(
        reply, sizeof(reply),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", n,
        body);
    return put(c, reply, (size_t)n);
}

static bool refuse(struct conn *c, const char *why)
{
    static const char reply[] =
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
        "content-length: 36\r\n\r\n{\"error\":{\"message\":\"mock refuses\"}}";
    mock.refused++;
    mock.why = why;
    c->counted = false;
    put(c, reply, sizeof(reply) - 1);
    return false;
}

static bool answer(struct conn *c)
{
    const char *model = memmem(c->in, c->in_n, "\"bench-", 7);
    size_t left = model ? (size_t)(c->in + c->in_n - model) : 0;
    const struct text *whole = NULL;
    if (left > 12 && !memcmp(model + 7, "json", 4))
        whole = &mock.json[c->dialect];
    else if (left > 13 && !memcmp(model + 7, "burst", 5))
        whole = &mock.burst[c->dialect];
    else if (left > 13 && !memcmp(model + 7, "paced", 5))
        return start_stream(c, &mock.paced);
    else if (left > 12 && !memcmp(model + 7, "hold", 4))
        return start_stream(c, &mock.hold);
    if (!whole)
        return refuse(c, "an unknown model");
    mock.served++;
    return put(c, whole->p, whole->n);
}

// --- requests -------------------------------------------------------------------------------

struct head {
    bool key;
    int64_t length; // -1: none
};

static bool is_key(const char *value)
{
    return !strncmp(value, PAYLOAD_KEY "\r", sizeof(PAYLOAD_KEY));
}

static void take_header(struct head *head, const char *line)
{
    static const char length[] = "content-length: ", bearer[] = "authorization: bearer ",
                      key[] = "x-api-key: ";
    char first = *line | 0x20;
    if (first == 'c' && !strncasecmp(line, length, sizeof(length) - 1))
        head->length = strtoll(line + sizeof(length) - 1, NULL, 10);
    else if (first == 'a' && !strncasecmp(line, bearer, sizeof(bearer) - 1))
        head->key |= is_key(line + sizeof(bearer) - 1);
    else if (first == 'x' && !strncasecmp(line, key, sizeof(key) - 1))
        head->key |= is_key(line + sizeof(key) - 1);
}

static bool take_path(struct conn *c)
{
    const char *path = c->in + 5, *end = strchr(path, ' ');
    size_t n = end ? (size_t)(end - path) : 0;
    bool chat = n == 20 && !memcmp(path, "/v1/chat/completions", n);
    c->dialect = chat ? OPENAI : CLAUDE;
    return chat || (n == 12 && !memcmp(path, "/v1/messages", n));
}

// The head is in c->in, a zero where its last newline was.
static bool take_head(struct conn *c, size_t head_n)
{
    struct head head = {.length = -1};
    if (!strncmp(c->in, "GET /stats ", 11))
        return put_stats(c);
    if (strncmp(c->in, "POST ", 5) != 0)
        return refuse(c, "not a POST");
    if (!take_path(c))
        return refuse(c, "an unknown path");
    for (const char *at = c->in; (at = strchr(at, '\n')) && *++at != '\r';)
        take_header(&head, at);
    if (!head.key)
        return refuse(c, "a wrong key");
    if (head.length < 0)
        return refuse(c, "no content-length");
    c->counted = true;
    c->body_left = head.length - (int64_t)(c->in_n - head_n);
    return true;
}

static bool end_request(struct conn *c)
{
    if (c->body_left < 0)
        return refuse(c, "more bytes than content-length");
    if (!memmem(c->in, c->in_n, "\"bench-", 7))
        return refuse(c, "no model");
    if (!answer(c))
        return false;
    c->counted = false;
    c->in_n = 0;
    return true;
}

static bool take(struct conn *c, size_t n)
{
    c->in_n += n;
    if (!c->counted) {
        char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
        if (!end)
            return c->in_n < IN_MAX - 1 || refuse(c, "the head is too long");
        end[3] = 0;
        bool fine = take_head(c, (size_t)(end + 4 - c->in));
        end[3] = '\n';
        if (!fine || !c->counted) {
            c->in_n = 0;
            return fine;
        }
    } else {
        c->body_left -= (int64_t)n;
    }
    return c->body_left > 0 || end_request(c);
}

// What does not fit into c->in is only counted.
static bool read_some(struct conn *c, bool *more)
{
    size_t room = IN_MAX - 1 - c->in_n, big = SCRATCH;
    bool skip = c->counted && room == 0;
    size_t ask = skip ? big : room;
    ssize_t n = wire_read(&c->wire, skip ? mock.scratch : c->in + c->in_n, ask);
    *more = n > 0 && (c->wire.ssl || (size_t)n == ask);
    if (n == WIRE_AGAIN)
        return true;
    if (n <= 0)
        return false;
    if (c->pace)
        return refuse(c, "a request during a reply");
    if (!skip)
        return take(c, (size_t)n);
    c->body_left -= n;
    return c->body_left > 0 || end_request(c);
}

static void on_conn(struct conn *c, uint32_t events)
{
    bool more = true, fine = !(events & (EPOLLERR));
    if (fine && events & EPOLLOUT)
        fine = flush(c);
    while (fine && more)
        fine = read_some(c, &more);
    if (!fine)
        conn_free(c);
}

static void on_listener(int listener)
{
    SSL_CTX *tls = listener == mock.tls ? mock.context : NULL;
    for (;;) {
        struct wire w = wire_accept(listener, tls);
        if (w.fd < 0)
            return;
        struct conn *c = take_memory(sizeof(*c));
        c->wire = w;
        mock.opened++;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(mock.epoll, EPOLL_CTL_ADD, w.fd, &e);
    }
}

// --- the loop -------------------------------------------------------------------------------

static int64_t run_pace(struct pace *p)
{
    int64_t now = clock_ns();
    while (p->first && p->first->due <= now) {
        struct conn *c = p->first;
        if (!step_stream(c))
            conn_free(c);
    }
    return p->first ? p->first->due - now : INT64_MAX;
}

static void loop(void)
{
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int64_t a = run_pace(&mock.paced), b = run_pace(&mock.hold), ns = a < b ? a : b;
        struct timespec wait = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        int n = epoll_pwait2(mock.epoll, events, EVENTS_MAX, ns == INT64_MAX ? NULL : &wait, NULL);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (who == &mock.plain || who == &mock.tls)
                on_listener(*(int *)who);
            else
                on_conn(who, events[i].events);
        }
    }
}

static void listen_on(int *listener, int port)
{
    *listener = wire_listen(port);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = listener};
    epoll_ctl(mock.epoll, EPOLL_CTL_ADD, *listener, &e);
}

static void prepare_replies(int paced_frames)
{
    for (int d = 0; d < DIALECTS; d++) {
        mock.json[d] = payload_json(d);
        mock.burst[d] = payload_burst(d, PAYLOAD_FRAMES);
        mock.head[d] = payload_stream_head(d);
        mock.frame[d] = payload_frame(d, &mock.stamp[d]);
        mock.end[d] = payload_end(d, paced_frames);
    }
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'}, {"tls-port", 1, NULL, 't'}, {"certificate", 1, NULL, 'c'},
        {"key", 1, NULL, 'k'},  {"gap-ms", 1, NULL, 'g'},   {"frames", 1, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    const char *certificate = NULL, *key = NULL;
    int port = 18080, tls_port = 0, option;
    mock.paced = (struct pace){.gap_ns = 20000000, .frames = 50};
    mock.hold = (struct pace){.gap_ns = HOLD_NS, .frames = HOLD_FRAMES};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p': port = (int)strtol(optarg, NULL, 10); break;
        case 't': tls_port = (int)strtol(optarg, NULL, 10); break;
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        case 'g': mock.paced.gap_ns = strtoll(optarg, NULL, 10) * 1000000; break;
        case 'f': mock.paced.frames = (int)strtol(optarg, NULL, 10); break;
        default:
            die("usage: mock [--port N] [--tls-port N --certificate F --key F] [--gap-ms N] "
                "[--frames N]");
        }
    }
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
    mock.epoll = epoll_create1(EPOLL_CLOEXEC);
    mock.scratch = take_memory(SCRATCH);
    mock.why = "";
    prepare_replies(mock.paced.frames);
    listen_on(&mock.plain, port);
    if (tls_port) {
        mock.context = tls_server(certificate, key);
        listen_on(&mock.tls, tls_port);
    }
    puts("ready");
    fflush(stdout);
    loop();
}
