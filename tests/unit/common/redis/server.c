// redis-server as a child.

#include "unit/common/redis/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

bool server_installed(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int server_port(void)
{
    static int port;
    struct sockaddr_in at = loopback(0);
    socklen_t n = sizeof(at);
    if (port)
        return port;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) ||
        getsockname(fd, (struct sockaddr *)&at, &n))
        abort();
    close(fd);
    return port = ntohs(at.sin_port);
}

static bool answers(void)
{
    struct sockaddr_in at = loopback(server_port());
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool fine = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return fine;
}

static void become(const char *auth)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", server_port());
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 1) < 0)
        _exit(127);
    execl("/usr/bin/redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save",
          "", "--appendonly", "no", "--dir", "/tmp", "--requirepass", auth, (char *)NULL);
    _exit(127);
}

void server_up(const char *auth)
{
    server_down();
    child = fork();
    if (!child)
        become(auth);
    for (int i = 0; i < 500 && !answers(); i++)
        usleep(10000);
}

void server_down(void)
{
    if (!child)
        return;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = 0;
}

void server_freeze(bool frozen)
{
    kill(child, frozen ? SIGSTOP : SIGCONT);
}
