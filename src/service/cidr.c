// Matching addresses against prefixes, IPv4 in its IPv6 form.

#include "service/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"

static bool read_address(const char *text, unsigned char out[16], bool *v4)
{
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    *v4 = inet_pton(AF_INET, text, out + 12) == 1;
    return *v4 || inet_pton(AF_INET6, text, out) == 1;
}

static bool read_item(struct arena *a, struct str s, struct cidr *out)
{
    const char *slash = memchr(s.p, '/', s.n);
    struct str address = slash ? (struct str){s.p, (size_t)(slash - s.p)} : s;
    int64_t bits = -1;
    bool v4;
    if (!read_address(arena_str(a, address), out->address, &v4))
        return false;
    if (slash && !str_to_int(str_skip(s, address.n + 1), &bits))
        return false;
    int most = v4 ? 32 : 128;
    if (slash && (bits < 0 || bits > most))
        return false;
    out->bits = (slash ? (int)bits : most) + (v4 ? 96 : 0);
    return true;
}

static const char private_ranges[] =
    "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1,fc00::/7,fe80::/10";

static struct err *add_items(struct arena *a, struct str text, struct cidr_list *out)
{
    struct str line, item;
    while (str_next(&text, '\n', &line)) {
        while (str_next(&line, ',', &item)) {
            item = str_trim(item);
            if (!item.n)
                continue;
            if (str_is(item, "private")) {
                TRY(add_items(a, str_of(private_ranges), out));
                continue;
            }
            if (!read_item(a, item, &out->items[out->count]))
                return err_new(a, &err_field_invalid, "%.64s", arena_str(a, item));
            out->count++;
        }
    }
    return NULL;
}

struct err *cidr_parse(struct arena *a, const char *text, struct cidr_list *out)
{
    size_t room = 1;
    for (const char *c = text; *c; c++)
        room += *c == '\n' || *c == ',' || *c == 'p' ? 8 : 0; // 'p': "private" stands for eight
    *out = (struct cidr_list){NEW_ARRAY(a, struct cidr, room + 8), 0};
    return add_items(a, str_of(text), out);
}

bool cidr_has(const struct cidr_list *list, const char *address)
{
    unsigned char bytes[16];
    bool v4;
    if (!read_address(address, bytes, &v4))
        return false;
    for (int i = 0; i < list->count; i++) {
        const struct cidr *c = &list->items[i];
        int whole = c->bits / 8, rest = c->bits % 8;
        if (!memcmp(c->address, bytes, (size_t)whole) &&
            (!rest || (c->address[whole] ^ bytes[whole]) >> (8 - rest) == 0))
            return true;
    }
    return false;
}
