// The list of listeners, filled at start and only read afterwards.

#include "service/change.h"

#include <stdlib.h>

enum { LISTENERS = 8 };

static struct {
    enum change_kind kind;
    void (*call)(int64_t id);
} listeners[LISTENERS];
static int count;

void change_listen(enum change_kind kind, void (*listener)(int64_t id))
{
    if (count == LISTENERS)
        abort();
    listeners[count].kind = kind;
    listeners[count++].call = listener;
}

void change_publish(enum change_kind kind, int64_t id)
{
    for (int i = 0; i < count; i++)
        if (listeners[i].kind == kind)
            listeners[i].call(id);
}
