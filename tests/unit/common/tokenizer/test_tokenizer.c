// The tokenizers against vectors of another implementation, cut everywhere, and at their limits.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/tokenizer/bpe.h"
#include "common/tokenizer/split.h"
#include "common/tokenizer/tokenizer.h"

static const struct {
    const char *name;
    const char *pieces;
    enum tokenizer which;
    size_t (*split)(struct str text, bool last);
} exact[] = {{"o200k", "o200k_pieces", TOKENIZER_O200K, split_o200k},
             {"cl100k", "cl100k_pieces", TOKENIZER_CL100K, split_cl100k}};

// vectors.json, made by tools/gen/token_vectors.ts.
static yyjson_doc *document;
static yyjson_val *vectors;

static int read_vectors(void **unused)
{
    (void)unused;
    document = yyjson_read_file(TEST_ROOT "/unit/common/tokenizer/vectors.json", 0, NULL, NULL);
    vectors = yyjson_doc_get_root(document);
    return vectors ? 0 : -1;
}

static int free_vectors(void **unused)
{
    (void)unused;
    yyjson_doc_free(document);
    return 0;
}

static struct str repeat(struct arena *a, struct str part, size_t times)
{
    char *text = arena_raw(a, part.n * times + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * part.n, part.p, part.n);
    return (struct str){text, part.n * times};
}

static struct str text_of(struct arena *a, yyjson_val *vector)
{
    yyjson_val *parts = yyjson_obj_get(vector, "repeat");
    if (!parts)
        return json_str_at(vector, "text");
    yyjson_val *part = yyjson_arr_get(parts, 0);
    return repeat(a, (struct str){yyjson_get_str(part), yyjson_get_len(part)},
                  (size_t)yyjson_get_int(yyjson_arr_get(parts, 1)));
}

// The expected numbers, where a run of equal ones is [number, times].
static int64_t numbers_of(yyjson_val *list, uint32_t *ids, int64_t room)
{
    int64_t n = 0;
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, max, v)
    {
        bool run = yyjson_is_arr(v);
        int64_t times = run ? yyjson_get_int(yyjson_arr_get(v, 1)) : 1;
        for (; times--; n++) {
            assert_true(n < room);
            ids[n] = (uint32_t)yyjson_get_int(run ? yyjson_arr_get(v, 0) : v);
        }
    }
    return n;
}

static void check_vector(struct arena *a, yyjson_val *vector, size_t encoding)
{
    struct str text = text_of(a, vector);
    int64_t room = (int64_t)text.n + 1;
    uint32_t *want = NEW_ARRAY(a, uint32_t, room), *got = NEW_ARRAY(a, uint32_t, room);
    int64_t n = numbers_of(yyjson_obj_get(vector, exact[encoding].name), want, room);
    int64_t m = tokenizer_encode(exact[encoding].which, text, got, room);
    bool same = n == m && !memcmp(want, got, (size_t)n * sizeof(*want));
    if (!same || tokenizer_count(exact[encoding].which, text) != n)
        fail_msg("%s: %lld tokens, want %lld: %.*s", exact[encoding].name, (long long)m,
                 (long long)n, (int)(text.n < 200 ? text.n : 200), text.p);
}

static void tokens_equal_the_vectors(void **unused)
{
    (void)unused;
    assert_true(yyjson_arr_size(vectors) >= 300);
    size_t i, max;
    yyjson_val *vector;
    yyjson_arr_foreach(vectors, i, max, vector)
    {
        for (size_t encoding = 0; encoding < 2; encoding++) {
            ARENA(a);
            check_vector(a, vector, encoding);
        }
    }
}

static void no_cut_that_more_text_undoes(struct str text, size_t encoding, size_t piece)
{
    for (size_t some = 1; some < text.n && some < 100; some++) {
        size_t early = exact[encoding].split((struct str){text.p, some}, false);
        if (early && early != piece)
            fail_msg("%s: piece of %zu after %zu bytes, then %zu: %.*s", exact[encoding].name,
                     early, some, piece, (int)(text.n < 100 ? text.n : 100), text.p);
    }
}

// The same cuts as the regular expression makes.
static void check_pieces(struct arena *a, yyjson_val *vector, size_t encoding)
{
    struct str text = text_of(a, vector);
    uint32_t *want = NEW_ARRAY(a, uint32_t, text.n + 1);
    int64_t n =
        numbers_of(yyjson_obj_get(vector, exact[encoding].pieces), want, (int64_t)text.n + 1);
    for (int64_t i = 0; i < n; i++) {
        size_t got = exact[encoding].split(text, true);
        if (got != want[i])
            fail_msg("%s: piece of %zu, want %u: %.*s", exact[encoding].name, got, want[i],
                     (int)(text.n < 200 ? text.n : 200), text.p);
        no_cut_that_more_text_undoes(text, encoding, got);
        text = str_skip(text, got);
    }
    assert_int_equal(text.n, 0);
}

static void pieces_equal_the_vectors(void **unused)
{
    (void)unused;
    size_t i, max;
    yyjson_val *vector;
    yyjson_arr_foreach(vectors, i, max, vector)
    {
        for (size_t encoding = 0; encoding < 2; encoding++) {
            ARENA(a);
            check_pieces(a, vector, encoding);
        }
    }
}

static int64_t count_in_steps(enum tokenizer which, struct str text, size_t first, size_t step)
{
    struct tokenizer_state s;
    tokenizer_start(&s, which);
    for (size_t n = first; text.n; n = step) {
        size_t take = n < text.n ? n : text.n;
        // A copy of its own, so that a sanitizer sees any look beyond it.
        char *copy = memcpy(malloc(take + !take), text.p, take);
        tokenizer_feed(&s, (struct str){copy, take});
        free(copy);
        text = str_skip(text, take);
    }
    return tokenizer_finish(&s);
}

static void splits_make_no_difference(void **unused)
{
    (void)unused;
    size_t i, max;
    yyjson_val *vector;
    yyjson_arr_foreach(vectors, i, max, vector)
    {
        ARENA(a);
        struct str text = text_of(a, vector);
        for (int which = 0; which <= TOKENIZER_APPROX_OTHER; which++) {
            int64_t want = tokenizer_count((enum tokenizer)which, text);
            assert_int_equal(count_in_steps((enum tokenizer)which, text, 1, 1), want);
            for (size_t at = 0; at <= text.n && text.n <= 300; at++)
                assert_int_equal(count_in_steps((enum tokenizer)which, text, at, text.n), want);
        }
    }
}

// A piece that is too long is cut between characters.
static void no_character_is_cut(void **unused)
{
    (void)unused;
    enum { WHOLE = TOKENIZER_PIECE_MAX / 3 * 3 };
    ARENA(a);
    struct str text = repeat(a, STR("\xe4\xb8\xad"), TOKENIZER_PIECE_MAX / 2);
    assert_int_equal(tokenizer_count(TOKENIZER_O200K, text),
                     tokenizer_count(TOKENIZER_O200K, (struct str){text.p, WHOLE}) +
                         tokenizer_count(TOKENIZER_O200K, str_skip(text, WHOLE)));
}

// The beginnings and ends of long texts meet the buffer's limits at every offset.
static void long_texts_count_alike_in_steps(void **unused)
{
    (void)unused;
    static const char *const parts[] = {
        "a",  " ", "\n",   "ab 1 ",      " \n",      "\xe4\xb8\xad", "=",
        "Aa", "!", "a'll", "\r\n\r\n  ", "\xcc\x81", "\xe4\xb8"};
    static const size_t around[] = {500,
                                    512,
                                    1024,
                                    TOKENIZER_PIECE_MAX - 1,
                                    TOKENIZER_PIECE_MAX,
                                    TOKENIZER_PIECE_MAX + 1,
                                    3 * TOKENIZER_PIECE_MAX};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        for (size_t k = 0; k < sizeof(around) / sizeof(*around); k++) {
            ARENA(a);
            struct str text = repeat(a, str_of(parts[i]), around[k]);
            text.n = around[k]; // cut anywhere, within a character too
            for (size_t which = 0; which < 2; which++) {
                int64_t want = tokenizer_count(exact[which].which, text);
                assert_int_equal(count_in_steps(exact[which].which, text, 1, 7), want);
                assert_int_equal(count_in_steps(exact[which].which, text, 511, 4096), want);
            }
        }
}

// "aaaaaaaa" is one token in both, so cutting at a multiple of 8 changes nothing.
static void huge_pieces_take_little_time(void **unused)
{
    (void)unused;
    enum { MIB = 1 << 20 };
    ARENA(a);
    int64_t begun = clock_steady_ms();
    struct str text = repeat(a, STR("a"), MIB);
    assert_int_equal(tokenizer_count(TOKENIZER_O200K, text), MIB / 8);
    assert_int_equal(tokenizer_count(TOKENIZER_CL100K, text), MIB / 8);
    assert_int_equal(count_in_steps(TOKENIZER_O200K, text, 1, 1), MIB / 8);
    text = repeat(a, STR(" "), MIB);
    assert_in_range(tokenizer_count(TOKENIZER_O200K, text), MIB / 128, MIB / 64);
    assert_in_range(tokenizer_count(TOKENIZER_CL100K, text), MIB / 128, MIB / 64);
    text = repeat(a, STR("qz\xc3\xa9"), MIB / 4);
    assert_true(tokenizer_count(TOKENIZER_O200K, text) > MIB / 8);
    text = repeat(a, STR("\n "), MIB / 2);
    assert_true(tokenizer_count(TOKENIZER_CL100K, text) > 1000);
    assert_true(clock_steady_ms() - begun < 20000); // seconds under sanitizers; squares take hours
}

// What waits between two feeds stays small, whatever comes.
static void memory_is_bounded(void **unused)
{
    (void)unused;
    ARENA(a);
    struct str text = repeat(a, STR("a"), 1 << 18);
    struct tokenizer_state s;
    tokenizer_start(&s, TOKENIZER_O200K);
    for (size_t i = 0; i < text.n; i += 1000) {
        tokenizer_feed(&s, (struct str){text.p + i, text.n - i < 1000 ? text.n - i : 1000});
        assert_true(s.rest.n <= TOKENIZER_PIECE_MAX + 1 && s.rest.cap <= 2 * TOKENIZER_PIECE_MAX);
        assert_false(s.rest.overflow);
    }
    assert_int_equal(tokenizer_finish(&s), text.n / 8);
    tokenizer_start(&s, TOKENIZER_O200K);
    text = repeat(a, STR("two words "), 1 << 15);
    tokenizer_feed(&s, text);
    assert_true(s.rest.cap <= 1024);
    assert_int_equal(tokenizer_finish(&s), tokenizer_count(TOKENIZER_O200K, text));
}

// The short and the long way of merging agree: a piece just below the limit and the same with more.
static void both_ways_of_merging_agree(void **unused)
{
    (void)unused;
    char word[BPE_SHORT + 1];
    for (size_t i = 0; i < sizeof(word); i++)
        word[i] = (char)('a' + i * i * 7 % 26);
    uint32_t shorter[BPE_SHORT + 1], longer[BPE_SHORT + 1];
    for (size_t which = 0; which < 2; which++) {
        enum tokenizer t = exact[which].which;
        int64_t n = tokenizer_encode(t, (struct str){word, BPE_SHORT}, shorter, BPE_SHORT + 1);
        int64_t m = tokenizer_encode(t, (struct str){word, BPE_SHORT + 1}, longer, BPE_SHORT + 1);
        assert_in_range(m, n, n + 1);
        assert_memory_equal(shorter, longer, (size_t)(n - 3) * sizeof(*shorter));
    }
}

// Bytes that are no UTF-8 count too, one token each unless the table knows them together.
static void broken_text_is_counted(void **unused)
{
    (void)unused;
    static const char *const broken[] = {
        "\xff",       "\xc3",         "a\xc3",    "\xe4\xb8",
        "\x80\x80",   "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80",
        "\xe4\xb8 a", "\xf0\x9f\x98", "1\xe2\x82"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        for (int which = 0; which <= TOKENIZER_APPROX_OTHER; which++) {
            struct str text = str_of(broken[i]);
            int64_t n = tokenizer_count((enum tokenizer)which, text);
            assert_in_range(n, 1, 2 * text.n + 1);
            for (size_t at = 0; at <= text.n; at++)
                assert_int_equal(count_in_steps((enum tokenizer)which, text, at, text.n), n);
        }
    assert_int_equal(tokenizer_count(TOKENIZER_O200K, STR("\xff\xfe")), 2);
}

static void nothing_costs_nothing(void **unused)
{
    (void)unused;
    for (int which = 0; which <= TOKENIZER_APPROX_OTHER; which++) {
        assert_int_equal(tokenizer_count((enum tokenizer)which, (struct str){0}), 0);
        assert_int_equal(count_in_steps((enum tokenizer)which, STR(""), 1, 1), 0);
    }
    assert_int_equal(tokenizer_encode(TOKENIZER_APPROX_OTHER, STR("a"), NULL, 0), 0);
}

static void room_is_respected(void **unused)
{
    (void)unused;
    uint32_t ids[3] = {0, 0, 77};
    assert_int_equal(tokenizer_encode(TOKENIZER_CL100K, STR("Hello, world!"), ids, 2), 4);
    assert_int_equal(ids[0], 9906);
    assert_int_equal(ids[1], 11);
    assert_int_equal(ids[2], 77);
}

static void models_have_their_tokenizer(void **unused)
{
    (void)unused;
    static const struct {
        const char *model;
        enum tokenizer which;
    } rows[] = {
        {"gpt-4o", TOKENIZER_O200K},
        {"gpt-4o-mini-2024-07-18", TOKENIZER_O200K},
        {"gpt-4.1-nano", TOKENIZER_O200K},
        {"gpt-5", TOKENIZER_O200K},
        {"gpt-5.2-pro", TOKENIZER_O200K},
        {"gpt-oss-120b", TOKENIZER_O200K},
        {"GPT-4O", TOKENIZER_O200K},
        {"o1-mini", TOKENIZER_O200K},
        {"o3", TOKENIZER_O200K},
        {"o4-mini", TOKENIZER_O200K},
        {"chatgpt-4o-latest", TOKENIZER_O200K},
        {"openai/gpt-4o", TOKENIZER_O200K},
        {"ft:gpt-4o-mini:org::id", TOKENIZER_O200K},
        {"gpt-4", TOKENIZER_CL100K},
        {"gpt-4-turbo", TOKENIZER_CL100K},
        {"gpt-4-0613", TOKENIZER_CL100K},
        {"gpt-3.5-turbo", TOKENIZER_CL100K},
        {"gpt-35-turbo", TOKENIZER_CL100K},
        {"ft:gpt-3.5-turbo:org", TOKENIZER_CL100K},
        {"text-embedding-3-large", TOKENIZER_CL100K},
        {"text-embedding-ada-002", TOKENIZER_CL100K},
        {"claude-sonnet-4-5", TOKENIZER_APPROX_CLAUDE},
        {"anthropic/claude-3.5-haiku", TOKENIZER_APPROX_CLAUDE},
        {"us.anthropic.claude-opus-4-7-v1:0", TOKENIZER_APPROX_CLAUDE},
        {"gemini-2.5-pro", TOKENIZER_APPROX_GEMINI},
        {"models/gemini-2.5-flash", TOKENIZER_APPROX_GEMINI},
        {"deepseek-chat", TOKENIZER_APPROX_OTHER},
        {"text-embedding-v4", TOKENIZER_APPROX_OTHER},
        {"", TOKENIZER_APPROX_OTHER},
        {NULL, TOKENIZER_APPROX_OTHER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (tokenizer_for(rows[i].model) != rows[i].which)
            fail_msg("%s: %d", rows[i].model, tokenizer_for(rows[i].model));
}

// The estimate stays near a real count, and knows the families apart.
static void estimates_are_near(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "It is a truth universally acknowledged, that a single man in possession of a good "
        "fortune, must be in want of a wife. However little known the feelings or views of such a "
        "man may be on his first entering a neighbourhood, this truth is so well fixed.",
        "你好，世界！今天天气怎么样？我们去公园散步吧。人工智能正在改变我们的生活和工作方式。",
        "for (int i = 0; i < 10; i++) printf(\"%d\\n\", array[i].value);",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int64_t real = tokenizer_count(TOKENIZER_O200K, str_of(texts[i]));
        int64_t other = tokenizer_count(TOKENIZER_APPROX_OTHER, str_of(texts[i]));
        assert_in_range(other, real * 75 / 100, real * 130 / 100);
        assert_true(tokenizer_count(TOKENIZER_APPROX_CLAUDE, str_of(texts[i])) > other);
    }
    assert_int_equal(tokenizer_count(TOKENIZER_APPROX_OTHER, STR("Hello world")), 2);
    assert_int_equal(tokenizer_count(TOKENIZER_APPROX_OTHER, STR("camelCaseName")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_equal_the_vectors),
        cmocka_unit_test(pieces_equal_the_vectors),
        cmocka_unit_test(splits_make_no_difference),
        cmocka_unit_test(no_character_is_cut),
        cmocka_unit_test(long_texts_count_alike_in_steps),
        cmocka_unit_test(huge_pieces_take_little_time),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(both_ways_of_merging_agree),
        cmocka_unit_test(broken_text_is_counted),
        cmocka_unit_test(nothing_costs_nothing),
        cmocka_unit_test(room_is_respected),
        cmocka_unit_test(models_have_their_tokenizer),
        cmocka_unit_test(estimates_are_near),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, read_vectors, free_vectors);
}
