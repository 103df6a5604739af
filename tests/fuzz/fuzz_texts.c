// Small readers of what strangers write: URLs, addresses, sealed texts, base64, fields.

#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/crypto.h"
#include "common/field.h"
#include "common/http/http.h"
#include "input.h"
#include "service/client_ip.h"

static void read_url(struct arena *a, struct str text)
{
    struct url url;
    if (!url_parse(a, arena_str(a, text), &url)) {
        HOLDS(url.port > 0 && url.port < 65536);
        HOLDS(*url.host && url.path[0] == '/');
        HOLDS(!strpbrk(url.host, "\r\n \t/@") && !strpbrk(url.path, "\r\n \t#"));
    }
    url_decode(a, text, true);
    url_query(a, text, "key");
    http_accepts(text, "gzip");
}

static void read_addresses(struct arena *a, struct str text)
{
    struct ip_list list = {0};
    struct ip ip;
    const char *s = arena_str(a, text);
    ip_parse(text, &ip);
    if (!ip_list_parse(a, s, &list)) {
        for (size_t i = 0; i < list.count; i++)
            HOLDS(list.items[i].bits >= 0 && list.items[i].bits <= 128);
        ip_list_has(&list, "10.1.2.3");
        ip_list_has(&list, "2001:db8::1");
        ip_list_has(&list, s);
    }
    struct http_header lines[] = {{STR("X-Forwarded-For"), text}, {STR("X-Forwarded-Proto"), text}};
    struct http_headers headers = {lines, 2};
    const char *client = client_ip(a, "127.0.0.1", &headers);
    HOLDS(ip_parse(str_of(client), &ip));
    client_https("127.0.0.1", &headers);
}

static void read_sealed(struct arena *a, struct str text)
{
    const char *plain = NULL;
    const char *s = arena_str(a, text);
    crypto_open(a, "fuzz", s, &plain);
    HOLDS(!crypto_open(a, "fuzz", crypto_seal(a, "fuzz", s), &plain));
    HOLDS(!strcmp(plain, s));
    struct str bytes = base64_bytes(a, str_of(base64_text(a, text.p, text.n)));
    HOLDS(str_eq(bytes, text));
    base64_bytes(a, text);
}

struct sample {
    bool on;
    int small;
    int64_t big;
    double real;
    const char *text, *json, *secret;
};
static const struct field fields[] = {
    FIELD(struct sample, on, .flags = REQUIRED),
    FIELD(struct sample, small, .min = -5, .max = 5),
    FIELD(struct sample, big, .min = 0, .max = 1e15),
    FIELD(struct sample, real, .min = 0, .max = 1e6),
    FIELD(struct sample, text, .min = 1, .max = 20),
    FIELD(struct sample, json, .flags = JSON_TEXT, .max = 100),
    FIELD(struct sample, secret, .flags = SECRET | READONLY, .def = "kept"),
    {0},
};

static void expect_in_range(const struct sample *s)
{
    HOLDS(s->small >= -5 && s->small <= 5 && s->big >= 0 && s->big <= 1000000000000000);
    HOLDS(s->real >= 0 && s->real <= 1e6);
    HOLDS(strlen(s->text) <= 20 && utf8_valid(str_of(s->text)) && !strcmp(s->secret, "kept"));
}

static void read_fields(struct arena *a, struct str text)
{
    struct sample s = {0};
    yyjson_val *root = NULL;
    const char *copy = arena_str(a, text);
    for (const struct field *f = fields; f->name; f++) {
        struct field_value v;
        if (!field_parse(a, f, copy, &v) && !(f->flags & READONLY))
            field_set(f, &s, v);
    }
    fields_default(a, fields, &s);
    if (json_read(a, text, &root) || fields_from_json(a, fields, root, &s))
        return;
    expect_in_range(&s);
    BUF_HERE(out, 1 << 20);
    struct json j = {.out = &out};
    fields_to_json(fields, &s, &j, NULL, FOR_ADMIN);
    HOLDS(!json_read(a, buf_view(&out), &root));
    HOLDS(!strstr(out.p, "kept"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool ready;
    static struct ip_list proxies;
    struct input in = input_of(bytes, n);
    unsigned which = input_byte(&in);
    ARENA(a);
    if (!ready) {
        static struct ip_range loopback = {.bits = 104};
        loopback.ip = (struct ip){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}};
        proxies = (struct ip_list){&loopback, 1};
        client_ip_trust(&proxies);
        crypto_setup(STR("a secret of the fuzzer, long enough"));
        ready = true;
    }
    static void (*const readers[])(struct arena *, struct str) = {read_url, read_addresses,
                                                                  read_sealed, read_fields};
    readers[which % 4](a, in.text);
    return 0;
}
