/*
 * digest.c: tests of SHA-256 with the examples of its standard.
 */
#include "unit.h"

static const char *digest(const char *data, apr_size_t len)
{
    char *hex = apr_palloc(pool, BASE_SHA256_SIZE);

    return base_sha256(hex, data, len);
}

/* FIPS 180-4's examples, from NIST's "Cryptographic Standards". */
START_TEST(sha256_agrees_with_its_standard)
{
    char *million = apr_palloc(pool, 1000000);

    memset(million, 'a', 1000000);
    ck_assert_str_eq(digest("", 0),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ck_assert_str_eq(digest("abc", 3),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert_str_eq(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmn"
                            "lmnomnopnopq", 56),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    ck_assert_str_eq(digest(million, 1000000),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* Every length around the ends of blocks gives a digest of its own. */
START_TEST(every_length_counts)
{
    char zeros[200] = "", last[BASE_SHA256_SIZE] = "";
    apr_size_t len;

    for (len = 0; len <= sizeof(zeros); len++) {
        ck_assert_str_ne(digest(zeros, len), last);
        memcpy(last, digest(zeros, len), BASE_SHA256_SIZE);
    }
    ck_assert_str_eq(digest(zeros, 64),
        "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}
END_TEST

Suite *digest_suite(void)
{
    Suite *suite = suite_create("base/digest");
    TCase *tc = unit_case(suite, "sha256");

    tcase_add_test(tc, sha256_agrees_with_its_standard);
    tcase_add_test(tc, every_length_counts);
    return suite;
}
