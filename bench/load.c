// Sends requests over many connections, reads every reply to its end and says how long it took.
//
// Closed loop: each connection asks again as soon as it was answered. Open loop (--rate): requests
// come at random times, as from many people; one that finds no free connection waits, and its
// latency counts from when it should have been sent. Prints one JSON object.

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "payload.h"
#include "reader.h"
#include "wire.h"

enum { EVENTS_MAX = 256, SCRATCH = 256 * 1024, FAILURES_MAX = 200, WAITING_MAX = 1 << 20 };

struct conn {
    struct wire wire;
    struct reader reader;
    bool busy, want_out, first_seen, opened;
    size_t sent;
    int64_t since; // when the request was sent or should have been
    struct conn *next_free;
};

static struct {
    int port, connections, frames;
    int64_t length_ns, warm_ns, ramp_ns, drain_ns;
    double rate; // 0: closed loop
    bool hold;
    SSL_CTX *tls;
    struct text request;
} plan = {.port = 18080, .connections = 1, .length_ns = 1000000000, .drain_ns = 10000000000};

static struct {
    int epoll;
    char *scratch;
    struct conn *conns, *free;
    int opened, busy, held;
    int64_t start, stop, next_arrival;
    int64_t *waiting; // a ring of arrivals that found no connection
    size_t waiting_from, waiting_n;
    bool over;
    long long replies, in_time, failed, reopened, frames, bytes, largest_wait;
    char failure[600];
    struct histogram latency, first, lag;
} load;

static volatile sig_atomic_t ended;

static void on_signal(int signal_number)
{
    (void)signal_number;
    ended = 1;
}

// --- one connection -------------------------------------------------------------------------

static void watch(struct conn *c, bool out)
{
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    if (c->want_out != out)
        epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->wire.fd, &e);
    c->want_out = out;
}

static void conn_open(struct conn *c)
{
    c->wire = wire_connect(plan.port, plan.tls);
    if (c->wire.fd < 0)
        die("port %d: %s", plan.port, strerror(errno));
    c->opened = c->want_out = true;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->wire.fd, &e);
}

static void conn_close(struct conn *c)
{
    wire_close(&c->wire);
    c->opened = false;
}

static void note_failure(struct conn *c, const char *why)
{
    load.failed++;
    if (*load.failure)
        return;
    int n = snprintf(load.failure, sizeof(load.failure), "%s; status %d, %lld bytes, %lld events. ",
                     why, c->reader.status, (long long)c->reader.body, (long long)c->reader.frames);
    for (size_t i = 0; i < c->reader.head_n && n < (int)sizeof(load.failure) - 1; i++) {
        char byte = c->reader.head[i];
        if (byte == '"' || byte == '\\')
            byte = '\'';
        load.failure[n++] = byte < ' ' ? ' ' : byte;
    }
    load.failure[n] = 0;
}

static bool send_rest(struct conn *c)
{
    while (c->sent < plan.request.n) {
        ssize_t n = wire_write(&c->wire, plan.request.p + c->sent, plan.request.n - c->sent);
        if (n == WIRE_AGAIN) {
            watch(c, true);
            return true;
        }
        if (n < 0)
            return false;
        c->sent += (size_t)n;
    }
    watch(c, false);
    return true;
}

static void conn_fail(struct conn *c, const char *why);

static void ask(struct conn *c, int64_t since)
{
    reader_reset(&c->reader);
    c->busy = true;
    c->first_seen = false;
    c->sent = 0;
    c->since = since;
    load.busy++;
    if (!c->opened)
        conn_open(c); // goes on when it is connected
    else if (!send_rest(c))
        conn_fail(c, "cannot send");
}

static void rest(struct conn *c)
{
    c->next_free = load.free;
    load.free = c;
}

// What a connection does when it has nothing to do.
static void go_on(struct conn *c, int64_t now)
{
    if (load.over || plan.hold)
        return;
    if (plan.rate == 0)
        return ask(c, now);
    if (load.waiting_n == 0)
        return rest(c);
    int64_t since = load.waiting[load.waiting_from];
    load.waiting_from = (load.waiting_from + 1) % WAITING_MAX;
    load.waiting_n--;
    ask(c, since);
}

static void conn_fail(struct conn *c, const char *why)
{
    load.busy--;
    c->busy = false;
    note_failure(c, why);
    conn_close(c);
    if (load.failed >= FAILURES_MAX)
        load.over = true;
    go_on(c, clock_ns());
}

static const char *judge(const struct conn *c)
{
    const struct reader *r = &c->reader;
    if (r->state == READER_BAD)
        return r->why;
    if (r->status != 200)
        return "not answered with 200";
    if (!reader_whole(r))
        return "the reply has not its proper end";
    if (plan.frames && r->frames != plan.frames)
        return "not as many events as there should be";
    return NULL;
}

static void finish(struct conn *c, int64_t now)
{
    const char *wrong = judge(c);
    if (wrong)
        return conn_fail(c, wrong);
    load.busy--;
    c->busy = false;
    load.replies++;
    load.frames += c->reader.frames;
    load.bytes += c->reader.body;
    if (now >= load.start + plan.warm_ns) {
        load.in_time += now <= load.stop;
        histogram_add(&load.latency, now - c->since);
    }
    if (!c->reader.keep_alive) {
        load.reopened++;
        conn_close(c);
    }
    go_on(c, now);
}

static void note_first(struct conn *c, int64_t now)
{
    c->first_seen = true;
    if (now >= load.start + plan.warm_ns)
        histogram_add(&load.first, now - c->since);
    if (plan.hold && c->reader.frames > 0)
        load.held++;
}

static void on_bytes(struct conn *c, size_t n, int64_t now)
{
    struct histogram *lag = now >= load.start + plan.warm_ns ? &load.lag : NULL;
    size_t used = reader_take(&c->reader, load.scratch, n, now, lag);
    if (!c->first_seen && c->reader.body > 0)
        note_first(c, now);
    if (c->reader.state < READER_DONE)
        return;
    if (used < n)
        conn_fail(c, c->reader.why ? c->reader.why : "more bytes than the reply has");
    else
        finish(c, now);
}

static void on_readable(struct conn *c)
{
    ssize_t n;
    do {
        n = wire_read(&c->wire, load.scratch, SCRATCH);
        if (n == WIRE_AGAIN)
            return;
        if (n <= 0) {
            if (c->busy)
                return conn_fail(c, n ? "connection broken" : "connection closed");
            load.reopened++;
            return conn_close(c);
        }
        if (!c->busy) {
            note_failure(c, "bytes that nobody asked for");
            return conn_close(c);
        }
        on_bytes(c, (size_t)n, clock_ns());
    } while (c->opened && (c->wire.ssl || n == SCRATCH));
}

static void on_conn(struct conn *c, uint32_t events)
{
    if (c->opened && c->busy && c->want_out && events & (EPOLLOUT | EPOLLIN) && !send_rest(c))
        return conn_fail(c, "cannot send");
    if (c->opened && c->want_out && !c->busy)
        watch(c, false);
    if (c->opened && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        on_readable(c);
}

// --- arrivals -------------------------------------------------------------------------------

static int64_t gap(void)
{
    return (int64_t)(-log(1 - drand48()) / plan.rate * 1e9);
}

static void arrive(int64_t at)
{
    struct conn *c = load.free;
    if (c) {
        load.free = c->next_free;
        return ask(c, at);
    }
    if (load.waiting_n == WAITING_MAX) {
        load.over = true;
        return;
    }
    load.waiting[(load.waiting_from + load.waiting_n++) % WAITING_MAX] = at;
    if ((long long)load.waiting_n > load.largest_wait)
        load.largest_wait = (long long)load.waiting_n;
}

// Opens connections one after another over the ramp, so that streams do not march in step.
static int64_t open_some(int64_t now)
{
    while (load.opened < plan.connections) {
        int64_t at = load.start + plan.ramp_ns * load.opened / plan.connections;
        if (at > now)
            return at;
        struct conn *c = &load.conns[load.opened++];
        c->reader.head = take_memory(READER_HEAD);
        c->wire.fd = -1;
        if (plan.rate == 0)
            ask(c, now);
        else
            rest(c);
    }
    return INT64_MAX;
}

static int64_t let_arrive(int64_t now)
{
    if (plan.rate == 0 || load.over)
        return INT64_MAX;
    while (load.next_arrival <= now) {
        arrive(load.next_arrival);
        load.next_arrival += gap();
    }
    return load.next_arrival;
}

// --- the loop -------------------------------------------------------------------------------

static void wait_until(int64_t at)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t ns = at - clock_ns();
    if (ns < 0)
        ns = 0;
    struct timespec wait = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int n = epoll_pwait2(load.epoll, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < n; i++)
        on_conn(events[i].data.ptr, events[i].events);
}

static void run(void)
{
    load.start = clock_ns();
    load.stop = load.start + plan.length_ns;
    load.next_arrival = load.start;
    for (;;) {
        int64_t now = clock_ns();
        load.over |= ended || now >= load.stop;
        if (load.over)
            break;
        int64_t a = open_some(now), b = let_arrive(now), until = a < b ? a : b;
        wait_until(until < load.stop ? until : load.stop);
    }
    int64_t last = clock_ns() + plan.drain_ns;
    while (load.busy > 0 && clock_ns() < last && !ended)
        wait_until(clock_ns() + 100000000);
    load.failed += load.busy + (long long)load.waiting_n;
    if (load.busy && !*load.failure)
        snprintf(load.failure, sizeof(load.failure), "%d replies never ended", load.busy);
}

static void say_open(void)
{
    printf("{\"open\":%d,\"failed\":%lld,\"failure\":\"%s\"}\n", load.held, load.failed,
           load.failure);
    fflush(stdout);
}

// Opens streams and leaves them open until it is told to end; with too many failures it goes on
// with those that it has.
static void run_hold(void)
{
    load.start = clock_ns();
    bool said = false;
    while (!ended) {
        int64_t now = clock_ns(), soon = now + 100000000;
        int64_t until = load.over ? soon : open_some(now);
        if (!said && (load.over || load.held + load.failed >= plan.connections)) {
            said = true;
            say_open();
        }
        wait_until(until < soon ? until : soon);
    }
}

static void report(void)
{
    double seconds = (double)(plan.length_ns - plan.warm_ns) / 1e9;
    printf("{\"replies\":%lld,\"rps\":%.1f,\"failed\":%lld,\"failure\":\"%s\",\"reopened\":%lld,"
           "\"frames\":%lld,\"bytes\":%lld,\"waited\":%lld,",
           load.replies, (double)load.in_time / seconds, load.failed, load.failure, load.reopened,
           load.frames, load.bytes, load.largest_wait);
    histogram_print("latency", &load.latency);
    putchar(',');
    histogram_print("first_byte", &load.first);
    putchar(',');
    histogram_print("lag", &load.lag);
    puts("}");
}

// --- what is asked for ----------------------------------------------------------------------

static const char usage[] =
    "usage: load [--port N] [--ca FILE (TLS)] [--key KEY] [--model NAME] [--path PATH]\n"
    "            [--stream] [--frames N (expected events)] [--body BYTES] [--connections N]\n"
    "            [--seconds S] [--warm-ms N] [--ramp-ms N] [--rate R (open loop)] [--hold]";

static const struct option options[] = {
    {"port", 1, NULL, 'p'},    {"ca", 1, NULL, 'a'},      {"key", 1, NULL, 'k'},
    {"model", 1, NULL, 'm'},   {"path", 1, NULL, 'P'},    {"stream", 0, NULL, 's'},
    {"frames", 1, NULL, 'f'},  {"body", 1, NULL, 'b'},    {"connections", 1, NULL, 'c'},
    {"seconds", 1, NULL, 't'}, {"warm-ms", 1, NULL, 'w'}, {"ramp-ms", 1, NULL, 'r'},
    {"rate", 1, NULL, 'R'},    {"hold", 0, NULL, 'h'},    {NULL, 0, NULL, 0},
};

static void set_option(int option, struct payload_request *wish)
{
    switch (option) {
    case 'p': plan.port = (int)strtol(optarg, NULL, 10); break;
    case 'a': plan.tls = tls_client(optarg); break;
    case 'k': wish->key = optarg; break;
    case 'm': wish->model = optarg; break;
    case 'P': wish->path = optarg; break;
    case 's': wish->stream = true; break;
    case 'f': plan.frames = (int)strtol(optarg, NULL, 10); break;
    case 'b': wish->body = strtoul(optarg, NULL, 10); break;
    case 'c': plan.connections = (int)strtol(optarg, NULL, 10); break;
    case 't': plan.length_ns = (int64_t)(strtod(optarg, NULL) * 1e9); break;
    case 'w': plan.warm_ns = strtoll(optarg, NULL, 10) * 1000000; break;
    case 'r': plan.ramp_ns = strtoll(optarg, NULL, 10) * 1000000; break;
    case 'R': plan.rate = strtod(optarg, NULL); break;
    case 'h': plan.hold = true; break;
    default: die("%s", usage);
    }
}

static void take_options(int argc, char **argv)
{
    struct payload_request wish = {
        .model = "bench-json", .key = PAYLOAD_KEY, .path = "/v1/chat/completions", .body = 1024};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        set_option(option, &wish);
    wish.dialect = strstr(wish.path, "messages") ? CLAUDE : OPENAI;
    wish.port = plan.port;
    plan.request = payload_request(&wish);
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
    take_options(argc, argv);
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.scratch = take_memory(SCRATCH);
    load.conns = take_memory(sizeof(*load.conns) * (size_t)plan.connections);
    load.waiting = take_memory(sizeof(*load.waiting) * WAITING_MAX);
    if (plan.hold)
        run_hold();
    else
        run();
    report();
    return 0;
}
