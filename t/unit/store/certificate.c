#include "fixture.h"

static store_certificate_t sample(const char *cert)
{
    store_certificate_t c = { NULL, cert, "CHAIN\n", "KEY\n" };

    c.meta = base_json_own(json_pack("{s:s}", "name", "a.test"), pool);
    return c;
}

static const char *read_file(const char *id, const char *file)
{
    apr_size_t len;
    char *text;

    unit_ok(store_certificate_file(&text, &len, store, id, file, &err,
                                   pool));
    return text;
}

/* The first key type owns the plain name, the others stand beside it. */
START_TEST(ids_follow_key_types)
{
    ck_assert_str_eq(store_certificate_id("a.test", "P-256", 1, pool),
                     "a.test");
    ck_assert_str_eq(store_certificate_id("a.test", "RSA-2048", 0, pool),
                     "a.test~rsa-2048");
}
END_TEST

/* A certificate is five files, private, reached through "current". */
START_TEST(certificate_is_kept)
{
    store_certificate_t c = sample("CERT\n");
    json_t *meta;

    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    ck_assert_str_eq(read_file("a.test", "cert.pem"), "CERT\n");
    ck_assert_str_eq(read_file("a.test", "chain.pem"), "CHAIN\n");
    ck_assert_str_eq(read_file("a.test", "fullchain.pem"), "CERT\nCHAIN\n");
    ck_assert_str_eq(read_file("a.test", "key.pem"), "KEY\n");
    unit_ok(store_certificate_meta(&meta, store, "a.test", &err, pool));
    ck_assert_str_eq(json_string_value(json_object_get(meta, "name")),
                     "a.test");
    ck_assert_int_eq(mode_of(in_store("domains/a.test/00000001/key.pem")),
                     0600);
    ck_assert_str_eq(store_certificate_path(store, "a.test", "key.pem",
                                            pool),
                     in_store("domains/a.test/current/key.pem"));
}
END_TEST

/* An OCSP response lies beside its certificate, private, and goes with it;
 * without one there is no place for it. */
START_TEST(staple_is_kept)
{
    store_certificate_t c = sample("CERT\n");
    apr_size_t len;
    char *text;

    unit_fails(store_certificate_staple_write(store, "a.test", "x", 1, &err,
                                              pool), APR_ENOENT, "a.test");
    base_err_clear(&err);
    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    unit_ok(store_certificate_staple_write(store, "a.test", "one\0more", 8,
                                           &err, pool));
    unit_ok(store_certificate_staple_write(store, "a.test", "tw\0o", 4, &err,
                                           pool));
    unit_ok(store_certificate_file(&text, &len, store, "a.test", "ocsp.der",
                                   &err, pool));
    ck_assert_uint_eq(len, 4);
    ck_assert(!memcmp(text, "tw\0o", 4));
    ck_assert_int_eq(mode_of(in_store("domains/a.test/00000001/ocsp.der")),
                     0600);
    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    unit_fails(store_certificate_file(&text, &len, store, "a.test",
                                      "ocsp.der", &err, pool), APR_ENOENT,
               "ocsp.der");
}
END_TEST

/* Generations are numbered from 1; before the first there is none. */
START_TEST(generations_are_numbered)
{
    store_certificate_t c = sample("CERT\n");
    unsigned long number = 0;

    unit_fails(store_certificate_generation(&number, store, "a.test", &err,
                                            pool), APR_ENOENT, "a.test");
    base_err_clear(&err);
    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    unit_ok(store_certificate_generation(&number, store, "a.test", &err,
                                         pool));
    ck_assert_uint_eq(number, 1);
    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    unit_ok(store_certificate_generation(&number, store, "a.test", &err,
                                         pool));
    ck_assert_uint_eq(number, 2);
}
END_TEST

/* A key that is kept elsewhere leaves no file. */
START_TEST(key_may_be_elsewhere)
{
    store_certificate_t c = sample("CERT\n");

    c.key = NULL;
    unit_ok(store_certificate_write(store, "a.test~csr", &c, &err, pool));
    ck_assert(!exists(in_store("domains/a.test~csr/current/key.pem")));
}
END_TEST

/* A new generation replaces the old one; the last three stay. */
START_TEST(generations_are_pruned)
{
    apr_array_header_t *names;
    int i;

    for (i = 1; i <= 5; i++) {
        store_certificate_t c = sample(apr_psprintf(pool, "CERT %d\n", i));

        unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
        ck_assert_str_eq(read_file("a.test", "cert.pem"), c.cert);
    }
    unit_ok(base_dir_list(&names, in_store("domains/a.test"), &err, pool));
    ck_assert_int_eq(names->nelts, 4);
    ck_assert_str_eq(APR_ARRAY_IDX(names, 0, const char *), "00000003");
    ck_assert_str_eq(APR_ARRAY_IDX(names, 3, const char *), "current");
}
END_TEST

/* What a killed write left behind is removed, and its number passed over. */
START_TEST(unfinished_generation_is_dropped)
{
    store_certificate_t c = sample("NEW\n");

    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    unit_ok(base_dir_make(in_store("domains/a.test/00000002"), 0700, &err,
                          pool));
    unit_ok(base_file_create(in_store("domains/a.test/00000002/key.pem"),
                             "half", 4, 0600, &err));
    ck_assert_str_eq(read_file("a.test", "cert.pem"), "NEW\n");
    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    ck_assert(!exists(in_store("domains/a.test/00000002")));
    ck_assert(exists(in_store("domains/a.test/00000003")));
}
END_TEST

/* A write that fails leaves the old certificate and nothing new. */
START_TEST(failed_write_changes_nothing)
{
    store_certificate_t c = sample("OLD\n");
    const char *blocker = in_store("domains/a.test/current");

    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    /* A directory in place of the link cannot be replaced by a rename. */
    ck_assert_int_eq(unlink(blocker), 0);
    ck_assert_int_eq(mkdir(blocker, 0700), 0);
    ck_assert_int_ne(store_certificate_write(store, "a.test", &c, &err,
                                             pool), APR_SUCCESS);
    ck_assert(!exists(in_store("domains/a.test/00000002")));
}
END_TEST

START_TEST(unknown_certificate_is_absent)
{
    json_t *meta;

    ck_assert(APR_STATUS_IS_ENOENT(store_certificate_meta(
        &meta, store, "b.test", &err, pool)));
}
END_TEST

/* "current" that points elsewhere is not followed. */
START_TEST(strange_link_is_refused)
{
    store_certificate_t c = sample("CERT\n");
    json_t *meta;

    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    unit_ok(base_link_switch(in_store("domains/a.test/current"),
                             "../../accounts", &err, pool));
    unit_fails(store_certificate_meta(&meta, store, "a.test", &err, pool),
               APR_EINVAL, "no generation");
}
END_TEST

/* meta.json of the current generation can be replaced alone. */
START_TEST(meta_is_replaced)
{
    store_certificate_t c = sample("CERT\n");
    json_t *meta;

    unit_ok(store_certificate_write(store, "a.test", &c, &err, pool));
    meta = base_json_own(json_pack("{s:s}", "revoked", "now"), pool);
    unit_ok(store_certificate_meta_write(store, "a.test", meta, &err, pool));
    unit_ok(store_certificate_meta(&meta, store, "a.test", &err, pool));
    ck_assert_str_eq(json_string_value(json_object_get(meta, "revoked")),
                     "now");
}
END_TEST

Suite *certificate_suite(void)
{
    Suite *suite = suite_create("certificate");
    TCase *tc = fixture_case(suite, "certificate");

    tcase_add_test(tc, ids_follow_key_types);
    tcase_add_test(tc, certificate_is_kept);
    tcase_add_test(tc, staple_is_kept);
    tcase_add_test(tc, generations_are_numbered);
    tcase_add_test(tc, key_may_be_elsewhere);
    tcase_add_test(tc, generations_are_pruned);
    tcase_add_test(tc, unfinished_generation_is_dropped);
    tcase_add_test(tc, failed_write_changes_nothing);
    tcase_add_test(tc, unknown_certificate_is_absent);
    tcase_add_test(tc, strange_link_is_refused);
    tcase_add_test(tc, meta_is_replaced);
    return suite;
}
