// Texts in the reader's language, from en.json and zh.json, which are part of the program.

#pragma once
#include "common/err.h"
#include "common/str.h"

struct arena;

enum language { LANGUAGE_EN, LANGUAGE_ZH, LANGUAGE_COUNT };

// Of an Accept-Language header: the best liked one that we have; English if there is none.
enum language i18n_language(struct str accept_language);
const char *i18n_language_name(enum language language); // "en"

// The text of a code, "{}" in it replaced by the detail; the code itself when there is no text.
const char *i18n_text(struct arena *a, enum language language, const char *code,
                      const char *detail);

// The text for a failure.
const char *i18n_error(struct arena *a, enum language language, const struct err *e);
