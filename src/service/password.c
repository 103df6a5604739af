// Hashing takes tens of milliseconds and megabytes: a gate lets few in at once.

#include "service/password.h"

#include <argon2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/rand.h"
#include "common/str.h"

enum {
    MEMORY_KIB = 19456,
    PASSES = 2,
    SALT_SIZE = 16,
    TAG_SIZE = 32,
    AT_ONCE = 4,
    WAIT_SECONDS = 5,
    // what a stored hash may ask of us
    MEMORY_MAX_KIB = 262144,
    PASSES_MAX = 10,
};

// Nobody's password, with today's parameters: what unknown names are checked against.
static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA"
                             "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static int inside;

static bool gate_enter(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    int late = 0;
    pthread_mutex_lock(&gate);
    while (inside >= AT_ONCE && !late)
        late = pthread_cond_timedwait(&gate_opened, &gate, &until);
    bool entered = inside < AT_ONCE;
    inside += entered;
    pthread_mutex_unlock(&gate);
    return entered;
}

static void gate_leave(void)
{
    pthread_mutex_lock(&gate);
    inside--;
    pthread_cond_signal(&gate_opened);
    pthread_mutex_unlock(&gate);
}

static struct err *too_many(struct arena *a)
{
    struct err *e = err_new(a, &err_overloaded, "too many passwords at once");
    e->retry_after = WAIT_SECONDS;
    return e;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

struct err *password_allowed(struct arena *a, const char *username, const char *password)
{
    size_t n = characters(password);
    if (n < PASSWORD_MIN || n > PASSWORD_MAX || !utf8_valid(str_of(password)) ||
        text_eq(username, password))
        return err_new(a, &err_password_weak, "%zu characters", n);
    return NULL;
}

struct err *password_hash(struct arena *a, const char *password, const char **encoded)
{
    unsigned char salt[SALT_SIZE];
    size_t room = argon2_encodedlen(PASSES, MEMORY_KIB, 1, SALT_SIZE, TAG_SIZE, Argon2_id);
    char *out = arena_alloc(a, room);
    rand_bytes(salt, sizeof(salt));
    if (!gate_enter())
        return too_many(a);
    int failed = argon2id_hash_encoded(PASSES, MEMORY_KIB, 1, password, strlen(password), salt,
                                       sizeof(salt), TAG_SIZE, out, room);
    gate_leave();
    *encoded = out;
    return failed ? err_new(a, &err_internal, "argon2: %s", argon2_error_message(failed)) : NULL;
}

static long number_after(const char *text, const char *what)
{
    const char *at = strstr(text, what);
    return at ? strtol(at + strlen(what), NULL, 10) : 0;
}

// A stored hash names its own price: it must be one that we would pay.
static bool payable(const char *encoded)
{
    long memory = number_after(encoded, "$m="), passes = number_after(encoded, ",t="),
         lanes = number_after(encoded, ",p=");
    return !strncmp(encoded, "$argon2id$", 10) && memory > 0 && memory <= MEMORY_MAX_KIB &&
           passes > 0 && passes <= PASSES_MAX && lanes > 0 && lanes <= 8;
}

struct err *password_check(struct arena *a, const char *password, const char *encoded, bool *right)
{
    bool known = !text_is_empty(encoded);
    *right = false;
    if (known && !payable(encoded))
        return err_new(a, &err_internal, "a stored password is not argon2id");
    if (!gate_enter())
        return too_many(a);
    int failed = argon2id_verify(known ? encoded : nobody, password, strlen(password));
    gate_leave();
    *right = known && failed == ARGON2_OK;
    return NULL;
}
