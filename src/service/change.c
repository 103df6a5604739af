// The list of listeners, filled at start and only read afterwards.

#include "service/change.h"

#include <stdlib.h>

#include "common/arena.h"
#include "common/log.h"

enum { LISTENERS = 16 };

static const char *const names[CHANGE_KINDS] = {
    [CHANGE_USER] = "user",
    [CHANGE_TOKEN] = "token",
    [CHANGE_CHANNELS] = "channels",
    [CHANGE_SETTINGS] = "settings",
};

static struct {
    enum change_kind kind;
    change_listener *call;
} listeners[LISTENERS];
static int count;

static void (*tell_others)(enum change_kind kind, int64_t id);
static void (*try_again)(enum change_kind kind);

void change_listen(enum change_kind kind, change_listener *listener)
{
    if (count == LISTENERS)
        abort();
    listeners[count].kind = kind;
    listeners[count++].call = listener;
}

void change_tell_with(void (*tell)(enum change_kind kind, int64_t id),
                      void (*again)(enum change_kind kind))
{
    tell_others = tell;
    try_again = again;
}

struct err *change_apply(struct arena *a, enum change_kind kind, int64_t id)
{
    struct err *failed = NULL;
    for (int i = 0; i < count; i++) {
        struct err *e = listeners[i].kind == kind ? listeners[i].call(a, id) : NULL;
        failed = failed ? failed : e;
    }
    return failed;
}

void change_publish(enum change_kind kind, int64_t id)
{
    ARENA(a);
    struct err *e = change_apply(a, kind, id);
    if (e)
        log_warn("%s: not taken over yet: %s: %s", names[kind], e->kind->code, e->detail);
    if (e && try_again)
        try_again(kind);
    if (tell_others)
        tell_others(kind, id);
}

const char *change_name(enum change_kind kind)
{
    return names[kind];
}

bool change_named(struct str name, enum change_kind *out)
{
    for (int i = 0; i < CHANGE_KINDS; i++)
        if (str_is(name, names[i])) {
            *out = (enum change_kind)i;
            return true;
        }
    return false;
}
