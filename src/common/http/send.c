// One system call.

#include "common/http/send.h"

#include <errno.h>
#include <sys/socket.h>

ssize_t send_at_once(uv_tcp_t *tcp, const uv_buf_t *pieces, unsigned count)
{
    uv_os_fd_t fd;
    ssize_t n;
    int rc = uv_fileno((const uv_handle_t *)tcp, &fd);
    if (rc)
        return rc;
    if (uv_stream_get_write_queue_size((const uv_stream_t *)tcp))
        return UV_EAGAIN;
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
    do
        n = count == 1 ? send(fd, pieces->base, pieces->len, MSG_NOSIGNAL | MSG_DONTWAIT)
                       : sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS
               ? UV_EAGAIN
               : uv_translate_sys_error(errno);
}
