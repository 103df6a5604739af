// JSON Schemas cut down to what a provider accepts. Written as text, never walked by the caller.

#pragma once
#include "relay/chat.h"

// For tools of Anthropic and Bedrock: the root is an object without anyOf, oneOf, allOf; variants
// are merged into its properties. NULL becomes an object without properties.
struct str schema_object(struct arena *a, yyjson_val *schema);
struct str schema_nameless(struct arena *a, yyjson_val *schema); // for Cohere: and no $schema, $id
bool schema_is_object(yyjson_val *schema);                       // needs no such change
// For Anthropic's structured output: closed objects, no bounds and patterns (they move to the
// description), anyOf for oneOf (anthropic.md 9).
struct str schema_limited(struct arena *a, yyjson_val *schema);
// May OpenAI be told strict:true? Every object closed, every property required (openai.md 1.4).
bool schema_is_strict(yyjson_val *schema);
// For Gemini's parametersJsonSchema and responseJsonSchema: only what they know, the rest moves to
// the description; and for models that know OpenAPI's subset alone (gemini.md 14).
struct str schema_gemini(struct arena *a, yyjson_val *schema);
struct str schema_openapi(struct arena *a, yyjson_val *schema);
// The other way: types in upper case, "nullable", "propertyOrdering".
yyjson_val *schema_from_openapi(struct arena *a, yyjson_val *schema);
