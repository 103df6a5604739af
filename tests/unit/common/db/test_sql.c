// SQL texts: what tables turn into, and what [name] and ? become.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "unit/common/db/fixture.h"

static const struct db_words other = {
    .quote = '`', .numbered = true, .returning = true, .upsert = ON_DUPLICATE_KEY};

static void assert_rewritten(const struct db_words *words, const char *in, const char *want,
                             size_t places)
{
    BUF_HERE(out, 4096);
    size_t n;
    assert_true(sql_rewrite(&out, words, in, &n));
    assert_string_equal(out.p, want);
    assert_int_equal(n, places);
}

static void names_and_places(void **state)
{
    (void)state;
    const struct db_words *lite = &sqlite_driver.words;
    assert_rewritten(lite, "", "", 0);
    assert_rewritten(lite, "[a]=? AND b=?", "\"a\"=? AND b=?", 2);
    assert_rewritten(&other, "[a]=? AND b IN(?,?)", "`a`=$1 AND b IN($2,$3)", 3);
    assert_rewritten(&other, "a - ? / ?", "a - $1 / $2", 2);
    assert_rewritten(&other, "?", "$1", 1);
}

static void strings_and_comments_stay(void **state)
{
    (void)state;
    assert_rewritten(&other, "'[x] ?' || ?", "'[x] ?' || $1", 1);
    assert_rewritten(&other, "'it''s ?' = ?", "'it''s ?' = $1", 1);
    assert_rewritten(&other, "'' = ? -- why? [x]\n, ?", "'' = $1 -- why? [x]\n, $2", 2);
    assert_rewritten(&other, "/* ? [x] ' */ ?", "/* ? [x] ' */ $1", 1);
    assert_rewritten(&other, "\"a?[b]\" = ?", "\"a?[b]\" = $1", 1);
    assert_rewritten(&other, "? -- to the end ?", "$1 -- to the end ?", 1);
}

static void unclosed_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"'a", "\"a", "[a", "[]", "/* a", "'it''s", "? '"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        BUF_HERE(out, 4096);
        size_t n;
        assert_false(sql_rewrite(&out, &other, texts[i], &n));
    }
}

struct pair {
    int64_t id;
    const char *a, *b, *c;
};
static const struct field pair_fields[] = {
    FIELD(struct pair, id, .flags = KEY),
    FIELD(struct pair, a),
    FIELD(struct pair, c, .flags = VIRTUAL),
    FIELD(struct pair, b),
    {0},
};
static const struct table pair_table = TABLE("pairs", struct pair, pair_fields);

static void assert_built(const struct db_words *words, struct sql_key key, const char *want)
{
    BUF_HERE(out, 4096);
    key.table = &pair_table;
    sql_build(&out, words, key);
    assert_string_equal(out.p, want);
}

static void from_tables(void **state)
{
    (void)state;
    const struct db_words *lite = &sqlite_driver.words;
    assert_built(lite, (struct sql_key){.verb = SQL_SELECT, .text = "a = ?"},
                 "SELECT [id], [a], [b] FROM [pairs] WHERE a = ?");
    assert_built(lite, (struct sql_key){.verb = SQL_SELECT, .text = "ORDER BY a"},
                 "SELECT [id], [a], [b] FROM [pairs] ORDER BY a");
    assert_built(lite, (struct sql_key){.verb = SQL_SELECT, .text = ""},
                 "SELECT [id], [a], [b] FROM [pairs]");
    assert_built(lite, (struct sql_key){.verb = SQL_INSERT, .rows = 2},
                 "INSERT INTO [pairs] ([a], [b]) VALUES (?, ?), (?, ?)");
    assert_built(lite, (struct sql_key){.verb = SQL_INSERT, .rows = 1},
                 "INSERT INTO [pairs] ([a], [b]) VALUES (?, ?)");
    assert_built(lite, (struct sql_key){.verb = SQL_UPDATE},
                 "UPDATE [pairs] SET [a] = ?, [b] = ? WHERE [id] = ?");
    assert_built(lite, (struct sql_key){.verb = SQL_UPDATE_ONLY, .text = "b"},
                 "UPDATE [pairs] SET [b] = ? WHERE [id] = ?");
    assert_built(lite, (struct sql_key){.verb = SQL_UPSERT, .rows = 1, .text = "a, b"},
                 "INSERT INTO [pairs] ([a], [b]) VALUES (?, ?) ON CONFLICT ([a], [b]) "
                 "DO UPDATE SET [a] = excluded.[a], [b] = excluded.[b]");
}

static void summed_columns(void **state)
{
    (void)state;
    static const struct field fields[] = {
        FIELD(struct pair, a), FIELD(struct pair, b, .flags = SUMMED), {0}};
    static const struct table sums = TABLE("sums", struct pair, fields);
    const struct db_words *both[] = {&sqlite_driver.words, &other};
    static const char *const want[] = {
        "INSERT INTO [sums] ([a], [b]) VALUES (?, ?) ON CONFLICT ([a]) DO UPDATE SET "
        "[b] = [sums].[b] + excluded.[b]",
        "INSERT INTO [sums] ([a], [b]) VALUES (?, ?) ON DUPLICATE KEY UPDATE "
        "[b] = [sums].[b] + VALUES([b])"};
    for (size_t i = 0; i < 2; i++) {
        BUF_HERE(out, 4096);
        sql_build(&out, both[i], (struct sql_key){SQL_UPSERT, 1, &sums, "a"});
        assert_string_equal(out.p, want[i]);
    }
}

static void from_tables_elsewhere(void **state)
{
    (void)state;
    assert_built(&other, (struct sql_key){.verb = SQL_INSERT, .rows = 1},
                 "INSERT INTO [pairs] ([a], [b]) VALUES (?, ?) RETURNING [id]");
    assert_built(&other, (struct sql_key){.verb = SQL_INSERT, .rows = 2},
                 "INSERT INTO [pairs] ([a], [b]) VALUES (?, ?), (?, ?)");
    assert_built(&other, (struct sql_key){.verb = SQL_UPSERT, .rows = 2, .text = "a"},
                 "INSERT INTO [pairs] ([a], [b]) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE "
                 "[b] = VALUES([b])");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_places),      cmocka_unit_test(strings_and_comments_stay),
        cmocka_unit_test(unclosed_is_refused),   cmocka_unit_test(from_tables),
        cmocka_unit_test(from_tables_elsewhere), cmocka_unit_test(summed_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
