/*
 * Which chains the keeper keeps, and how.
 */
#include "acme_live.h"
#include "desk.h"

static EVP_PKEY *ca_key;
static X509 *ca_cert;

static void cert_setup(void)
{
    fix_spec_t spec = { .cn = "Test CA", .ca = 1 };

    setup();
    ca_key = fix_evp("P-256", pool);
    spec.key = ca_key;
    ca_cert = fix_cert(&spec, pool);
}

/* What the CA answers for a key and a subjectAltName; times as fix_spec. */
static const char *issue(EVP_PKEY *evp, const char *san, long from, long to)
{
    fix_spec_t spec = { .san = san, .from = from, .to = to, .key = evp };

    spec.issuer = ca_cert;
    spec.issuer_key = ca_key;
    return fix_pem(pool, fix_cert(&spec, pool), ca_cert, NULL);
}

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    ck_assert_ptr_nonnull(ext);
    ck_assert(X509_add_ext(x509, ext, -1));
    X509_EXTENSION_free(ext);
}

/* A certificate for job 0 with the TLS feature and this information. */
static const char *issue_must_staple(const char *access)
{
    fix_spec_t spec = { .san = "DNS:n0.example", .issuer = ca_cert,
                        .issuer_key = ca_key };
    X509 *x509;

    spec.key = key_of(csr_of(0));
    x509 = fix_unsigned(&spec, pool);
    add_extension(x509, NID_tlsfeature, "status_request");
    add_extension(x509, NID_info_access, access);
    return fix_pem(pool, fix_sign(x509, &spec), ca_cert, NULL);
}

static apr_status_t save(int number, const char *pem)
{
    return host->certificate_save(host, number, pem, strlen(pem), &err);
}

static const char *kept(const char *id, const char *file)
{
    apr_size_t len;
    char *text;

    unit_ok(store_certificate_file(&text, &len, store, id, file, &err,
                                   pool));
    return text;
}

/* A chain that fits is kept with the key that its CSR was made with; what
 * is remembered of it has its shape. */
START_TEST(good_chains_are_kept)
{
    EVP_PKEY *evp = key_of(csr_of(0));
    const char *pem = issue(evp, "DNS:n0.example", 0, 0);
    json_t *meta;

    unit_ok(save(0, pem));
    ck_assert_str_eq(kept("n0.example", "fullchain.pem"), pem);
    ck_assert_str_eq(apr_pstrcat(pool, kept("n0.example", "cert.pem"),
                                 kept("n0.example", "chain.pem"), NULL),
                     pem);
    ck_assert_int_eq(EVP_PKEY_eq(evp_of_pem(kept("n0.example", "key.pem")),
                                 evp), 1);
    unit_ok(store_certificate_meta(&meta, store, "n0.example", &err, pool));
    unit_ok(schema_check(schema_find(options.schemas, "state/certificate"),
                         meta, "meta", &err));
    ck_assert_str_eq(member(meta, "ca"), CA0);
    ck_assert_str_eq(member(meta, "name"), "n0.example");
    ck_assert_str_eq(member(meta, "key_type"), "P-256");
    ck_assert_str_eq(member(meta, "issuer"), "Test CA");
    ck_assert_str_eq(member(meta, "issued"), "2027-01-15T08:00:00Z");
    ck_assert_str_eq(member(meta, "not_after"), "2027-01-16T08:00:00Z");
    ck_assert_uint_eq(json_array_size(json_object_get(meta, "names")), 1);
}
END_TEST

/* Every file with a secret is for root alone. */
START_TEST(kept_keys_are_private)
{
    struct stat st;

    unit_ok(save(0, issue(key_of(csr_of(0)), "DNS:n0.example", 0, 0)));
    ck_assert_int_eq(stat(store_certificate_path(store, "n0.example",
                                                 "key.pem", pool), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* ----------------------------------------------------- telling httpd */

static live_t *live;

/* httpd runs with these names in its configuration. */
static void httpd_serves(const char *id)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(char *));
    const char *fault = NULL;
    apr_status_t rv;

    APR_ARRAY_PUSH(ids, const char *) = id;
    options.live = apr_pstrcat(pool, dir, "/live", NULL);
    rv = live_parent_open(&live, options.live, ids, ids, &fault, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%d: %s", (int)rv, fault);
    restart();
}

static int is_live(int number)
{
    return keeper_outcome(keeper, number)->live;
}

/* The httpd that runs has what was kept, with the generation's number. */
START_TEST(kept_chains_are_live)
{
    live_certificate_t cert;
    const char *pem;

    httpd_serves("n0.example");
    pem = issue(key_of(csr_of(0)), "DNS:n0.example", 0, 0);
    ck_assert(!is_live(0));
    unit_ok(save(0, pem));
    ck_assert(is_live(0));
    ck_assert_int_eq(live_child_certificate(&cert, live,
        live_parent_slot(live, "n0.example")), APR_SUCCESS);
    ck_assert_uint_eq(cert.generation, 1);
    ck_assert_int_eq(cert.not_after, FIX_NOW
                     + apr_time_from_sec(FIX_DAY));
    ck_assert_uint_eq(cert.chain_len, strlen(pem));
    ck_assert(!memcmp((char *)cert.pem + cert.key_len, pem,
                      cert.chain_len));
    ck_assert(!memcmp(cert.pem, kept("n0.example", "key.pem"),
                      cert.key_len));
    unit_ok(save(0, pem));
    live_child_certificate(&cert, live, live_parent_slot(live,
                                                         "n0.example"));
    ck_assert_uint_eq(cert.generation, 2);
}
END_TEST

/* Where httpd cannot be told, the certificate is kept all the same, and the
 * outcome says that it has to be restarted. */
START_TEST(kept_chains_may_wait)
{
    const char *pem = issue(key_of(csr_of(0)), "DNS:n0.example", 0, 0);

    unit_ok(save(0, pem));
    ck_assert_msg(!is_live(0), "no segment in the configuration");
    httpd_serves("n1.example");
    unit_ok(save(0, pem));
    ck_assert_msg(!is_live(0), "a name that httpd does not know");
    unlink(options.live);
    restart();
    unit_ok(save(0, pem));
    ck_assert_msg(!is_live(0), "no segment");
    ck_assert_str_eq(kept("n0.example", "fullchain.pem"), pem);
    ck_assert(exists("domains/n0.example/00000003"));
}
END_TEST

/* A certificate that must be stapled is not served before it can be: whoever
 * runs the keeper publishes it once it has a response. Where it names no
 * responder there is nothing to wait for. */
START_TEST(must_staple_waits)
{
    httpd_serves("n0.example");
    unit_ok(save(0, issue_must_staple("OCSP;URI:http://ocsp.example/")));
    ck_assert(keeper_outcome(keeper, 0)->deferred);
    ck_assert(!is_live(0));
    keeper_publish(keeper, 0, pool);
    ck_assert(is_live(0));
    restart();
    unit_ok(save(0, issue_must_staple("caIssuers;URI:http://x.example/")));
    ck_assert(!keeper_outcome(keeper, 0)->deferred);
    ck_assert(is_live(0));
}
END_TEST

/* What does not fit never reaches httpd. */
START_TEST(other_chains_are_not_live)
{
    httpd_serves("n0.example");
    csr_of(0);
    ck_assert_int_ne(save(0, issue(fix_evp("P-256", pool), "DNS:n0.example",
                                   0, 0)), APR_SUCCESS);
    base_err_clear(&err);
    ck_assert(!is_live(0));
    ck_assert_uint_eq(live_child_version(live, live_parent_slot(live,
                                         "n0.example")), 0);
}
END_TEST

/* A chain that does not fit is not kept, and the sentence says who sent
 * it, for whom, and what is wrong. */
static void is_not_kept(const char *pem, const char *why)
{
    unit_fails(save(0, pem), APR_EINVAL, why);
    ck_assert_ptr_nonnull(strstr(err.message, "the certificate that " CA0
                                 " sent for n0.example was not kept"));
    ck_assert(!exists("domains/n0.example"));
    base_err_clear(&err);
}

START_TEST(other_keys_are_not_kept)
{
    csr_of(0);
    is_not_kept(issue(fix_evp("P-256", pool), "DNS:n0.example", 0, 0),
                "key");
    is_not_kept(issue(key_of(csr_of(1)), "DNS:n0.example", 0, 0), "key");
}
END_TEST

START_TEST(other_names_are_not_kept)
{
    EVP_PKEY *evp = key_of(csr_of(0));

    is_not_kept(issue(evp, "DNS:n1.example", 0, 0), "lacks n0.example");
    is_not_kept(issue(evp, "DNS:n0.example,DNS:evil.example", 0, 0),
                "evil.example");
    is_not_kept(issue(evp, "DNS:*.n0.example", 0, 0), "n0.example");
    is_not_kept(issue(evp, "DNS:n0.example,IP:127.0.0.1", 0, 0), "more");
}
END_TEST

START_TEST(other_times_are_not_kept)
{
    EVP_PKEY *evp = key_of(csr_of(0));

    is_not_kept(issue(evp, "DNS:n0.example", -2 * FIX_DAY, -1), "");
    is_not_kept(issue(evp, "DNS:n0.example", 2 * FIX_DAY, 3 * FIX_DAY), "");
}
END_TEST

/* A private key or anything else beside certificates spoils the whole. */
START_TEST(other_blocks_are_not_kept)
{
    EVP_PKEY *evp = key_of(csr_of(0));
    const char *pem = issue(evp, "DNS:n0.example", 0, 0);
    const char *key = fix_key_pem(fix_evp("P-256", pool), pool);

    is_not_kept(apr_pstrcat(pool, pem, key, NULL), "");
    is_not_kept(apr_pstrcat(pool, key, pem, NULL), "");
    is_not_kept(apr_pstrcat(pool, pem, "# a comment\n", NULL), "");
    is_not_kept("", "");
    is_not_kept("<html>", "");
    is_not_kept(apr_pstrndup(pool, pem, strlen(pem) - 40), "");
}
END_TEST

/* Jobs that order nothing keep none; an order whose CSR was never asked
 * for has no key that one could fit. */
START_TEST(other_jobs_keep_no_certificate)
{
    const char *pem = issue(key_of(csr_of(1)), "DNS:n0.example", 0, 0);

    unit_fails(save(0, pem), APR_ENOENT, "was not kept");
    base_err_clear(&err);
    job(0)->kind = WORKER_ACCOUNT;
    unit_fails(save(0, pem), APR_EACCES, "job 0 orders no certificate");
}
END_TEST

/* A dry run checks as strictly and keeps nothing. */
START_TEST(dry_runs_keep_nothing)
{
    EVP_PKEY *evp = key_of(csr_of(0));

    jobs[0].dry_run = 1;
    restart();
    is_not_kept(issue(evp, "DNS:n1.example", 0, 0), "lacks n0.example");
    unit_ok(save(0, issue(evp, "DNS:n0.example", 0, 0)));
    ck_assert(!exists("domains/n0.example"));
}
END_TEST

/* For a CSR from outside the certificate is kept without a key, and has to
 * fit the CSR's. */
START_TEST(given_csrs_keep_no_key)
{
    EVP_PKEY *evp = fix_evp("RSA", pool);
    json_t *meta;

    give_csr(0, fix_key(evp, pool));
    is_not_kept(issue(fix_evp("RSA", pool), "DNS:n0.example", 0, 0), "key");
    unit_ok(save(0, issue(evp, "DNS:n0.example", 0, 0)));
    ck_assert(exists("domains/n0.example/current/fullchain.pem"));
    ck_assert(!exists("domains/n0.example/current/key.pem"));
    unit_ok(store_certificate_meta(&meta, store, "n0.example", &err, pool));
    ck_assert_str_eq(member(meta, "key_type"), "RSA-2048");
}
END_TEST

Suite *keeper_certificate_suite(void);
Suite *keeper_certificate_suite(void)
{
    Suite *suite = suite_create("keeper_certificate");
    TCase *tc = desk_case(suite, "certificates", cert_setup);

    tcase_add_test(tc, good_chains_are_kept);
    tcase_add_test(tc, kept_keys_are_private);
    tcase_add_test(tc, kept_chains_are_live);
    tcase_add_test(tc, kept_chains_may_wait);
    tcase_add_test(tc, must_staple_waits);
    tcase_add_test(tc, other_chains_are_not_live);
    tcase_add_test(tc, other_keys_are_not_kept);
    tcase_add_test(tc, other_names_are_not_kept);
    tcase_add_test(tc, other_times_are_not_kept);
    tcase_add_test(tc, other_blocks_are_not_kept);
    tcase_add_test(tc, other_jobs_keep_no_certificate);
    tcase_add_test(tc, dry_runs_keep_nothing);
    tcase_add_test(tc, given_csrs_keep_no_key);
    return suite;
}
