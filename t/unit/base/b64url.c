/*
 * b64url.c: tests of support/base/b64url.c.
 */
#include "unit.h"

/* RFC 4648 10 without its padding, and the two letters that URLs need. */
static const struct {
    const char *data;
    apr_size_t len;
    const char *text;
} vectors[] = {
    { "", 0, "" },
    { "f", 1, "Zg" },
    { "fo", 2, "Zm8" },
    { "foo", 3, "Zm9v" },
    { "foob", 4, "Zm9vYg" },
    { "fooba", 5, "Zm9vYmE" },
    { "foobar", 6, "Zm9vYmFy" },
    { "\xfb\xff\xfe", 3, "-__-" },
    { "\0\0", 2, "AAA" },
    /* RFC 7515 appendix C */
    { "\3\354\377\340\301", 5, "A-z_4ME" },
};

#define VECTORS ((int)(sizeof(vectors) / sizeof(vectors[0])))

/* Any bytes become letters, digits, "-" and "_", without padding. */
START_TEST(encodes)
{
    char *text = base_b64url_encode(vectors[_i].data, vectors[_i].len, pool);

    ck_assert_str_eq(text, vectors[_i].text);
}
END_TEST

/* What was encoded is decoded to the same bytes, NULs included. */
START_TEST(decodes)
{
    unsigned char *data;
    apr_size_t len;

    unit_ok(base_b64url_decode(&data, &len, vectors[_i].text, pool));
    ck_assert_uint_eq(len, vectors[_i].len);
    ck_assert_mem_eq(data, vectors[_i].data, len);
    ck_assert_int_eq(data[len], '\0');
}
END_TEST

/* A long value survives the way there and back at every length. */
START_TEST(round_trip)
{
    unsigned char in[257], *out;
    apr_size_t len, i;
    char *text;

    for (i = 0; i < sizeof(in); i++) {
        in[i] = (unsigned char)(i * 151 + 7);
    }
    for (i = 0; i <= sizeof(in); i++) {
        text = base_b64url_encode(in, i, pool);
        ck_assert_uint_eq(strlen(text), (i * 4 + 2) / 3);
        unit_ok(base_b64url_decode(&out, &len, text, pool));
        ck_assert_uint_eq(len, i);
        ck_assert_mem_eq(out, in, i);
    }
}
END_TEST

static const char *const bad[] = {
    "A", "AAAAA",                       /* no bytes have that many */
    "Zg==", "Zm8=", "=", "Zg=",         /* padding */
    "Zm9v\n", " Zm9", "Zm 9", "Zm9v ",  /* blanks */
    "-+/-", "ab+d", "ab/d",             /* the other alphabet */
    "Zh", "Zm9", "A-z_4MF", "__",       /* spare bits that are not zero */
    "Zm9v.Zg", "Zm\xc3\xa4", "Zm9\x80",
};

/* Padding, blanks, other letters and second spellings are refused. */
START_TEST(refuses)
{
    unsigned char *data;
    apr_size_t len;

    ck_assert_int_eq(base_b64url_decode(&data, &len, bad[_i], pool),
                     APR_EINVAL);
}
END_TEST

Suite *b64url_suite(void)
{
    Suite *suite = suite_create("b64url");
    TCase *tc = unit_case(suite, "b64url");

    tcase_add_loop_test(tc, encodes, 0, VECTORS);
    tcase_add_loop_test(tc, decodes, 0, VECTORS);
    tcase_add_test(tc, round_trip);
    tcase_add_loop_test(tc, refuses, 0, sizeof(bad) / sizeof(bad[0]));
    return suite;
}
