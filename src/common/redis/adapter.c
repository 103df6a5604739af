// A poll handle per connection; a failed poll is handed on as the event that was waited for, so
// that hiredis finds the error itself.

#include "common/redis/adapter.h"

#include <stdlib.h>

#include "common/arena.h"

struct watch {
    uv_poll_t poll;
    redisAsyncContext *ac; // NULL: detached
    int events;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    if (status < 0)
        events = w->events;
    if (w->ac && (events & UV_READABLE))
        redisAsyncHandleRead(w->ac);
    if (w->ac && (events & UV_WRITABLE))
        redisAsyncHandleWrite(w->ac);
}

static void want(struct watch *w, int events)
{
    if (w->events == events)
        return;
    w->events = events;
    if (events)
        uv_poll_start(&w->poll, events, on_poll);
    else
        uv_poll_stop(&w->poll);
}

static void add_read(void *watch)
{
    struct watch *w = watch;
    want(w, w->events | UV_READABLE);
}

static void del_read(void *watch)
{
    struct watch *w = watch;
    want(w, w->events & ~UV_READABLE);
}

static void add_write(void *watch)
{
    struct watch *w = watch;
    want(w, w->events | UV_WRITABLE);
}

static void del_write(void *watch)
{
    struct watch *w = watch;
    want(w, w->events & ~UV_WRITABLE);
}

static void on_unwatched(uv_handle_t *poll)
{
    free(poll->data);
}

static void cleanup(void *watch)
{
    struct watch *w = watch;
    if (!w->ac)
        return;
    w->ac = NULL;
    uv_close((uv_handle_t *)&w->poll, on_unwatched);
}

void adapter_attach(redisAsyncContext *ac, uv_loop_t *loop)
{
    struct watch *w = mem_new(sizeof(*w));
    w->ac = ac;
    w->poll.data = w;
    if (uv_poll_init(loop, &w->poll, ac->c.fd))
        abort();
    ac->ev.data = w;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
}
