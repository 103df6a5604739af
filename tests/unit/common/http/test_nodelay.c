// Small pieces leave at once: TCP_NODELAY on what we accept and on what we open.

#include "unit/common/http/host.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "unit/common/http/caller.h"
#include "unit/common/http/origin.h"

enum { FILES_MOST = 256 };

static int port_of(int fd, int (*ask)(int fd, struct sockaddr *to, socklen_t *size))
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof(at);
    if (ask(fd, (struct sockaddr *)&at, &size))
        return 0;
    return ntohs(at.ss_family == AF_INET6  ? ((struct sockaddr_in6 *)&at)->sin6_port
                 : at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
                                           : 0);
}

static int own_port(int fd, struct sockaddr *to, socklen_t *size)
{
    return getsockname(fd, to, size);
}

static int peer_port(int fd, struct sockaddr *to, socklen_t *size)
{
    return getpeername(fd, to, size);
}

// Of this process's connections with that port on our side (`accepted`) or the other: how many
// there are, and how many do not wait.
static void count(int port, bool accepted, int *all, int *prompt)
{
    *all = *prompt = 0;
    for (int fd = 0; fd < FILES_MOST; fd++) {
        int on = 0, peer = port_of(fd, peer_port);
        socklen_t size = sizeof(on);
        if (!peer || (accepted ? port_of(fd, own_port) : peer) != port)
            continue;
        ++*all;
        *prompt += !getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) && on;
    }
}

static void what_is_accepted(void **state)
{
    (void)state;
    struct host h;
    int all, prompt;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    count(http_server_port(h.server), true, &all, &prompt);
    assert_int_equal(all, 1);
    assert_int_equal(prompt, 1);
    host_reply(x, "done");
    visitor_close(&p);
    host_close(&h);
}

static void serve(struct origin_conn *c)
{
    char request[1024];
    while (origin_request(c, request, sizeof(request)) &&
           origin_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        continue;
}

static void what_is_opened(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve, NULL, NULL);
    struct got *g = got_call(*state, p->port, "x");
    int all, prompt;
    assert_string_equal(got_why(g), "");
    count(p->port, false, &all, &prompt); // kept for the next call
    assert_int_equal(all, 1);
    assert_int_equal(prompt, 1);
    got_free(g);
    origin_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_accepted),
        cmocka_unit_test_setup_teardown(what_is_opened, caller_setup, caller_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
