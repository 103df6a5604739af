// Prices against sums done by hand, and against decimal arithmetic, digit by digit.

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "service/pricing.h"
#include "unit/common/db/fixture.h"

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

// Ratios in millionths. gpt-4o is 2.5 USD in and 10 out: 1.25 and 4. Claude Sonnet is 3 and 15,
// cache 0.3 read, 3.75 and 6 written: 1.5, 5, 0.1, 1.25, 2.
static const struct price gpt_4o = {
    .model_ratio = 1250000, .completion_ratio = 4000000, .cache_ratio = 500000};
static const struct price sonnet = {.model_ratio = 1500000,
                                    .completion_ratio = 5000000,
                                    .cache_ratio = 100000,
                                    .create_ratio = 1250000,
                                    .create_1h_ratio = 2000000};

static int64_t quota_of(struct arena *a, const struct price *p, int64_t group, struct price_usage u)
{
    int64_t quota = -1;
    assert_fine(price_quota(a, p, group, &u, &quota));
    return quota;
}

static void sums_done_by_hand(void **state)
{
    static const struct {
        const struct price *price;
        int64_t group;
        struct price_usage usage;
        int64_t want;
    } rows[] = {
        {&gpt_4o, 1000000, {1000, 0, 0, 0, 500}, 3750},     // (1000 + 2000) * 5/4
        {&gpt_4o, 1000000, {1000, 200, 0, 0, 0}, 1375},     // (1000 + 100) * 5/4
        {&gpt_4o, 800000, {1000, 0, 0, 0, 500}, 3000},      // 3750 * 4/5
        {&sonnet, 1000000, {10, 1000, 200, 100, 7}, 893},   // (10+100+250+200+35) * 3/2 = 892.5
        {&sonnet, 1000000, {9, 1000, 200, 100, 7}, 891},    // 594 * 3/2
        {&sonnet, 333333, {9, 1000, 200, 100, 7}, 297},     // 891 * 0.333333 = 296.999703
        {&sonnet, 1000000, {1000000, 0, 0, 0, 0}, 1500000}, // a million tokens: 3 USD
        {&sonnet, 1000000, {0, 0, 0, 1000000, 0}, 3000000}, // 6 USD
        {&sonnet, 0, {10, 10, 10, 10, 10}, 0},              // a group that pays nothing
        {&sonnet, 1000000, {0}, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(quota_of(*state, rows[i].price, rows[i].group, rows[i].usage),
                         rows[i].want);
}

static int64_t of_prompt(struct arena *a, int64_t model_ratio, int64_t tokens)
{
    struct price p = {.model_ratio = model_ratio};
    return quota_of(a, &p, 1000000, (struct price_usage){.prompt = tokens});
}

static void half_goes_up(void **state)
{
    assert_int_equal(of_prompt(*state, 500000, 1), 1); // 0.5
    assert_int_equal(of_prompt(*state, 500000, 3), 2); // 1.5
    assert_int_equal(of_prompt(*state, 500000, 5), 3); // 2.5
    assert_int_equal(of_prompt(*state, 2499999, 1), 2);
    assert_int_equal(of_prompt(*state, 2500000, 1), 3);
    assert_int_equal(of_prompt(*state, 1499999, 1), 1);
}

static void the_least_is_one(void **state)
{
    struct price free_answers = {.model_ratio = 1000000}, free = {.completion_ratio = 1000000};
    assert_int_equal(of_prompt(*state, 1, 1), 1);
    assert_int_equal(of_prompt(*state, 400000, 1), 1);
    assert_int_equal(of_prompt(*state, 0, 1000), 0);
    assert_int_equal(quota_of(*state, &free_answers, 1000000, (struct price_usage){0, 0, 0, 0, 9}),
                     0);
    assert_int_equal(quota_of(*state, &free, 1000000, (struct price_usage){5, 0, 0, 0, 9}), 0);
    assert_int_equal(quota_of(*state, &sonnet, 1, (struct price_usage){1, 0, 0, 0, 0}), 1);
}

static void per_call(void **state)
{
    static const struct {
        int64_t price, group, want;
    } rows[] = {
        {40000, 1000000, 20000}, // 0.04 USD
        {40000, 500000, 10000},
        {1, 1000000, 1}, // 0.5
        {3, 1000000, 2}, // 1.5
        {1, 1, 1},       // 0.0000005
        {0, 1000000, 0},
        {5, 0, 0},
        {100000000000, 100000000000, 5000000000000000}, // 100000 USD, a hundred thousand times
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct price p = {.per_call = true, .call_price = rows[i].price, .model_ratio = 7};
        struct price_usage u = {123, 4, 5, 6, 7};
        assert_int_equal(quota_of(*state, &p, rows[i].group, u), rows[i].want);
    }
}

static void bounds(void **state)
{
    struct arena *a = *state;
    struct price most = {.model_ratio = RATIO_MAX};
    struct price_usage u = {.prompt = TOKENS_MAX};
    int64_t quota;
    // 2^40 tokens at 100000, times 41.94304, is 2^62: one more than may be.
    assert_fine(price_quota(a, &most, 41943039, &u, &quota));
    assert_true(quota == INT64_C(4611685908476225126)); // 2^40 * 4194303.9 = ...126.4
    assert_err(price_overflow, price_quota(a, &most, 41943040, &u, &quota));
    assert_err(price_overflow, price_quota(a, &most, RATIO_MAX, &u, &quota));
    struct price all = {false, 0, RATIO_MAX, RATIO_MAX, RATIO_MAX, RATIO_MAX, RATIO_MAX};
    struct price_usage full = {TOKENS_MAX, TOKENS_MAX, TOKENS_MAX, TOKENS_MAX, TOKENS_MAX};
    assert_err(price_overflow, price_quota(a, &all, RATIO_MAX, &full, &quota));
    int64_t *counts[] = {&u.prompt, &u.cache_read, &u.cache_write_5m, &u.cache_write_1h,
                         &u.completion};
    for (int i = 0; i < 5; i++) {
        u = (struct price_usage){0};
        *counts[i] = TOKENS_MAX;
        assert_fine(price_quota(a, &sonnet, 1000000, &u, &quota));
        *counts[i] = TOKENS_MAX + 1;
        assert_err(price_overflow, price_quota(a, &sonnet, 1000000, &u, &quota));
        *counts[i] = -1;
        assert_err(price_overflow, price_quota(a, &sonnet, 1000000, &u, &quota));
    }
}

static void millionths(void **state)
{
    (void)state;
    static const struct {
        double value;
        int64_t want; // -1: refused
    } rows[] = {
        {0.0375, 37500},  {0, 0},          {-0.0, 0},        {0.1 + 0.2, 300000},
        {0.000001, 1},    {0.29, 290000},  {1.005, 1005000}, {100000, 100000000000},
        {100000.001, -1}, {-0.5, -1},      {NAN, -1},        {INFINITY, -1},
        {1e300, -1},      {4.35, 4350000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t got = -1;
        assert_int_equal(price_micro(rows[i].value, &got), rows[i].want >= 0);
        if (rows[i].want >= 0)
            assert_int_equal(got, rows[i].want);
    }
}

// --- decimal digits, lowest first --------------------------------------------------------------

enum { DIGITS = 80 };

struct decimal {
    int d[DIGITS];
};

static struct decimal decimal_of(int64_t v)
{
    struct decimal out = {0};
    for (int i = 0; v; v /= 10)
        out.d[i++] = (int)(v % 10);
    return out;
}

static void carry(struct decimal *v)
{
    for (int i = 0; i + 1 < DIGITS; i++) {
        v->d[i + 1] += v->d[i] / 10;
        v->d[i] %= 10;
    }
}

static struct decimal plus(struct decimal x, struct decimal y)
{
    for (int i = 0; i < DIGITS; i++)
        x.d[i] += y.d[i];
    carry(&x);
    return x;
}

static struct decimal times(struct decimal x, struct decimal y)
{
    struct decimal out = {0};
    for (int i = 0; i < DIGITS / 2; i++)
        for (int k = 0; k < DIGITS / 2; k++)
            out.d[i + k] += x.d[i] * y.d[k];
    carry(&out);
    return out;
}

static struct decimal product(int64_t x, int64_t y)
{
    return times(decimal_of(x), decimal_of(y));
}

// Without the lowest `digits`, half up; -1 if more than INT64_MAX / 2.
static int64_t shortened(struct decimal v, int digits)
{
    char text[DIGITS + 1] = "";
    struct decimal half = {0};
    half.d[digits - 1] = 5;
    v = plus(v, half);
    int top = DIGITS - 1;
    while (top > digits && !v.d[top])
        top--;
    if (top - digits >= 19)
        return -1;
    int64_t sum = 0;
    for (int i = top; i >= digits; i--) {
        text[top - i] = (char)('0' + v.d[i]);
        sum = sum <= INT64_MAX / 10 ? sum * 10 : 0;
        sum += v.d[i];
    }
    bool large = top - digits == 18 && strcmp(text, "4611686018427387903") > 0;
    return large ? -1 : sum;
}

static bool is_zero(struct decimal v)
{
    for (int i = 0; i < DIGITS; i++)
        if (v.d[i])
            return false;
    return true;
}

static int64_t reference(const struct price *p, int64_t group, const struct price_usage *u)
{
    struct decimal v;
    if (p->per_call) {
        v = times(product(p->call_price, 500000), decimal_of(group));
    } else {
        v = plus(product(u->prompt, 1000000), product(u->cache_read, p->cache_ratio));
        v = plus(v, product(u->cache_write_5m, p->create_ratio));
        v = plus(v, product(u->cache_write_1h, p->create_1h_ratio));
        v = plus(v, product(u->completion, p->completion_ratio));
        v = times(times(v, decimal_of(p->model_ratio)), decimal_of(group));
    }
    int64_t quota = shortened(v, p->per_call ? 12 : 18);
    return quota == 0 && !is_zero(v) ? 1 : quota;
}

static uint64_t seed = 88172645463325252u;

// Up to `most`, small ones as often as large ones.
static int64_t some(int64_t most)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    int64_t v = (int64_t)((seed >> 8) >> (seed % 56));
    return v % (most + 1);
}

static void any_price_as_the_reference(void **state)
{
    int overflows = 0, ones = 0;
    for (int i = 0; i < 20000; i++) {
        struct price p = {seed % 5 == 0,   some(RATIO_MAX), some(RATIO_MAX), some(RATIO_MAX),
                          some(RATIO_MAX), some(RATIO_MAX), some(RATIO_MAX)};
        struct price_usage u = {some(TOKENS_MAX), some(TOKENS_MAX), some(TOKENS_MAX),
                                some(TOKENS_MAX), some(TOKENS_MAX)};
        int64_t group = some(RATIO_MAX), want = reference(&p, group, &u), got = -7;
        struct err *e = price_quota(*state, &p, group, &u, &got);
        if (e ? want != -1 : got != want)
            fail_msg("round %d: %" PRId64 " instead of %" PRId64, i, e ? -1 : got, want);
        overflows += e != NULL;
        ones += got == 1;
        arena_reset(*state);
    }
    assert_true(overflows > 100 && ones > 100); // both ends were visited
}

static void the_sum_is_explained(void **state)
{
    (void)state;
    BUF_HERE(out, 4096);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    price_explain(&j, &sonnet, 800000, &(struct price_usage){10, 1000, 200, 100, 7});
    json_end(&j);
    assert_non_null(strstr(out.p, "\"group_ratio\":0.8,"));
    assert_non_null(strstr(out.p, "\"model_ratio\":1.5,"));
    assert_non_null(strstr(out.p, "\"input_tokens\":10,"));
    assert_non_null(strstr(out.p, "\"cache_tokens\":1000,\"cache_ratio\":0.1,"));
    assert_non_null(strstr(out.p, "\"cache_creation_tokens_5m\":200,"));
    assert_non_null(strstr(out.p, "\"cache_creation_tokens_1h\":100,"));
    buf_clear(&out);
    j = (struct json){.out = &out};
    json_obj(&j, NULL);
    price_explain(&j, &(struct price){.per_call = true, .call_price = 40000}, 1000000,
                  &(struct price_usage){0});
    json_end(&j);
    assert_string_equal(out.p, "{\"group_ratio\":1,\"model_price\":0.04}");
    buf_clear(&out);
    j = (struct json){.out = &out};
    json_obj(&j, NULL);
    price_explain(&j, &sonnet, 1000000, &(struct price_usage){.prompt = 5, .completion = 2});
    json_end(&j);
    assert_null(strstr(out.p, "cache")); // what was not used is left out
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_done_by_hand),
        TEST(half_goes_up),
        TEST(the_least_is_one),
        TEST(per_call),
        TEST(bounds),
        TEST(millionths),
        TEST(any_price_as_the_reference),
        TEST(the_sum_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
