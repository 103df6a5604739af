// Every provider we can call, one row each.

#include <stddef.h>
#include <strings.h>

#include "common/str.h"
#include "relay/channel/auth.h"
#include "relay/channel/aws.h"
#include "relay/channel/azure.h"
#include "relay/channel/gemini.h"
#include "relay/channel/moonshot.h"
#include "relay/channel/provider.h"

#define OPENAI_PATHS                                                                               \
    [MODE_CHAT] = "/v1/chat/completions", [MODE_COMPLETION] = "/v1/completions",                   \
    [MODE_EMBEDDING] = "/v1/embeddings", [MODE_IMAGE] = "/v1/images/generations",                  \
    [MODE_IMAGE_EDIT] = "/v1/images/edits", [MODE_SPEECH] = "/v1/audio/speech",                    \
    [MODE_TRANSCRIPTION] = "/v1/audio/transcriptions", [MODE_MODERATION] = "/v1/moderations",      \
    [MODE_MODELS] = "/v1/models"

#define RESPONSES_PATHS                                                                            \
    [MODE_RESPONSES] = "/v1/responses", [MODE_TOKENS] = "/v1/responses/input_tokens",              \
    [MODE_COMPACT] = "/v1/responses/compact"

// What a server that merely calls itself compatible may be asked without being upset.
#define COMPATIBLE (NO_DEVELOPER_ROLE | OLD_MAX_TOKENS | THINK_TAGS | SYSTEM_FIRST | NEEDS_BASE_URL)

static const struct provider_header anthropic_headers[] = {
    {"anthropic-version", "2023-06-01"}, {"anthropic-beta", NULL}, {NULL, NULL}};

// clang-format off
static const struct provider providers[] = {
    [1] = {
        .name = "OpenAI", .base_url = "https://api.openai.com", .logo = "openai",
        .dialect = &openai_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {OPENAI_PATHS, RESPONSES_PATHS}, .quirks = OPENAI_RULES,
        .models = "gpt-5.6-sol,gpt-5.6-terra,gpt-5.6-luna,gpt-5.4,gpt-5.4-mini,gpt-5-mini,gpt-4.1,"
                  "gpt-4o-mini,text-embedding-3-small,text-embedding-3-large",
    },
    [3] = {
        .name = "Azure", .logo = "azure", // the resource's address: no default
        .dialect = &openai_dialect, .framing = &sse_framing, .authorize = auth_api_key,
        .path = {
            [MODE_CHAT] = "/chat/completions", [MODE_COMPLETION] = "/completions",
            [MODE_EMBEDDING] = "/embeddings", [MODE_IMAGE] = "/images/generations",
            [MODE_IMAGE_EDIT] = "/images/edits", [MODE_SPEECH] = "/audio/speech",
            [MODE_TRANSCRIPTION] = "/audio/transcriptions", [MODE_RESPONSES] = "/responses",
            [MODE_MODELS] = "/models",
        },
        .quirks = OPENAI_RULES | NEEDS_BASE_URL, .fix_url = azure_url,
        .has_mode = azure_has_mode,
    },
    [8] = {
        .name = "Custom", .logo = "custom", // any server of OpenAI's protocol
        .dialect = &openai_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {OPENAI_PATHS}, // most of them know no responses: those are translated
        .quirks = COMPATIBLE,
    },
    [14] = {
        .name = "Anthropic", .base_url = "https://api.anthropic.com", .logo = "anthropic",
        .dialect = &claude_dialect, .framing = &sse_framing, .authorize = auth_x_api_key,
        .path = {
            [MODE_CHAT] = "/v1/messages", [MODE_TOKENS] = "/v1/messages/count_tokens",
            [MODE_MODELS] = "/v1/models",
        },
        .headers = anthropic_headers,
        .models = "claude-opus-5,claude-opus-4-8,claude-sonnet-5,claude-sonnet-4-6,"
                  "claude-haiku-4-5,claude-fable-5",
    },
    [16] = {
        .name = "Cohere", .base_url = "https://api.cohere.com", .logo = "cohere",
        .dialect = &cohere_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {[MODE_CHAT] = "/v2/chat", [MODE_MODELS] = "/v1/models?page_size=1000"},
        .models = "command-a-plus-05-2026,command-a-03-2025,command-a-reasoning-08-2025,"
                  "command-a-vision-07-2025,command-r-08-2024,command-r7b-12-2024",
    },
    [20] = {
        .name = "OpenRouter", .base_url = "https://openrouter.ai/api", .logo = "openrouter",
        .dialect = &openai_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {
            [MODE_CHAT] = "/v1/chat/completions", [MODE_COMPLETION] = "/v1/completions",
            [MODE_EMBEDDING] = "/v1/embeddings", [MODE_RERANK] = "/v1/rerank",
            [MODE_RESPONSES] = "/v1/responses", [MODE_MODELS] = "/v1/models",
        },
        .quirks = NO_DEVELOPER_ROLE | OLD_MAX_TOKENS | CACHE_MARKERS | STATELESS,
    },
    [24] = {
        .name = "Gemini", .base_url = "https://generativelanguage.googleapis.com",
        .logo = "gemini", .dialect = &gemini_dialect, .framing = &sse_framing,
        .json_framing = &array_framing, .authorize = auth_google, .fix_url = gemini_url,
        .path = {
            [MODE_CHAT] = "/v1beta/models/{model}:generateContent",
            [MODE_TOKENS] = "/v1beta/models/{model}:countTokens",
            [MODE_MODELS] = "/v1beta/models?pageSize=1000",
        },
        .models = "gemini-3.1-pro-preview,gemini-3-flash-preview,gemini-2.5-pro,gemini-2.5-flash,"
                  "gemini-2.5-flash-lite",
    },
    [25] = {
        .name = "Moonshot", .base_url = "https://api.moonshot.cn", .logo = "moonshot",
        .dialect = &openai_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {[MODE_CHAT] = "/v1/chat/completions", [MODE_MODELS] = "/v1/models"},
        .quirks = NO_DEVELOPER_ROLE | KEEP_REASONING | NO_ADDRESSES,
        .fix_request = moonshot_fix_request,
        .models = "kimi-k3,kimi-k2.7-code,kimi-k2.6",
    },
    [33] = {
        .name = "AWS", .base_url = "https://bedrock-runtime.{region}.amazonaws.com", .logo = "aws",
        .dialect = &bedrock_dialect, .framing = &aws_eventstream_framing, .authorize = auth_aws,
        .fix_url = aws_url, .sign = aws_sign,
        .path = {
            [MODE_CHAT] = "/model/{model}/converse",
            [MODE_TOKENS] = "/model/{model}/count-tokens",
            [MODE_MODELS] = "/foundation-models?byInferenceType=ON_DEMAND&byOutputModality=TEXT",
        },
        .more_models = "/inference-profiles?maxResults=1000",
        .models = "global.anthropic.claude-opus-5,us.anthropic.claude-sonnet-5,"
                  "us.anthropic.claude-haiku-4-5-20251001-v1:0,amazon.nova-pro-v1:0,"
                  "amazon.nova-lite-v1:0,openai.gpt-oss-120b-1:0",
    },
    [43] = {
        .name = "DeepSeek", .base_url = "https://api.deepseek.com", .logo = "deepseek",
        .dialect = &openai_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {
            [MODE_CHAT] = "/v1/chat/completions", [MODE_COMPLETION] = "/beta/completions",
            [MODE_RESPONSES] = "/responses", [MODE_MODELS] = "/models",
        },
        .quirks = NO_DEVELOPER_ROLE | OLD_MAX_TOKENS | KEEP_REASONING | THINKING_SWITCH |
                  STATELESS,
        .models = "deepseek-flash,deepseek-v4-pro",
    },
    [101] = {
        .name = "OpenAI Responses", .base_url = "https://api.openai.com", .logo = "openai",
        .dialect = &responses_dialect, .framing = &sse_framing, .authorize = auth_bearer,
        .path = {RESPONSES_PATHS, [MODE_MODELS] = "/v1/models"},
        .quirks = OPENAI_RULES, // whatever its callers speak, it is asked for responses
        .models = "gpt-5.6-sol,gpt-5.6-terra,gpt-5.4,gpt-5.4-mini,gpt-5-codex",
    },
};
// clang-format on

enum { TYPES = sizeof(providers) / sizeof(*providers) };

const struct provider *provider_of(int type)
{
    return type > 0 && type < TYPES && providers[type].name ? &providers[type] : NULL;
}

int provider_type(const char *name_or_number)
{
    int64_t number = 0;
    if (str_to_int(str_of(name_or_number), &number))
        return number > 0 && number < TYPES && provider_of((int)number) ? (int)number : 0;
    for (int type = 1; type < TYPES; type++)
        if (providers[type].name && name_or_number &&
            !strcasecmp(providers[type].name, name_or_number))
            return type;
    return 0;
}

int provider_types(void)
{
    return TYPES;
}
