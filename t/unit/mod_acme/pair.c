/*
 * Certificate files: what mod_ssl could not serve is found before mod_ssl
 * sees it, and the stand-in is what it should be.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"
#include "pair.h"

static char dir[64];
static acme_pair_t *pair;

static const char *in_dir(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static void pair_setup(void)
{
    unit_setup();
    apr_snprintf(dir, sizeof(dir), "/tmp/acme-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    pair = acme_pair_create(pool);
    ck_assert_ptr_nonnull(pair);
}

static void pair_teardown(void)
{
    static const char *const names[] = {
        "standin", "target", "ec.crt", "ec.key", "ec2.crt", "ec2.key",
        "rsa.crt", "rsa.key", "x"
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(in_dir(names[i]));
    }
    rmdir(in_dir("standin"));
    /* Fails, and so does the test, if an operation left a file behind. */
    ck_assert_int_eq(rmdir(dir), 0);
    unit_teardown();
}

static void text_write(const char *name, const char *text)
{
    FILE *file = fopen(in_dir(name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* A certificate that ends so many seconds from now, NAME.crt and NAME.key. */
static void make(const char *name, EVP_PKEY *key, long seconds)
{
    FILE *cert_file = fopen(in_dir(apr_pstrcat(pool, name, ".crt", NULL)),
                            "w");
    FILE *key_file = fopen(in_dir(apr_pstrcat(pool, name, ".key", NULL)),
                           "w");
    X509 *cert = X509_new();

    ck_assert(key && cert && cert_file && key_file);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -100);
    X509_gmtime_adj(X509_getm_notAfter(cert), seconds);
    X509_set_pubkey(cert, key);
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
    ck_assert_int_eq(PEM_write_X509(cert_file, cert), 1);
    ck_assert_int_eq(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL,
                                          NULL), 1);
    fclose(cert_file);
    fclose(key_file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static const char *fault(const char *cert, const char *key)
{
    return acme_pair_fault(pair, in_dir(cert), in_dir(key), pool);
}

static void says(const char *cert, const char *key, const char *text)
{
    const char *why = fault(cert, key);

    ck_assert_msg(why != NULL, "%s and %s pass", cert, key);
    ck_assert_msg(strstr(why, text) != NULL, "says: %s", why);
    ck_assert_msg(strstr(why, dir) != NULL, "names no file: %s", why);
}

/* Pairs of one type after the other pass by one checker. */
START_TEST(sound_pairs_pass)
{
    make("ec", EVP_EC_gen("P-256"), 1000);
    make("ec2", EVP_EC_gen("P-384"), 1000);
    make("rsa", EVP_RSA_gen(2048), 1000);
    ck_assert_ptr_null(fault("ec.crt", "ec.key"));
    ck_assert_ptr_null(fault("rsa.crt", "rsa.key"));
    ck_assert_ptr_null(fault("ec2.crt", "ec2.key"));
    ck_assert_ptr_null(fault("ec.crt", "ec.key"));
}
END_TEST

/* An expired certificate can be served all the same. */
START_TEST(expired_pairs_pass)
{
    make("ec", EVP_EC_gen("P-256"), -10);
    ck_assert_ptr_null(fault("ec.crt", "ec.key"));
}
END_TEST

/* A key that belongs to another certificate is found, also when that other
 * one was checked just before and is of another type. */
START_TEST(foreign_keys_are_found)
{
    make("ec", EVP_EC_gen("P-256"), 1000);
    make("ec2", EVP_EC_gen("P-256"), 1000);
    make("rsa", EVP_RSA_gen(2048), 1000);
    says("ec.crt", "ec2.key", "not a usable key");
    says("ec.crt", "rsa.key", "does not belong to");
    ck_assert_ptr_null(fault("rsa.crt", "rsa.key"));
    says("ec.crt", "rsa.key", "does not belong to");
    says("rsa.crt", "ec.key", "");
    ck_assert_ptr_null(fault("ec.crt", "ec.key"));
}
END_TEST

/* Files that are not there, are none or hold something else. */
START_TEST(other_files_are_found)
{
    make("ec", EVP_EC_gen("P-256"), 1000);
    says("none", "ec.key", "No such file");
    says("ec.crt", "none", "No such file");
    says(".", "ec.key", "not a PEM file");
    says("ec.crt", ".", "not a PEM file");
    says("ec.key", "ec.key", "not a usable certificate");
    says("ec.crt", "ec.crt", "not a usable key");
    text_write("x", "");
    says("x", "ec.key", "not a usable certificate");
    says("ec.crt", "x", "not a usable key");
    text_write("x", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                    "-----END CERTIFICATE-----\n");
    says("x", "ec.key", "not a usable certificate");
    ck_assert_int_eq(truncate(in_dir("x"), 2 * 1024 * 1024), 0);
    says("x", "ec.key", "not a PEM file");
}
END_TEST

/* Nobody is asked for the pass phrase of a key. */
START_TEST(locked_keys_are_found)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(in_dir("x"), "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
        (const unsigned char *)"secret", 6, NULL, NULL), 1);
    fclose(file);
    make("ec", key, 1000);
    ck_assert_ptr_null(fault("ec.crt", "ec.key"));
    says("ec.crt", "x", "not a usable key");
}
END_TEST

/* OpenSSL serves no key that is too weak for its security level. */
START_TEST(weak_keys_are_found)
{
    make("rsa", EVP_RSA_gen(1024), 1000);
    says("rsa.crt", "rsa.key", "too small");
}
END_TEST

/* -------------------------------------------------------------- stand-in */

static X509 *standin_read(void)
{
    FILE *file = fopen(in_dir("standin"), "r");
    X509 *cert;

    ck_assert_ptr_nonnull(file);
    cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ck_assert_ptr_nonnull(cert);
    return cert;
}

static void standin_make(void)
{
    const char *why = NULL;
    apr_status_t rv = acme_pair_standin(pair, in_dir("standin"), &why, pool);
    struct stat st;

    ck_assert_msg(rv == APR_SUCCESS, "%s", why);
    ck_assert_int_eq(lstat(in_dir("standin"), &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_uint_eq(st.st_uid, geteuid());
}

static uint64_t standin_serial(void)
{
    X509 *cert = standin_read();
    uint64_t serial = 0;

    ck_assert(ASN1_INTEGER_get_uint64(&serial,
                                      X509_get0_serialNumber(cert)));
    X509_free(cert);
    return serial;
}

/* It can be served, is no CA, is good for no name and for a year. */
START_TEST(standin_is_harmless)
{
    time_t in_a_year = time(NULL) + 365 * 24 * 3600;
    char name[64];
    int days, seconds;
    ASN1_TIME *then;
    X509 *cert;

    umask(0);
    standin_make();
    ck_assert_ptr_null(fault("standin", "standin"));
    cert = standin_read();
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                              name, sizeof(name));
    ck_assert_str_eq(name, "mod_acme stand-in");
    ck_assert_int_eq(X509_check_ca(cert), 0);
    ck_assert_int_eq(X509_check_host(cert, "example.org", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_get_version(cert), X509_VERSION_3);
    ck_assert_int_eq(X509_verify(cert, X509_get0_pubkey(cert)), 1);
    then = ASN1_TIME_set(NULL, in_a_year);
    ck_assert(ASN1_TIME_diff(&days, &seconds, X509_get0_notAfter(cert),
                             then));
    ck_assert_int_eq(days, 0);
    ck_assert_int_lt(abs(seconds), 60);
    ASN1_TIME_free(then);
    X509_free(cert);
}
END_TEST

/* It comes with an issuer, itself: mod_ssl complains of a certificate that it
 * cannot find one for, where SSLUseStapling is on. One without is made
 * anew. */
START_TEST(standin_has_an_issuer)
{
    uint64_t serial;
    X509 *first, *second;
    FILE *file;

    standin_make();
    serial = standin_serial();
    file = fopen(in_dir("standin"), "r");
    first = PEM_read_X509(file, NULL, NULL, NULL);
    second = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ck_assert_ptr_nonnull(second);
    ck_assert_int_eq(X509_check_issued(second, first), X509_V_OK);
    ck_assert_int_eq(X509_cmp(first, second), 0);
    file = fopen(in_dir("standin"), "w");
    PEM_write_X509(file, first);
    fclose(file);
    standin_make();
    ck_assert_uint_ne(standin_serial(), serial);
    X509_free(first);
    X509_free(second);
}
END_TEST

/* A good one is kept; it would be another certificate otherwise. */
START_TEST(standin_is_kept)
{
    uint64_t serial;

    standin_make();
    serial = standin_serial();
    standin_make();
    ck_assert_uint_eq(standin_serial(), serial);
}
END_TEST

/* One that others could have read, or that is not ours, is not kept. */
START_TEST(standin_is_private)
{
    uint64_t serial;

    standin_make();
    serial = standin_serial();
    ck_assert_int_eq(chmod(in_dir("standin"), 0640), 0);
    standin_make();
    ck_assert_uint_ne(standin_serial(), serial);

    serial = standin_serial();
    ck_assert_int_eq(rename(in_dir("standin"), in_dir("target")), 0);
    ck_assert_int_eq(symlink(in_dir("target"), in_dir("standin")), 0);
    standin_make();
    ck_assert_uint_ne(standin_serial(), serial);
}
END_TEST

/* One with less than a day to go, or none at all, is not kept. */
START_TEST(standin_is_renewed)
{
    static const long seconds[] = { -1, 3600, 24 * 3600 - 60 };
    char *text = apr_palloc(pool, 8192);
    size_t i;

    for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        FILE *to = fopen(in_dir("standin"), "w"), *from;
        size_t n;

        make("ec", EVP_EC_gen("P-256"), seconds[i]);
        from = fopen(in_dir("ec.crt"), "r");
        n = fread(text, 1, 8192, from);
        fclose(from);
        fwrite(text, 1, n, to);
        from = fopen(in_dir("ec.key"), "r");
        n = fread(text, 1, 8192, from);
        fclose(from);
        fwrite(text, 1, n, to);
        fclose(to);
        ck_assert_int_eq(chmod(in_dir("standin"), 0600), 0);
        standin_make();
        ck_assert_uint_ne(standin_serial(), 1);
    }
    text_write("standin", "nonsense");
    standin_make();
}
END_TEST

/* Where it cannot be written, one sentence says so and nothing is left. */
START_TEST(standin_fails_with_a_sentence)
{
    const char *why = NULL;

    ck_assert_int_eq(mkdir(in_dir("standin"), 0700), 0);
    ck_assert_int_ne(acme_pair_standin(pair, in_dir("standin"), &why, pool),
                     APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(why, in_dir("standin")));
    why = NULL;
    ck_assert_int_eq(acme_pair_standin(pair, in_dir("no/standin"), &why,
                                       pool), APR_ENOENT);
    ck_assert_ptr_nonnull(strstr(why, "cannot write"));
}
END_TEST

Suite *pair_suite(void)
{
    Suite *suite = suite_create("pair");
    TCase *tc = tcase_create("check");

    tcase_add_checked_fixture(tc, pair_setup, pair_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, sound_pairs_pass);
    tcase_add_test(tc, expired_pairs_pass);
    tcase_add_test(tc, foreign_keys_are_found);
    tcase_add_test(tc, other_files_are_found);
    tcase_add_test(tc, locked_keys_are_found);
    tcase_add_test(tc, weak_keys_are_found);
    suite_add_tcase(suite, tc);

    tc = tcase_create("stand-in");
    tcase_add_checked_fixture(tc, pair_setup, pair_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, standin_is_harmless);
    tcase_add_test(tc, standin_has_an_issuer);
    tcase_add_test(tc, standin_is_kept);
    tcase_add_test(tc, standin_is_private);
    tcase_add_test(tc, standin_is_renewed);
    tcase_add_test(tc, standin_fails_with_a_sentence);
    suite_add_tcase(suite, tc);
    return suite;
}
