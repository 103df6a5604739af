// Content codings from strangers: decoding stays in bounds, and what we compress comes back.

#include "common/arena.h"
#include "common/http/encoding.h"
#include "input.h"

enum { LIMIT = 1 << 20 };

static const char *const codings[] = {"gzip",     "deflate",       "br",     "zstd",
                                      "gzip, br", "zstd, deflate", "x-gzip", "identity"};

static struct err *take(void *to, struct str bytes)
{
    buf_str(to, bytes);
    return NULL;
}

static struct err *decode(struct arena *a, const char *coding, struct str text, size_t step,
                          struct buf *out)
{
    struct decoder *d = NULL;
    TRY(decoder_new(a, str_of(coding), LIMIT, &d));
    for (size_t at = 0; d && at < text.n; at += step)
        TRY(decoder_feed(d, (struct str){text.p + at, at + step < text.n ? step : text.n - at},
                         take, out));
    return d ? decoder_finish(d) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned which = input_byte(&in), step = input_byte(&in);
    const char *coding = codings[which % 8];
    ARENA(a);
    BUF_HERE(out, 2 * LIMIT);
    decode(a, coding, in.text, step + 1, &out);
    HOLDS(out.n <= LIMIT);
    BUF_HERE(packed, LIMIT);
    static const char *const ours[] = {"gzip", "br", "zstd"};
    coding = ours[which % 3];
    if (!(which & 128) || !in.text.n || !encoding_compress(coding, in.text, &packed))
        return 0;
    buf_clear(&out);
    HOLDS(!decode(a, coding, buf_view(&packed), step + 1, &out));
    HOLDS(str_eq(buf_view(&out), in.text));
    return 0;
}
