// Counting what a request and a reply hold, where no upstream said it: a tokenizer for text, the
// published size rules for pictures, and the framing that chat formats add.

#include <string.h>

#include "common/arena.h"
#include "common/image.h"
#include "common/tokenizer/tokenizer.h"
#include "relay/state.h"

// As counted for OpenAI's chat format; others differ little.
enum { PER_MESSAGE = 3, PER_REPLY = 3, PER_TOOL = 8, PER_AUDIO = 256, PER_FILE = 4096 };

int64_t count_text(struct str text, const char *model)
{
    return text.n ? tokenizer_count(tokenizer_for(model), text) : 0;
}

static enum image_detail detail_of(const char *detail)
{
    if (text_eq(detail, "low"))
        return DETAIL_LOW;
    return text_eq(detail, "high") ? DETAIL_HIGH : DETAIL_AUTO;
}

static int64_t count_image(const struct chat_part *p, const char *model)
{
    struct image image = {0};
    struct data_url url;
    if (p->data.n)
        image_size_base64(p->data, &image);
    else if (p->url.n && data_url_split(p->url, &url))
        image_size_base64(url.payload, &image);
    return image_tokens(model, image.width, image.height, detail_of(p->detail));
}

static int64_t count_parts(const struct chat_part *p, const char *model)
{
    int64_t n = 0;
    for (; p; p = p->next) {
        switch (p->kind) {
        case PART_IMAGE: n += count_image(p, model); break;
        case PART_AUDIO: n += PER_AUDIO; break;
        case PART_FILE: n += p->text.n ? count_text(p->text, model) : PER_FILE; break;
        case PART_TOOL_RESULT:
            for (const struct chat_part *inner = p->parts; inner; inner = inner->next)
                n += inner->kind == PART_IMAGE ? count_image(inner, model)
                                               : count_text(inner->text, model);
            break;
        default: n += count_text(p->text, model) + count_text(str_of(p->name), model); break;
        }
    }
    return n;
}

static int64_t count_tool(const struct chat_tool *t, const char *model)
{
    ARENA(a);
    struct str schema = t->schema ? json_text_of(a, t->schema) : (struct str){0};
    return PER_TOOL + count_text(str_of(t->name), model) +
           count_text(str_of(t->description), model) + count_text(schema, model);
}

int64_t count_prompt(const struct chat_request *request, const char *model)
{
    int64_t n = PER_REPLY + count_parts(request->system, model);
    for (const struct chat_message *m = request->messages; m; m = m->next)
        n += PER_MESSAGE + count_parts(m->parts, model);
    for (const struct chat_tool *t = request->tools; t; t = t->next)
        n += count_tool(t, model);
    return n;
}
