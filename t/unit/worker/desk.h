/*
 * desk.h: a keeper at work for the tests of keeper*.c, with a real store,
 * real keys and a clock that stands still. Evidence is made and checked
 * with OpenSSL directly.
 */
#ifndef ACME_UNIT_WORKER_DESK_H
#define ACME_UNIT_WORKER_DESK_H

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/fixture.h"
#include "rig.h"
#include "unit.h"

#define CA0 "https://ca0.example/dir"
#define NEW_ACCOUNT "https://ca0.example/new-account"
#define ORDER "https://ca0.example/order/1"
#define ACCOUNT "https://ca0.example/acct/7"
#define REVOKE "https://ca0.example/revoke"
#define TOKEN "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
#define DIRECTORY "{\"newNonce\":\"https://ca0.example/n\"," \
                  "\"newAccount\":\"https://ca0.example/a\"," \
                  "\"newOrder\":\"https://ca0.example/o\"}"
#define STATE "{\"schema\":\"acme-order/1\",\"ca\":\"" CA0 "\"," \
              "\"account\":\"" ACCOUNT "\",\"url\":\"" ORDER "\"," \
              "\"step\":\"ordered\",\"names\":[\"n0.example\"]}"

static const char *dir;
static worker_plan_t *plan;
static keeper_job_t jobs[RIG_JOBS];
static keeper_options_t options;
static store_t *store;
static keeper_t *keeper;
static acme_host_t *host;
static const char *revoke_file;
static EVP_PKEY *revoke_evp;

/* A process is started: nothing is in memory, everything in the store. */
static inline void restart(void)
{
    keeper = keeper_make(&options, pool);
    host = keeper_host(keeper);
}

static apr_status_t domains_cleanup(void *path)
{
    acme_err_t ignored = { 0 };

    return base_dir_remove(path, &ignored, pool);
}

/** Certificates lie deeper than unit_dir's clean-up goes. */
static inline void clean_domains(void)
{
    apr_pool_cleanup_register(pool, apr_pstrcat(pool, dir, "/store/domains",
                                                NULL), domains_cleanup,
                              apr_pool_cleanup_null);
}

static inline void setup(void)
{
    int i;

    unit_setup();
    dir = unit_dir();
    clean_domains();
    plan = rig_plan(2, 3, pool);
    memset(jobs, 0, sizeof(jobs));
    memset(&options, 0, sizeof(options));
    for (i = 0; i < 3; i++) {
        jobs[i].id = apr_psprintf(pool, "n%d.example", i);
        jobs[i].key_type = "P-256";
    }
    unit_ok(store_open(&store, apr_pstrcat(pool, dir, "/store", NULL), 1,
                       &err, pool));
    unit_ok(schema_set_builtin((schema_set_t **)&options.schemas, &err,
                               pool));
    options.plan = plan;
    options.jobs = jobs;
    options.store = store;
    options.clock = base_clock_manual(FIX_NOW, pool);
    restart();
}

static inline acme_ca_t *ca(int i)
{
    return &APR_ARRAY_IDX(plan->cas, i, acme_ca_t);
}

static inline worker_job_t *job(int i)
{
    return &APR_ARRAY_IDX(plan->jobs, i, worker_job_t);
}

static inline json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(json != NULL, "%s", text);
    return base_json_own(json, pool);
}

static inline int exists(const char *path)
{
    struct stat st;

    return lstat(apr_pstrcat(pool, dir, "/store/", path, NULL), &st) == 0;
}

static inline void write_file(const char *path, const char *text)
{
    unit_ok(base_file_write(path, text, strlen(text), 0600, &err, pool));
}

static inline apr_status_t evp_free(void *evp)
{
    EVP_PKEY_free(evp);
    return APR_SUCCESS;
}

static inline EVP_PKEY *own_evp(EVP_PKEY *evp)
{
    ck_assert_ptr_nonnull(evp);
    apr_pool_cleanup_register(pool, evp, evp_free, apr_pool_cleanup_null);
    return evp;
}

static inline EVP_PKEY *evp_of_pem(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *evp = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return own_evp(evp);
}

static inline EVP_PKEY *account_evp(const char *url)
{
    apr_size_t len;
    char *pem;

    unit_ok(store_account_key_read(&pem, &len, store, url, &err, pool));
    return evp_of_pem(pem);
}

static inline int has_account_key(const char *url)
{
    acme_err_t ignored = { 0 };
    apr_size_t len;
    char *pem;

    return store_account_key_read(&pem, &len, store, url, &ignored, pool)
           == APR_SUCCESS;
}

static inline const char *decode(const char *text)
{
    unsigned char *data;
    apr_size_t len;

    ck_assert_int_eq(base_b64url_decode(&data, &len, text, pool),
                     APR_SUCCESS);
    return apr_pstrmemdup(pool, (char *)data, len);
}

static inline const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* The protected header of a JWS that verifies with evp and carries
 * payload. */
static inline json_t *header_of(const char *jws, EVP_PKEY *evp,
                                const char *payload)
{
    json_t *object = parse(jws);
    const char *input = apr_pstrcat(pool, member(object, "protected"), ".",
                                    member(object, "payload"), NULL);
    unsigned char *sig;
    apr_size_t len;

    ck_assert_int_eq(base_b64url_decode(&sig, &len,
                                        member(object, "signature"), pool),
                     APR_SUCCESS);
    ck_assert_msg(fix_verify(evp, "SHA256", input, sig, len), "%s", jws);
    ck_assert_str_eq(decode(member(object, "payload")), payload);
    return parse(decode(member(object, "protected")));
}

static inline apr_status_t sign_as(acme_signer_t signer, int number, int of_job,
                                   const char *url, const char **pjws)
{
    acme_sign_t sign = { signer, number, of_job, url, "nonce-1",
                         "{\"a\":1}" };

    return host->sign(host, &sign, pjws, &err, pool);
}

static inline const char *signed_as(acme_signer_t signer, int number,
                                    int of_job, const char *url)
{
    const char *jws = NULL;

    unit_ok(sign_as(signer, number, of_job, url, &jws));
    return jws;
}

static inline void sign_fails(acme_signer_t signer, int number, int of_job,
                              const char *url, apr_status_t status,
                              const char *text)
{
    const char *jws = NULL;

    unit_fails(sign_as(signer, number, of_job, url, &jws), status, text);
    ck_assert_ptr_null(jws);
    base_err_clear(&err);
}

static inline X509_REQ *parse_req(const char *text)
{
    unsigned char *data;
    const unsigned char *at;
    apr_size_t len;
    X509_REQ *req;

    ck_assert_int_eq(base_b64url_decode(&data, &len, text, pool),
                     APR_SUCCESS);
    at = data;
    req = d2i_X509_REQ(NULL, &at, (long)len);
    ck_assert_ptr_nonnull(req);
    return req;
}

/* The public key of a CSR whose own signature verifies. */
static inline EVP_PKEY *key_of(const char *csr)
{
    X509_REQ *req = parse_req(csr);
    EVP_PKEY *evp = own_evp(X509_REQ_get_pubkey(req));

    ck_assert_int_eq(X509_REQ_verify(req, evp), 1);
    X509_REQ_free(req);
    return evp;
}

static inline const char *csr_of(int number)
{
    const char *csr = NULL;

    unit_ok(host->csr(host, number, &csr, &err, pool));
    return csr;
}

static inline void csr_fails(int number, apr_status_t status, const char *text)
{
    const char *csr = NULL;

    unit_fails(host->csr(host, number, &csr, &err, pool), status, text);
    ck_assert_ptr_null(csr);
    base_err_clear(&err);
}

static inline void give_csr(int number, const crypto_key_t *key)
{
    unsigned char *der;

    unit_ok(crypto_csr_make(&der, &jobs[number].csr_len, key,
                            job(number)->order.names, &err, pool));
    jobs[number].csr = (const char *)der;
    restart();
}

/* Job 1 is a revocation of a certificate by its key. The keeper is made
 * while the file is not there yet. */
static inline void revoke_setup(void)
{
    setup();
    revoke_file = apr_pstrcat(pool, dir, "/revoke.pem", NULL);
    revoke_evp = fix_evp("P-256", pool);
    job(1)->kind = WORKER_REVOKE;
    jobs[1].id = NULL;
    jobs[1].revoke_key_file = revoke_file;
    jobs[1].revoke_public = fix_public(revoke_evp, pool);
    restart();
}

static inline TCase *desk_case(Suite *suite, const char *name,
                               void (*fn)(void))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, fn, unit_teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    return tc;
}

#endif
