// Writing log lines: one write() each, so that threads never mix theirs.

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"

static enum log_level least = LOG_INFO;
static bool as_json;

static const char *const names[] = {"debug", "info", "warn", "error"};

bool log_setup(const char *level, const char *format)
{
    as_json = text_eq(format, "json");
    if (!as_json && !text_eq(format, "text") && !text_is_empty(format))
        return false;
    if (text_is_empty(level))
        return true;
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (!strcasecmp(names[i], level)) {
            least = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level >= least;
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '+' || c == '/' || c == '=';
}

// Blots out what follows the marker, in place.
static void mask_after(char *text, const char *marker)
{
    for (char *at = text; (at = strcasestr(at, marker));) {
        at += strlen(marker);
        size_t n = 0;
        while (is_key_char(at[n]))
            n++;
        if (n >= 8)
            memset(at, '*', n);
        at += n;
    }
}

static void stamp(char *out, size_t n)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(out, n, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, n - used, ".%03ldZ", now.tv_nsec / 1000000);
}

// Bytes that are not UTF-8 (a stranger's header, a character cut in two) would break JSON lines.
static void repair(char *text)
{
    size_t n = strlen(text), cut = n;
    while (cut && n - cut < 3 && (text[cut - 1] & 0xc0) == 0x80)
        cut--;
    if (cut && !utf8_valid((struct str){text + cut - 1, n - cut + 1}))
        text[cut - 1] = '\0';
    for (char *c = text; !utf8_valid(str_of(text)) && *c; c++)
        if (*c & 0x80)
            *c = '?';
}

static void put_line(struct buf *line, enum log_level level, const char *request_id, char *text)
{
    char when[40];
    stamp(when, sizeof(when));
    if (as_json) {
        struct json j = {.out = line};
        json_obj(&j, NULL);
        json_str(&j, "time", when);
        json_str(&j, "level", names[level]);
        if (request_id)
            json_str(&j, "request_id", request_id);
        json_str(&j, "message", text);
        json_end(&j);
    } else {
        for (char *c = text; *c; c++)
            if ((unsigned char)*c < 0x20)
                *c = ' '; // a line break in a message must not forge another line
        buf_printf(line, "%s %-5s ", when, names[level]);
        if (request_id)
            buf_printf(line, "[%s] ", request_id);
        buf_puts(line, text);
    }
    buf_puts(line, "\n");
}

void log_write(enum log_level level, const char *request_id, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    repair(text);
    mask_after(text, "sk-");
    mask_after(text, "bearer ");
    mask_after(text, "key=");

    BUF_HERE(line, 16 * 1024);
    put_line(&line, level, request_id, text);
    ssize_t written = write(STDERR_FILENO, line.p, line.n);
    (void)written; // nowhere left to complain
}
