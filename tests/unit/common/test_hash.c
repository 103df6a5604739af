// Digests and checksums against published vectors; hashes of tables by what is asked of them.

#include "common/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/rand.h"

static void sha256(void **state)
{
    (void)state;
    ARENA(a);
    unsigned char out[SHA256_SIZE];
    hash_sha256(STR("abc"), out);
    assert_string_equal(hash_hex(a, out, sizeof(out)),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256(STR(""), out);
    assert_string_equal(hash_hex(a, out, sizeof(out)),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmac(void **state) // RFC 4231, case 2
{
    (void)state;
    ARENA(a);
    unsigned char out[SHA256_SIZE];
    hash_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_string_equal(hash_hex(a, out, sizeof(out)),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void crc32c(void **state) // RFC 3720, B.4
{
    (void)state;
    unsigned char zeros[32] = {0};
    assert_int_equal(hash_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(hash_crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(hash_crc32c(hash_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(hash_crc32c(0, "", 0), 0);
}

static void same(void **state)
{
    (void)state;
    assert_true(hash_same("abc", "abd", 2));
    assert_false(hash_same("abc", "abd", 3));
    assert_true(hash_same("a", "b", 0));
}

static void tables(void **state)
{
    (void)state;
    char text[64] = "";
    uint64_t seen[64];
    for (size_t n = 0; n < 64; n++) { // the same bytes, longer and longer: all different
        seen[n] = hash_table(text, n);
        assert_true(seen[n] == hash_table(text, n));
        for (size_t k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
    }
    for (size_t i = 0; i < 64; i++) { // every byte counts
        text[i] = 1;
        assert_true(hash_table(text, 64) != hash_table((char[64]){0}, 64));
        text[i] = 0;
    }
    char shifted[65];
    memcpy(shifted + 1, text, 64); // wherever it stands
    assert_true(hash_table(shifted + 1, 64) == hash_table(text, 64));
}

static void random_things(void **state)
{
    (void)state;
    char text[4097];
    rand_text(text, 4096);
    assert_int_equal(strlen(text), 4096);
    int seen[128] = {0}, kinds = 0;
    for (const char *c = text; *c; c++)
        kinds += !seen[(unsigned char)*c]++;
    assert_int_equal(kinds, 62);
    for (int c = 0; c < 128; c++) // 66 of each expected
        assert_true(seen[c] == 0 || (seen[c] > 20 && seen[c] < 160));
    int dice[6] = {0};
    for (int i = 0; i < 6000; i++)
        dice[rand_below(6)]++;
    for (int i = 0; i < 6; i++)
        assert_true(dice[i] > 700 && dice[i] < 1300);
    assert_int_equal(rand_below(1), 0);
    assert_int_equal(rand_below(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256), cmocka_unit_test(hmac),   cmocka_unit_test(crc32c),
        cmocka_unit_test(same),   cmocka_unit_test(tables), cmocka_unit_test(random_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
