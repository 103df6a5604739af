// Bytes to a socket at once: uv_try_write for TCP alone, by sendmsg, which knows that it is a
// socket. write and writev come to the same by way of the file system, 0.1 us later.

#pragma once
#include <uv.h>

// How many bytes the kernel took. UV_EAGAIN: none, or libuv has something queued for it that must
// leave first. Another error of libuv: the connection is broken. Never raises SIGPIPE.
ssize_t send_at_once(uv_tcp_t *tcp, const uv_buf_t *pieces, unsigned count);
