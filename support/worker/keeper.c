/*
 * keeper.c: the host of production. It holds the keys and the store, and
 * decides again whatever the engine asks for:
 *
 *   sign              only URLs of the CA's own origin; the account's own
 *                     name (kid) is ours, not the caller's
 *   csr               only the names of the plan, a key of our own
 *   challenge_put     only names of the plan, only tokens of their alphabet
 *   certificate_save  only a chain that fits key, names and dates
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "acme_live.h"
#include "worker/worker.h"

/** Our account at a CA, read when it is first needed. */
typedef struct account_t {
    crypto_key_t *key;
    const char *url;           /**< NULL until the account is known */
    const char *thumbprint;
} account_t;

struct keeper_t {
    acme_host_t host;
    keeper_options_t options;
    account_t *accounts;             /**< one a CA */
    keeper_outcome_t *outcomes;      /**< one a job */
    const char **order_urls;         /**< one a job: of the kept order */
    live_writer_t *live;             /**< opened when first needed */
    apr_pool_t *pool;
};

#define KEEPER(h) ((keeper_t *)(h))

static const acme_ca_t *plan_ca(const keeper_t *keeper, int ca)
{
    return &APR_ARRAY_IDX(keeper->options.plan->cas, ca, acme_ca_t);
}

static const worker_job_t *plan_job(const keeper_t *keeper, int job)
{
    return &APR_ARRAY_IDX(keeper->options.plan->jobs, job, worker_job_t);
}

/* ------------------------------------------------------------ account key */

/** Make the account's key and keep it before any CA hears of it. */
static apr_status_t account_key_make(keeper_t *keeper, const char *ca,
                                     crypto_key_t **pkey, acme_err_t *err)
{
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    /* RFC 8555 6.2: ES256 is what every server has to take. */
    rv = crypto_key_generate(pkey, CRYPTO_P256, err, keeper->pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_write(&pem, &len, *pkey, err, keeper->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_account_key_write(keeper->options.store, ca, pem, len,
                                     err, keeper->pool);
    }
    return rv;
}

static apr_status_t account_key(keeper_t *keeper, int ca, account_t **pacct,
                                acme_err_t *err)
{
    account_t *account = &keeper->accounts[ca];
    const char *url = plan_ca(keeper, ca)->url;
    acme_err_t found = { 0 };
    crypto_key_t *key;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    *pacct = account;
    if (account->key) {
        return APR_SUCCESS;
    }
    rv = store_account_key_read(&pem, &len, keeper->options.store, url,
                                &found, keeper->pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        rv = account_key_make(keeper, url, &key, err);
    }
    else if (rv == APR_SUCCESS) {
        rv = crypto_key_read(&key, pem, len, err, keeper->pool);
    }
    else {
        *err = found;
    }
    if (rv == APR_SUCCESS) {
        rv = crypto_jwk_thumbprint(&account->thumbprint, key, err,
                                   keeper->pool);
    }
    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "the account's key for %s", url);
    }
    account->key = key;
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------- sign */

static apr_status_t sign_bytes(void *baton, const void *data, apr_size_t len,
                               unsigned char **psig, apr_size_t *psig_len,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    return crypto_sign(psig, psig_len, baton, data, len, err, result_pool);
}

/** The key of a certificate that is to be revoked. Read only now: the net
 *  worker was forked before. */
static apr_status_t revoke_key(keeper_t *keeper, int job,
                               const crypto_key_t **pkey, acme_err_t *err)
{
    const keeper_job_t *kj = job < 0 ? NULL : &keeper->options.jobs[job];
    crypto_key_t *key;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    if (!kj || !kj->revoke_key_file) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "no certificate's key signs here");
    }
    rv = base_file_read(&pem, &len, kj->revoke_key_file, CRYPTO_CHAIN_MAX,
                        err, keeper->pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_read(&key, pem, len, err, keeper->pool);
    }
    if (rv != APR_SUCCESS) {
        err->exit = BASE_EXIT_USAGE;
        return base_err_wrap(err, "the key %s", kj->revoke_key_file);
    }
    if (!crypto_key_equal(key, kj->revoke_public)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "the key %s is not the certificate's; give the "
                            "key that the certificate was made for",
                            kj->revoke_key_file);
    }
    *pkey = key;
    return APR_SUCCESS;
}

/** The key that signs, and the account's URL where it is named by it. */
static apr_status_t pick_key(keeper_t *keeper, const acme_sign_t *sign,
                             const crypto_key_t **pkey, const char **pkid,
                             acme_err_t *err)
{
    account_t *account;
    apr_status_t rv;

    *pkid = NULL;
    if (sign->signer == ACME_SIGN_CERTIFICATE) {
        return revoke_key(keeper, sign->job, pkey, err);
    }
    rv = account_key(keeper, sign->ca, &account, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pkey = account->key;
    if (sign->signer == ACME_SIGN_ACCOUNT) {
        *pkid = account->url ? account->url
                             : plan_ca(keeper, sign->ca)->account;
        if (!*pkid) {
            return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                                "there is no account yet to sign for");
        }
    }
    return APR_SUCCESS;
}

static apr_status_t keeper_sign(acme_host_t *host, const acme_sign_t *sign,
                                const char **pjws, acme_err_t *err,
                                apr_pool_t *result_pool)
{
    keeper_t *keeper = KEEPER(host);
    const char *ca = plan_ca(keeper, sign->ca)->url;
    const crypto_key_t *key = NULL;
    json_t *jwk = NULL;
    const char *kid;
    apr_status_t rv;

    if (!base_url_same_origin(ca, sign->url)) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "refused to sign a request to %s: it is not of "
                            "the CA %s", sign->url, ca);
    }
    rv = pick_key(keeper, sign, &key, &kid, err);
    if (rv == APR_SUCCESS && !kid) {
        rv = crypto_jwk(&jwk, key, err, result_pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return acme_jws_make(pjws, sign, crypto_sign_alg(key), kid, jwk,
                         sign_bytes, (void *)key, keeper->options.schemas,
                         err, result_pool);
}

/* -------------------------------------------------------------------- csr */

/** The key of an order: kept by an earlier run, or made and kept now. */
static apr_status_t order_key(keeper_t *keeper, int job, crypto_key_t **pkey,
                              acme_err_t *err, apr_pool_t *pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    acme_err_t none = { 0 };
    crypto_key_type_t type;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    rv = crypto_key_type_parse(&type, kj->key_type);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "\"%s\" is no key type", kj->key_type);
    }
    if (store_order_key_read(&pem, &len, keeper->options.store, kj->id,
                             &none, pool) == APR_SUCCESS
        && crypto_key_read(pkey, pem, len, &none, pool) == APR_SUCCESS
        && crypto_key_type(*pkey) == type) {
        return APR_SUCCESS;
    }
    rv = crypto_key_generate(pkey, type, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_write(&pem, &len, *pkey, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_order_key_write(keeper->options.store, kj->id, pem, len,
                                   err, pool);
    }
    return rv;
}

/** RFC 8555 11.1: an account's key must never certify a name. */
static apr_status_t refuse_account_key(keeper_t *keeper, int ca,
                                       const crypto_key_t *key,
                                       acme_err_t *err)
{
    account_t *account;
    apr_status_t rv = account_key(keeper, ca, &account, err);

    if (rv == APR_SUCCESS && crypto_key_equal(account->key, key)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CSR is made with the account's key; make "
                            "one with a key of its own (RFC 8555 11.1)");
    }
    return rv;
}

static apr_status_t keeper_csr(acme_host_t *host, int job, const char **pcsr,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    keeper_t *keeper = KEEPER(host);
    const keeper_job_t *kj = &keeper->options.jobs[job];
    const worker_job_t *wj = plan_job(keeper, job);
    apr_array_header_t *names;
    unsigned char *der;
    crypto_key_t *key;
    apr_size_t len;
    apr_status_t rv;

    if (wj->kind != WORKER_ORDER) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "job %d has no CSR", job);
    }
    if (kj->csr) {
        rv = crypto_csr_read(&der, &len, &names, &key, kj->csr, kj->csr_len,
                             err, result_pool);
    }
    else {
        rv = order_key(keeper, job, &key, err, result_pool);
        if (rv == APR_SUCCESS) {
            rv = crypto_csr_make(&der, &len, key, wj->order.names, err,
                                 result_pool);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = refuse_account_key(keeper, wj->ca, key, err);
    }
    if (rv == APR_SUCCESS) {
        *pcsr = base_b64url_encode(der, len, result_pool);
    }
    return rv;
}

/* ------------------------------------------------------------- challenges */

static int names_hold(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (strcasecmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t open_live(keeper_t *keeper, acme_err_t *err)
{
    const char *reason = NULL;
    apr_status_t rv;

    if (keeper->live) {
        return APR_SUCCESS;
    }
    if (!keeper->options.live) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "there is no live segment to answer challenges "
                            "with; start httpd");
    }
    rv = live_writer_open(&keeper->live, keeper->options.live, &reason,
                          keeper->pool);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "httpd cannot be told of the challenge: %s; "
                            "start httpd with mod_acme loaded",
                            reason ? reason : keeper->options.live);
    }
    return rv;
}

static apr_status_t keeper_challenge_put(acme_host_t *host, int job,
                                         const char *type,
                                         const char *identifier,
                                         const char *token,
                                         apr_time_t expires, acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const worker_job_t *wj = plan_job(keeper, job);
    account_t *account;
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    apr_status_t rv;

    if (wj->kind != WORKER_ORDER || strcmp(type, "http-01") != 0
        || !names_hold(wj->order.names, identifier)
        || !live_token_valid(token, strlen(token))) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "refused to answer a %s challenge for %s: it is "
                            "not part of this order", type, identifier);
    }
    rv = account_key(keeper, wj->ca, &account, err);
    if (rv == APR_SUCCESS) {
        rv = open_live(keeper, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* RFC 8555 8.1: token "." thumbprint of the account's key. */
    apr_snprintf(keyauth, sizeof(keyauth), "%s.%s", token,
                 account->thumbprint);
    rv = live_writer_token_put(keeper->live, token, keyauth, expires);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot put the challenge for %s into the live "
                            "segment %s%s", identifier, keeper->options.live,
                            APR_STATUS_IS_ENOSPC(rv)
                            ? ": it has room for the names that httpd was "
                              "started with; restart httpd gracefully" : "");
    }
    return rv;
}

static apr_status_t keeper_challenge_remove(acme_host_t *host, int job,
                                            const char *type,
                                            const char *token,
                                            acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    apr_status_t rv;

    (void)job;
    (void)type;
    if (!keeper->live || !live_token_valid(token, strlen(token))) {
        return APR_SUCCESS;
    }
    rv = live_writer_token_remove(keeper->live, token);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot remove a challenge from the live segment "
                            "%s; it expires by itself",
                            keeper->options.live);
    }
    return rv;
}

/* ---------------------------------------------------------------- keeping */

static apr_status_t keeper_directory_save(acme_host_t *host, int ca,
                                          const json_t *directory,
                                          acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    base_clock_t *clock = keeper->options.clock;

    return store_directory_write(keeper->options.store,
                                 plan_ca(keeper, ca)->url, directory,
                                 clock->wall(clock), err, keeper->pool);
}

static apr_status_t keeper_account_save(acme_host_t *host, int ca,
                                        const char *url,
                                        const json_t *account,
                                        acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const char *directory = plan_ca(keeper, ca)->url;
    json_t *contact = json_object_get(account, "contact");
    const char *status = json_string_value(json_object_get(account,
                                                           "status"));
    base_clock_t *clock = keeper->options.clock;
    json_t *kept;

    if (!base_url_same_origin(directory, url)) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "the CA %s gave the account URL %s, which is not "
                            "its own", directory, url);
    }
    keeper->accounts[ca].url = apr_pstrdup(keeper->pool, url);
    kept = json_pack("{s:s, s:s, s:s, s:s, s:s}", "schema", "acme-account/1",
                     "directory", directory, "url", url, "status",
                     status ? status : "valid", "checked",
                     base_time_text(clock->wall(clock), keeper->pool));
    base_json_own(kept, keeper->pool);
    json_object_set_new(kept, "contact", json_is_array(contact)
                                         ? json_incref(contact)
                                         : json_array());
    return store_account_write(keeper->options.store, directory, kept, err,
                               keeper->pool);
}

/** 1 if this order is kept already. What a later run needs is the order's
 *  URL alone, the rest it asks the CA; so the steps after the first cost no
 *  writing, which the whole engine would wait for. */
static int is_kept(keeper_t *keeper, int job, const json_t *state)
{
    const char *url = json_string_value(json_object_get(state, "url"));
    const char *kept = keeper->order_urls[job];

    return url && kept && strcmp(url, kept) == 0;
}

static apr_status_t keeper_order_save(acme_host_t *host, int job,
                                      const json_t *state, acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const char *id = keeper->options.jobs[job].id;
    apr_status_t rv;
    apr_pool_t *pool;

    if (!id || (state && is_kept(keeper, job, state))) {
        return APR_SUCCESS;
    }
    keeper->order_urls[job] = NULL;
    apr_pool_create(&pool, keeper->pool);
    rv = state ? store_order_write(keeper->options.store, id, state, err,
                                   pool)
               : store_order_remove(keeper->options.store, id, err, pool);
    apr_pool_destroy(pool);
    if (rv == APR_SUCCESS && state) {
        keeper->order_urls[job] = apr_pstrdup(keeper->pool, json_string_value(
            json_object_get(state, "url")));
    }
    return rv;
}

/** What is remembered of a certificate: schemas/state/certificate.json. */
static json_t *make_meta(keeper_t *keeper, int job,
                         const crypto_cert_info_t *info, apr_pool_t *pool)
{
    const worker_job_t *wj = plan_job(keeper, job);
    base_clock_t *clock = keeper->options.clock;
    json_t *names = json_array();
    json_t *meta;
    int i;

    for (i = 0; i < wj->order.names->nelts; i++) {
        json_array_append_new(names, json_string(
            APR_ARRAY_IDX(wj->order.names, i, const char *)));
    }
    meta = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
                     " s:s}",
                     "schema", "acme-certificate/1",
                     "name", wj->order.name, "names", names,
                     "key_type", info->key_type,
                     "ca", plan_ca(keeper, wj->ca)->url,
                     "issuer", info->issuer, "serial", info->serial,
                     "sha256", info->sha256,
                     "not_before", base_time_text(info->not_before, pool),
                     "not_after", base_time_text(info->not_after, pool),
                     "issued", base_time_text(clock->wall(clock), pool));
    return base_json_own(meta, pool);
}

static apr_status_t chain_pem(const char **ptext, const apr_array_header_t *c,
                              acme_err_t *err, apr_pool_t *pool)
{
    const char *text = "";
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 1; rv == APR_SUCCESS && i < c->nelts; i++) {
        char *pem;

        rv = crypto_cert_pem(&pem, APR_ARRAY_IDX(c, i, crypto_cert_t *), err,
                             pool);
        if (rv == APR_SUCCESS) {
            text = apr_pstrcat(pool, text, pem, NULL);
        }
    }
    *ptext = text;
    return rv;
}

/** The key that a job's certificate must fit.
 *  @param pkey_pem  its text where we keep it, else NULL */
static apr_status_t job_key(keeper_t *keeper, int job, crypto_key_t **pkey,
                            const char **pkey_pem, acme_err_t *err,
                            apr_pool_t *pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    apr_array_header_t *names;
    unsigned char *der;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    *pkey_pem = NULL;
    if (kj->csr) {
        return crypto_csr_read(&der, &len, &names, pkey, kj->csr,
                               kj->csr_len, err, pool);
    }
    rv = store_order_key_read(&pem, &len, keeper->options.store, kj->id, err,
                              pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_read(pkey, pem, len, err, pool);
    }
    if (rv == APR_SUCCESS) {
        *pkey_pem = pem;
    }
    return rv;
}

/** Check a chain against what was asked for. */
static apr_status_t check_chain(keeper_t *keeper, int job, const char *pem,
                                apr_size_t len, apr_array_header_t **pcerts,
                                const char **pkey_pem, acme_err_t *err,
                                apr_pool_t *pool)
{
    base_clock_t *clock = keeper->options.clock;
    crypto_key_t *key = NULL;
    apr_status_t rv;

    rv = job_key(keeper, job, &key, pkey_pem, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_chain_read(pcerts, pem, len, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = crypto_chain_check(*pcerts, key,
                                plan_job(keeper, job)->order.names,
                                clock->wall(clock), err, pool);
    }
    return rv;
}

static apr_status_t save_chain(keeper_t *keeper, int job,
                               apr_array_header_t *certs,
                               const char *key_pem, acme_err_t *err,
                               apr_pool_t *pool)
{
    const crypto_cert_t *leaf = APR_ARRAY_IDX(certs, 0, crypto_cert_t *);
    store_certificate_t kept = { 0 };
    crypto_cert_info_t info;
    char *pem;
    apr_status_t rv;

    rv = crypto_cert_info(&info, leaf, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_cert_pem(&pem, leaf, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = chain_pem(&kept.chain, certs, err, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    kept.cert = pem;
    kept.key = key_pem;
    kept.meta = make_meta(keeper, job, &info, pool);
    return store_certificate_write(keeper->options.store,
                                   keeper->options.jobs[job].id, &kept, err,
                                   pool);
}

static apr_status_t keeper_certificate_save(acme_host_t *host, int job,
                                            const char *pem, apr_size_t len,
                                            acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const worker_job_t *wj = plan_job(keeper, job);
    apr_array_header_t *certs;
    const char *key_pem;
    apr_pool_t *pool;
    apr_status_t rv;

    if (wj->kind != WORKER_ORDER) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "job %d orders no certificate", job);
    }
    apr_pool_create(&pool, keeper->pool);
    rv = check_chain(keeper, job, pem, len, &certs, &key_pem, err, pool);
    if (rv != APR_SUCCESS) {
        base_err_wrap(err, "the certificate that %s sent for %s was not kept",
                      plan_ca(keeper, wj->ca)->url, wj->order.name);
    }
    else if (!keeper->options.jobs[job].dry_run) {
        rv = save_chain(keeper, job, certs, key_pem, err, pool);
    }
    apr_pool_destroy(pool);
    return rv;
}

/* --------------------------------------------------------------- outcomes */

static void keeper_progress(acme_host_t *host, int job, const char *step)
{
    keeper_t *keeper = KEEPER(host);

    if (keeper->options.progress) {
        keeper->options.progress(keeper->options.baton, job, step);
    }
}

static void keeper_done(acme_host_t *host, int job,
                        const acme_result_t *result)
{
    keeper_t *keeper = KEEPER(host);

    keeper->outcomes[job].done = 1;
    keeper->outcomes[job].result = *result;
    if (keeper->options.ended) {
        keeper->options.ended(keeper->options.baton, job);
    }
}

const keeper_outcome_t *keeper_outcome(const keeper_t *keeper, int job)
{
    return &keeper->outcomes[job];
}

acme_host_t *keeper_host(keeper_t *keeper)
{
    return &keeper->host;
}

keeper_t *keeper_make(const keeper_options_t *options,
                      apr_pool_t *result_pool)
{
    keeper_t *keeper = apr_pcalloc(result_pool, sizeof(*keeper));
    int cas = options->plan->cas->nelts;
    int jobs = options->plan->jobs->nelts;

    keeper->options = *options;
    keeper->pool = result_pool;
    keeper->accounts = apr_pcalloc(result_pool, (apr_size_t)(cas + 1)
                                                * sizeof(account_t));
    keeper->outcomes = apr_pcalloc(result_pool, (apr_size_t)(jobs + 1)
                                                * sizeof(keeper_outcome_t));
    keeper->order_urls = apr_pcalloc(result_pool, (apr_size_t)(jobs + 1)
                                                  * sizeof(char *));
    keeper->host.sign = keeper_sign;
    keeper->host.csr = keeper_csr;
    keeper->host.challenge_put = keeper_challenge_put;
    keeper->host.challenge_remove = keeper_challenge_remove;
    keeper->host.directory_save = keeper_directory_save;
    keeper->host.account_save = keeper_account_save;
    keeper->host.order_save = keeper_order_save;
    keeper->host.certificate_save = keeper_certificate_save;
    keeper->host.progress = keeper_progress;
    keeper->host.done = keeper_done;
    return keeper;
}
