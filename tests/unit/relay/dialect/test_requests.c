// Requests with values of every wrong type: refused or translated, always to valid JSON in which
// each call has its result right behind it.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/channel/provider.h"
#include "relay/chat.h"

static uint32_t seed;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const char openai_body[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
    "\"content\":["
    "{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":"
    "\"image_url\","
    "\"image_url\":{\"url\":\"data:image/"
    "png;base64,AAAA\"}},{\"type\":\"file\",\"file\":{\"file_data\":"
    "\"data:text/"
    "plain;base64,AAAA\"}},{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"A\"}}]},"
    "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"r\",\"tool_calls\":[{\"id\":"
    "\"a\","
    "\"type\":\"function\",\"function\":{\"name\":\"f.g\",\"arguments\":\"{}\"}},{\"id\":\"a\","
    "\"type\":"
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]},{\"role\":\"tool\",\"tool_"
    "call_id\":"
    "\"a\",\"content\":\"1\"},{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":[{\"type\":"
    "\"text\","
    "\"text\":\"2\"}]},{\"role\":\"function\",\"name\":\"f\",\"content\":\"3\"}],\"tools\":[{"
    "\"type\":"
    "\"function\",\"function\":{\"name\":\"f.g\",\"parameters\":{\"anyOf\":[{\"properties\":{\"a\":"
    "{}}}]},"
    "\"strict\":true}},{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}}],\"tool_choice\":{"
    "\"type\":"
    "\"function\",\"function\":{\"name\":\"f.g\"}},\"response_format\":{\"type\":\"json_schema\","
    "\"json_schema\":{\"name\":\"r\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{"
    "\"minimum\":1,"
    "\"items\":{\"oneOf\":[{\"$ref\":\"x\"}]}}}}}},\"stop\":[\"a\"],\"temperature\":1,\"max_"
    "tokens\":2000,"
    "\"reasoning_effort\":\"low\",\"logit_bias\":{},\"metadata\":{},\"user\":\"u\",\"n\":1}";

static const char claude_body[] =
    "{\"model\":\"m\",\"max_tokens\":4000,\"system\":[{\"type\":\"text\",\"text\":\"s\",\"cache_"
    "control\":"
    "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],\"thinking\":{\"type\":\"enabled\",\"budget_"
    "tokens\":2000},"
    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":"
    "\"base64\","
    "\"media_type\":\"image/png\",\"data\":\"AAAA\"}},{\"type\":\"document\",\"source\":{\"type\":"
    "\"content\",\"content\":[{\"type\":\"text\",\"text\":\"d\"}]},\"title\":\"t\"}]},{\"role\":"
    "\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"h\",\"signature\":\"s\"},{"
    "\"type\":"
    "\"redacted_thinking\",\"data\":\"x\"},{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\","
    "\"input\":{}},"
    "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\","
    "\"content\":["
    "{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":[{\"type\":\"image\",\"source\":{"
    "\"type\":"
    "\"url\",\"url\":\"u\"}}],\"is_error\":true},{\"type\":\"text\",\"text\":\"q\"}]},{\"role\":"
    "\"system\","
    "\"content\":\"mid\"}],\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}},{"
    "\"type\":"
    "\"web_search_20250305\",\"name\":\"web_search\"}],\"tool_choice\":{\"type\":\"tool\",\"name\":"
    "\"f\"},"
    "\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":{}}},"
    "\"stop_sequences\":[\"a\"],\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\"}";

// Where a value begins and ends, by the brackets and quotes in it.
static size_t value_end(const char *p)
{
    size_t n = 0;
    int depth = 0;
    bool quoted = false;
    for (; p[n]; n++) {
        if (quoted && p[n] == '\\')
            n++;
        else if (p[n] == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (strchr("{[", p[n]))
            depth++;
        else if (depth == 0 && strchr(",}]", p[n]))
            return n;
        else if (strchr("}]", p[n]))
            depth--;
    }
    return n;
}

// Replaces the value of a member chosen at random.
static char *spoil(struct arena *a, const char *text)
{
    static const char *const values[] = {"null",
                                         "7",
                                         "-1.5",
                                         "true",
                                         "\"\"",
                                         "\"x\"",
                                         "[]",
                                         "{}",
                                         "[null]",
                                         "[7]",
                                         "[\"x\"]",
                                         "[{}]",
                                         "{\"type\":\"text\"}"};
    size_t colons = 0, at = 0;
    for (const char *c = text; *c; c++)
        colons += *c == ':';
    for (size_t skip = any((uint32_t)colons) + 1; skip; at++)
        skip -= text[at] == ':';
    size_t end = at + value_end(text + at);
    return arena_printf(a, "%.*s%s%s", (int)at, text, values[any(sizeof(values) / sizeof(*values))],
                        text + end);
}

static void check_openai(yyjson_val *root)
{
    yyjson_val *message, *call;
    size_t i, max, k, most, waiting = 0;
    yyjson_arr_foreach(yyjson_obj_get(root, "messages"), i, max, message)
    {
        bool result = text_eq(json_text_at(message, "role"), "tool");
        assert_int_equal(result, waiting > 0);
        waiting -= result;
        yyjson_arr_foreach(yyjson_obj_get(message, "tool_calls"), k, most, call) waiting++;
    }
    assert_int_equal(waiting, 0);
}

static size_t count_blocks(yyjson_val *message, const char *type)
{
    size_t i, max, n = 0;
    yyjson_val *block;
    yyjson_arr_foreach(yyjson_obj_get(message, "content"), i, max, block) n +=
        text_eq(json_text_at(block, "type"), type);
    return n;
}

static void check_claude(yyjson_val *root)
{
    yyjson_val *message, *messages = yyjson_obj_get(root, "messages");
    size_t i, max, calls = 0;
    const char *role = "assistant";
    assert_true(yyjson_arr_size(messages) > 0);
    yyjson_arr_foreach(messages, i, max, message)
    {
        assert_string_not_equal(json_text_at(message, "role"), role); // they alternate
        role = json_text_at(message, "role");
        assert_true(yyjson_arr_size(yyjson_obj_get(message, "content")) > 0);
        assert_int_equal(count_blocks(message, "tool_result"), calls);
        calls = count_blocks(message, "tool_use");
    }
    assert_int_equal(calls, 0);
    assert_true(json_int_at(root, "max_tokens", 0) > 0);
}

static int translated;

static void translate(struct arena *a, const struct dialect *from, const char *text)
{
    static const char *const models[] = {"claude-sonnet-4-5", "claude-opus-5", "gpt-5", "gpt-4o",
                                         "claude-sonnet-4-0", "deepseek-flash"};
    static const int types[] = {1, 8, 14, 20, 25, 43};
    yyjson_val *root = NULL;
    struct chat_request request;
    if (json_read(a, str_of(text), &root) || from->parse_request(a, root, &request))
        return;
    translated++;
    const struct provider *p = provider_of(types[any(6)]);
    BUF_HERE(out, 1 << 20);
    BUF_HERE(dropped, 4096);
    struct chat_target to = {
        .model = models[any(6)], .quirks = p->quirks, .stream = any(2), .dropped = &dropped};
    assert_null(p->dialect->write_request(a, &request, &to, &out));
    if (json_read(a, buf_view(&out), &root))
        fail_msg("%s\n%s", text, out.p);
    if (p->dialect == &claude_dialect)
        check_claude(root);
    else
        check_openai(root);
}

static void wrong_types(void **state)
{
    (void)state;
    for (seed = 1; seed < 12000u * 977u; seed += 977u) {
        ARENA(a);
        uint32_t kept = seed;
        bool openai = any(2);
        const char *text = openai ? openai_body : claude_body;
        for (uint32_t i = any(4); i; i--)
            text = spoil(a, text);
        translate(a, openai ? &openai_dialect : &claude_dialect, text);
        seed = kept;
    }
    assert_true(translated > 6000);
}

// What was sent once is sent again unchanged, or a provider's prompt cache would be of no use.
static void same_bytes(void **state)
{
    (void)state;
    ARENA(a);
    char *seen = NULL;
    for (int i = 0; i < 3; i++) {
        yyjson_val *root = NULL;
        struct chat_request request;
        struct chat_target to = {.model = "claude-opus-5"};
        BUF_HERE(out, 1 << 20);
        assert_null(json_read(a, str_of(openai_body), &root));
        assert_null(openai_dialect.parse_request(a, root, &request));
        assert_null(claude_dialect.write_request(a, &request, &to, &out));
        if (seen)
            assert_string_equal(seen, out.p);
        seen = arena_str(a, buf_view(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_types), cmocka_unit_test(same_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
