// Images and files on their way between data URLs and base64 sources.

#pragma once
#include "relay/chat.h"

// "data:image/png;base64,AAAA" -> mime and data; anything else is kept as a URL.
void media_from_url(struct arena *a, struct str url, struct chat_part *out);
// A file's data: a data URL, or base64 alone. Nothing when there is none.
void media_from_file(struct arena *a, struct str data, struct chat_part *out);
// Base64 as providers want it: without line breaks, in the ordinary alphabet.
struct str media_base64(struct arena *a, struct str s);
// The inverse: a URL either way; .p NULL if the part has neither.
struct str media_to_url(struct arena *a, const struct chat_part *p);
// What the bytes say they are, else what the caller said: providers refuse a wrong one (Anthropic:
// "was specified using image/jpeg but appears to be image/png").
struct str media_mime(struct str base64, struct str said);
// "png", "pdf" ... of a media type; NULL: unknown here. And the inverse: .p NULL if it is unknown.
const char *media_format(struct str mime);
struct str media_of_format(const char *format);
// What a file is called, with the ending that its type has: OpenAI goes by it.
const char *media_file_name(struct arena *a, const struct chat_part *p);
