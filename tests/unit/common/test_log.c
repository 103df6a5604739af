// Log lines: one each, levels, JSON that parses, and no secrets.

#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/json.h"

// What a call writes to standard error.
static char line[32 * 1024];
static int saved, ends[2];

static void listen(void)
{
    assert_int_equal(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static const char *heard(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    return line;
}

#define WRITTEN(...) (listen(), log_write(__VA_ARGS__), heard())

static void levels(void **state)
{
    (void)state;
    assert_true(log_setup("warn", "text"));
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    assert_string_equal(WRITTEN(LOG_INFO, NULL, "quiet"), "");
    assert_non_null(strstr(WRITTEN(LOG_ERROR, NULL, "loud %d", 5), "loud 5\n"));
    assert_true(log_setup("DEBUG", ""));
    assert_true(log_enabled(LOG_DEBUG));
    assert_true(log_setup(NULL, NULL));
    assert_false(log_setup("chatty", "text"));
    assert_false(log_setup("info", "xml"));
}

static void as_text(void **state)
{
    (void)state;
    log_setup("info", "text");
    const char *text = WRITTEN(LOG_INFO, "req-1", "one\ntwo\x1b[31m");
    assert_int_equal(text[4], '-');
    assert_int_equal(text[23], 'Z');
    assert_non_null(strstr(text, " info  [req-1] one two [31m\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); // one line only
}

static void as_json(void **state)
{
    (void)state;
    ARENA(a);
    yyjson_val *v;
    log_setup("info", "json");
    WRITTEN(LOG_WARN, "req-2", "say \"hi\"\nthere");
    assert_null(json_read(a, str_of(line), &v));
    assert_string_equal(json_text_at(v, "level"), "warn");
    assert_string_equal(json_text_at(v, "request_id"), "req-2");
    assert_string_equal(json_text_at(v, "message"), "say \"hi\"\nthere");
    assert_int_equal(strlen(json_text_at(v, "time")), 24);
    WRITTEN(LOG_WARN, NULL, "x");
    assert_null(strstr(line, "request_id"));
}

static void broken_text_stays_json(void **state)
{
    (void)state;
    ARENA(a);
    yyjson_val *v;
    log_setup("info", "json");
    WRITTEN(LOG_WARN, NULL,
            "a\xff"
            "b\xe6");
    assert_null(json_read(a, str_of(line), &v));
    assert_string_equal(json_text_at(v, "message"), "a?b");
    for (int blanks = 0; blanks < 4; blanks++) { // cut in the middle of a character
        BUF_HERE(text, 4000);
        buf_printf(&text, "%*s", blanks, "");
        while (text.n < 3980)
            buf_puts(&text, "漢🙂");
        WRITTEN(LOG_WARN, NULL, "%s", text.p);
        assert_null(json_read(a, str_of(line), &v));
        const char *got = json_text_at(v, "message");
        assert_true(strlen(got) > 2000);
        assert_memory_equal(got, text.p, strlen(got));
    }
}

static void secrets(void **state)
{
    (void)state;
    log_setup("info", "text");
    static const char *const lines[] = {
        "key sk-abcdefgh1234 used",
        "Authorization: Bearer eyJhbGciOi.abc_def-x1",
        "GET /v1?key=AIzaSyABCDEF1 done",
        "two: sk-abcdefgh1234 and SK-zzzzzzzz1234",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        const char *text = WRITTEN(LOG_ERROR, NULL, "%s", lines[i]);
        assert_non_null(strstr(text, "********"));
        static const char *const secret[] = {"abcdefgh", "eyJ", "AIza", "zzzz", "1234"};
        for (size_t k = 0; k < sizeof(secret) / sizeof(*secret); k++)
            assert_null(strstr(text, secret[k]));
    }
    assert_non_null(strstr(WRITTEN(LOG_ERROR, NULL, "after sk-abcdefgh1234 stays"), " stays\n"));
    assert_non_null(strstr(WRITTEN(LOG_ERROR, NULL, "the sk- prefix"), "the sk- prefix\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),  cmocka_unit_test(as_text),
        cmocka_unit_test(as_json), cmocka_unit_test(broken_text_stays_json),
        cmocka_unit_test(secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
