// Custom tools are called with free text. Where they are not known, each is a function with one
// parameter, `input`; these go from one form to the other.

#pragma once
#include "relay/chat.h"

// {"input": "..."}, and the schema of such an object.
struct str custom_arguments(struct arena *a, struct str input);
struct str custom_schema(void);
// What a model must be told that would otherwise know it; `format` may be NULL.
const char *custom_description(struct arena *a, const char *description, yyjson_val *format);

// Takes the text out of arguments that come in pieces. What is no object is the text itself.
struct custom {
    enum {
        CUSTOM_BEGIN,  // before the object
        CUSTOM_BEFORE, // before a key
        CUSTOM_KEY,
        CUSTOM_COLON, // behind it
        CUSTOM_VALUE, // before the value
        CUSTOM_TEXT,
        CUSTOM_ESCAPE,
        CUSTOM_HEX,
        CUSTOM_OTHER, // in the value of another key
        CUSTOM_OVER,
        CUSTOM_PLAIN,
    } at;
    unsigned key;        // characters of "input" matched
    int depth, digits;   // of another value's brackets; of a \u
    bool quoted, escape; // in another value
    unsigned code, high; // \u being read; the first half of a pair
};
void custom_feed(struct custom *c, struct str json, struct buf *out); // appends the text
bool custom_complete(const struct custom *c);
