// One line per event, to standard error: text for people or JSON for machines.
//
// Libraries return errors and never log; lanes log once, with the request's id. Anything that
// looks like a key ("sk-…", "Bearer …") is masked before it is written.

#pragma once
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// level: "debug" "info" "warn" "error"; format: "text" or "json". False if a word is unknown.
bool log_setup(const char *level, const char *format);
bool log_enabled(enum log_level level);

// request_id may be NULL.
void log_write(enum log_level level, const char *request_id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_DEBUG, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, NULL, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, NULL, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, NULL, __VA_ARGS__)
