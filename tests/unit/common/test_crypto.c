// Sealing and opening, derived keys, base64.

#include "common/crypto.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"

static int set_up(void **state)
{
    (void)state;
    crypto_setup(STR("a secret of at least sixteen bytes"));
    return 0;
}

static const char *open_it(struct arena *a, const char *purpose, const char *sealed)
{
    const char *plain = "untouched";
    struct err *e = crypto_open(a, purpose, sealed, &plain);
    if (!e)
        return plain;
    assert_ptr_equal(e->kind, &err_sealed_unreadable);
    assert_string_equal(plain, "");
    if (strlen(sealed) > 16)
        assert_null(strstr(e->detail, sealed + 4));
    return NULL;
}

static void there_and_back(void **state)
{
    (void)state;
    ARENA(a);
    const char *one = crypto_seal(a, "t.c", "sk-1234"), *two = crypto_seal(a, "t.c", "sk-1234");
    assert_true(str_starts(str_of(one), "tf1."));
    assert_null(strstr(one, "1234"));
    assert_string_not_equal(one, two); // a nonce each
    assert_string_equal(open_it(a, "t.c", one), "sk-1234");
    char *large = arena_alloc(a, 100001);
    memset(large, 'x', 100000);
    assert_string_equal(open_it(a, "t.c", crypto_seal(a, "t.c", large)), large);
    assert_string_equal(crypto_seal(a, "t.c", ""), "");
    assert_string_equal(crypto_seal(a, "t.c", NULL), "");
    assert_string_equal(open_it(a, "t.c", ""), "");
}

static void only_for_its_purpose(void **state)
{
    (void)state;
    ARENA(a);
    const char *sealed = crypto_seal(a, "channels.key", "x");
    assert_null(open_it(a, "users.totp", sealed));
    crypto_setup(STR("another secret, just as long"));
    assert_null(open_it(a, "channels.key", sealed));
    set_up(NULL);
    assert_string_equal(open_it(a, "channels.key", sealed), "x");
}

static void any_change_is_noticed(void **state)
{
    (void)state;
    ARENA(a);
    const char *sealed = crypto_seal(a, "t.c", "plain text");
    for (size_t i = 0; i < strlen(sealed); i++) {
        char *changed = arena_strdup(a, sealed);
        changed[i] = changed[i] == 'A' ? 'Q' : 'A';
        assert_null(open_it(a, "t.c", changed));
        assert_null(open_it(a, "t.c", arena_strndup(a, sealed, i ? i : 1)));
    }
    static const char *const junk[] = {"plain", "tf1.", "tf1.AAAA", "tf1.!!!!", "tf2.AAAA"};
    for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++)
        assert_null(open_it(a, "t.c", junk[i]));
}

static void derived_keys(void **state)
{
    (void)state;
    unsigned char one[32], two[32], again[32];
    crypto_derive("session", one);
    crypto_derive("other", two);
    crypto_derive("session", again);
    assert_memory_equal(one, again, 32);
    assert_memory_not_equal(one, two, 32);
}

static void never_without_a_secret(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "test_crypto", "seal at once", (char *)NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void base64(void **state) // RFC 4648, 10
{
    (void)state;
    ARENA(a);
    static const char *const vectors[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"\xfb\xff", "+/8=", "-_8"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        const char *plain = vectors[i][0];
        assert_string_equal(base64_text(a, plain, strlen(plain)), vectors[i][1]);
        assert_string_equal(base64url(a, plain, strlen(plain)), vectors[i][2]);
        for (int k = 1; k < 3; k++)
            assert_true(str_is(base64_bytes(a, str_of(vectors[i][k])), plain));
    }
    assert_true(str_is(base64_bytes(a, STR(" Zm9v\r\n\tYmFy \n")), "foobar"));
    assert_int_equal(base64_bytes(a, STR("AAAA")).n, 3);
}

static void not_base64(void **state)
{
    (void)state;
    ARENA(a);
    static const char *const bad[] = {"Zg==Zg", "Z!", "Z", "Zm9vZ", "Zm9v,", "\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_null(base64_bytes(a, str_of(bad[i])).p);
    assert_null(base64_bytes(a, (struct str){"Zm9\0", 4}).p);
    assert_non_null(base64_bytes(a, STR("")).p); // nothing is something
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        ARENA(a);
        crypto_seal(a, "t.c", "x");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(only_for_its_purpose),
        cmocka_unit_test(any_change_is_noticed),
        cmocka_unit_test(derived_keys),
        cmocka_unit_test(never_without_a_secret),
        cmocka_unit_test(base64),
        cmocka_unit_test(not_base64),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
