// A field describes one member of a struct to everything outside C: an SQL column, a JSON member,
// a setting, a request parameter, a journal value.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"

enum field_type { FIELD_BOOL, FIELD_INT, FIELD_BIG, FIELD_REAL, FIELD_TEXT };

enum field_flags {
    KEY = 1 << 0, // primary key, filled in by the database
    UNIQUE = 1 << 1,
    INDEX = 1 << 2,
    SECRET = 1 << 3,     // never leaves in JSON
    READONLY = 1 << 4,   // never taken from JSON
    REQUIRED = 1 << 5,   // must be present in JSON
    SEALED = 1 << 6,     // encrypted at rest (common/crypto.h); such a column cannot be searched
    NULLABLE = 1 << 7,   // "" is stored as NULL, so that UNIQUE admits many empty ones
    VIRTUAL = 1 << 8,    // in JSON only, no column
    FILTER = 1 << 9,     // lists may be filtered by it
    SORT = 1 << 10,      // lists may be sorted by it
    JSON_TEXT = 1 << 11, // text that must itself be a JSON object or empty
    ADMIN = 1 << 12,     // left out of what users see
    SUMMED = 1 << 13,    // an upsert adds to what stands there
};

struct field {
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t at;       // offset in the struct
    double min, max; // range of a number, length in bytes of a text; 0,0 = unchecked
    const char *def; // default, as text
};

// The type is read off the member itself, so table and struct cannot disagree.
#define FIELD_TYPE(member)                                                                         \
    _Generic((member),                                                                             \
        bool: FIELD_BOOL,                                                                          \
        int: FIELD_INT,                                                                            \
        int64_t: FIELD_BIG,                                                                        \
        double: FIELD_REAL,                                                                        \
        const char *: FIELD_TEXT)
#define FIELD(T, member, ...)                                                                      \
    {.name = #member, .type = FIELD_TYPE(((T *)0)->member), .at = offsetof(T, member), __VA_ARGS__}

// The same member under another name: FIELD_AS(struct ratios, model_ratio, "ModelRatio")
#define FIELD_AS(T, member, name_, ...)                                                            \
    {.name = (name_), .type = FIELD_TYPE(((T *)0)->member), .at = offsetof(T, member), __VA_ARGS__}

struct field_value {
    enum field_type type;
    union {
        int64_t i;
        double r;
        const char *s;
    };
};

struct field_value field_get(const struct field *f, const void *row);
void field_set(const struct field *f, void *row, struct field_value v);

// Reads the value from its text form, as in environment variables, stored options and query
// strings; err_field_invalid (the detail is the name) when it is not of the type or out of range.
struct err *field_parse(struct arena *a, const struct field *f, const char *text,
                        struct field_value *v);

// Checks range, length, UTF-8 and JSON_TEXT of a value that came from outside.
struct err *field_check(struct arena *a, const struct field *f, struct field_value v);

// Tables of fields end with a row whose name is NULL.
const struct field *field_by_name(const struct field *fields, const char *name);
void fields_default(struct arena *a, const struct field *fields, void *row); // sets every .def

enum audience { FOR_USER, FOR_ADMIN }; // FOR_USER leaves ADMIN fields out

// Members of the object that is open in *j; SECRET ones never.
void fields_write(const struct field *fields, const void *row, struct json *j, enum audience who);
void fields_to_json(const struct field *fields, const void *row, struct json *j, const char *key,
                    enum audience who);

// Takes what is present and may be written; checks everything; unknown members are ignored.
// err_field_missing and err_field_invalid carry the field's name as detail.
struct err *fields_from_json(struct arena *a, const struct field *fields, yyjson_val *in,
                             void *row);
