// A round of the loop is enough for bytes to cross the loopback.

#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "input.h"

enum { PATIENCE = 2000 };

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void never_wait(int fd)
{
    HOLDS(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

int socket_listen(int *port)
{
    struct sockaddr_in at = loopback(0);
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    HOLDS(fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 64) == 0);
    HOLDS(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    never_wait(fd);
    *port = ntohs(at.sin_port);
    return fd;
}

int socket_accept(struct loop *l, int listener)
{
    int fd = -1;
    for (int i = 0; i < PATIENCE && fd < 0; i++) {
        socket_turn(l, 1);
        fd = accept(listener, NULL, NULL);
    }
    if (fd >= 0)
        never_wait(fd);
    return fd;
}

int socket_connect(int port)
{
    struct sockaddr_in to = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    HOLDS(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    never_wait(fd);
    return fd;
}

void socket_say(struct loop *l, int fd, struct str bytes)
{
    for (int i = 0; i < PATIENCE && bytes.n; i++) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n > 0)
            bytes = str_skip(bytes, (size_t)n);
        socket_turn(l, 2);
        if (n == 0)
            return;
    }
}

void socket_reset(int fd)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

void socket_turn(struct loop *l, int rounds)
{
    while (rounds-- > 0)
        uv_run(&l->uv, UV_RUN_NOWAIT);
}
