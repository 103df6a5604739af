// Signatures of AWS's published test suite, and of the official SDK's signer for what we send.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/err.h"
#include "relay/channel/sigv4.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
enum { SUITE = 1440938160, OURS = 1767323045 }; // 2015-08-30T12:36:00Z, 2026-01-02T03:04:05Z

// aws-sig-v4-test-suite, the cases that sign no headers of their own.
static const struct {
    const char *name, *method, *url, *headers, *body, *signature;
} suite[] = {
    {"get-vanilla", "GET", "https://example.amazonaws.com/", "", "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case", "GET",
     "https://example.amazonaws.com/?Param2=value2&Param1=value1", "", "",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-empty-query-key", "GET", "https://example.amazonaws.com/?Param1=value1", "", "",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"normalize-path/get-slash", "GET", "https://example.amazonaws.com//", "", "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"normalize-path/get-slash-dot-slash", "GET", "https://example.amazonaws.com/./", "", "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"normalize-path/get-relative", "GET", "https://example.amazonaws.com/example/..", "", "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"normalize-path/get-relative-relative", "GET",
     "https://example.amazonaws.com/example1/example2/../..", "", "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"normalize-path/get-slash-pointless-dot", "GET", "https://example.amazonaws.com/./example", "",
     "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {"normalize-path/get-slashes", "GET", "https://example.amazonaws.com//example//", "", "",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {"post-vanilla", "POST", "https://example.amazonaws.com/", "", "",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query", "POST", "https://example.amazonaws.com/?Param1=value1", "", "",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-x-www-form-urlencoded", "POST", "https://example.amazonaws.com/",
     "Content-Type: application/x-www-form-urlencoded\r\n", "Param1=value1",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

static const char *signature_of(struct arena *a, const struct sigv4 *in)
{
    BUF_HERE(out, 1 << 16);
    assert_null(sigv4_sign(a, in, &out));
    const char *at = strstr(out.p, "Signature=");
    assert_non_null(at);
    assert_string_equal(at + strlen("Signature=") + 64, "\r\n");
    return arena_strndup(a, at + strlen("Signature="), 64);
}

static void published(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(suite) / sizeof(*suite); i++) {
        ARENA(a);
        struct str body = str_of(suite[i].body);
        struct sigv4 in = {suite[i].method,
                           suite[i].url,
                           str_of(suite[i].headers),
                           &body,
                           1,
                           "us-east-1",
                           "service",
                           "AKIDEXAMPLE",
                           SECRET,
                           NULL,
                           SUITE};
        const char *got = signature_of(a, &in);
        if (strcmp(got, suite[i].signature) != 0)
            fail_msg("%s: %s", suite[i].name, got);
    }
}

// Made with @smithy/signature-v4.
static const struct {
    const char *url, *headers, *body, *session, *signature;
} ours[] = {
    {"https://bedrock-runtime.us-east-1.amazonaws.com/model/"
     "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
     "content-type: application/json\r\nx-amz-content-sha256: "
     "45e583fed2564dc00e823303d7609f8587af7f685b993cb0f998afc0d480b01d\r\n",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]}", NULL,
     "ec51e05c9c0fbb2384f0fb7ec54059bc62d3956e0f9dc79426d9d74a3dfc90e6"},
    {"https://bedrock-runtime.us-east-1.amazonaws.com/model/"
     "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
     "content-type: application/json\r\nx-amz-content-sha256: "
     "45e583fed2564dc00e823303d7609f8587af7f685b993cb0f998afc0d480b01d\r\n",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]}",
     "TOKEN/EXAMPLE==", "e62413ad1366fdcb53b122092b3a4cf9b1642ac826efb51ca19ab4339b11d0a2"},
    {"https://bedrock-runtime.us-east-1.amazonaws.com/model/"
     "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/"
     "converse-stream",
     "Content-Type: application/json\r\n", "{\"a\":\"ü\"}", NULL,
     "01d989fc24bc1af34bd3248c148d283fdeb0bc13fdd046ab14928df906b79c6b"},
    {"http://127.0.0.1:8080/proxy/aws/model/m/converse", "Content-Type: application/json\r\n", "{}",
     NULL, "565ab6430bd295f0676926879026b6a23bf02dde7fa79edd5241abbb1856fbb6"},
    {"https://vpc.example.com/a%20b/model/x~y-z_1.2/converse",
     "Content-Type: application/json\r\nx-amzn-bedrock-trace: ENABLED\r\nX-Amz-Odd:   a   b  \r\n",
     "{}", NULL, "073213b7687d83ab91c311ed016de41777741f223d563e6282f6697b8136e34d"},
};

static void as_the_sdk(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
        ARENA(a);
        struct str all = str_of(ours[i].body), body[2] = {{all.p, all.n / 2}};
        body[1] = str_skip(all, all.n / 2);
        struct sigv4 in = {
            "POST",        ours[i].url, str_of(ours[i].headers), body, 2, "us-east-1", "bedrock",
            "AKIDEXAMPLE", SECRET,      ours[i].session,         OURS};
        const char *got = signature_of(a, &in);
        if (strcmp(got, ours[i].signature) != 0)
            fail_msg("%zu: %s", i, got);
    }
}

static void whole_lines(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, 1 << 16);
    struct sigv4 in = {"POST",      ours[0].url, str_of(ours[0].headers), NULL,   0,
                       "eu-west-3", "bedrock",   "AKIDEXAMPLE",           SECRET, "token",
                       OURS};
    assert_null(sigv4_sign(a, &in, &out));
    static const char begin[] =
        "X-Amz-Date: 20260102T030405Z\r\n"
        "X-Amz-Security-Token: token\r\n"
        "Authorization: AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20260102/eu-west-3/bedrock/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "
        "Signature=";
    assert_true(str_starts(buf_view(&out), begin));
    in.url = "ftp://x";
    assert_ptr_equal(sigv4_sign(a, &in, &out)->kind, &err_field_invalid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published), cmocka_unit_test(as_the_sdk),
                                       cmocka_unit_test(whole_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
