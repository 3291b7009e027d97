/*
 * revoke.c: acmectl revoke NAME | --cert FILE [--key FILE]
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** RFC 5280 5.3.1, those that a certificate's owner may give. */
static const struct {
    const char *name;
    int code;
} reasons[] = {
    { "unspecified", 0 },
    { "keyCompromise", 1 },
    { "affiliationChanged", 3 },
    { "superseded", 4 },
    { "cessationOfOperation", 5 }
};

/** One certificate to revoke. */
typedef struct target_t {
    const char *name;           /**< for people: domain or file */
    const char *id;             /**< nullable: its id in the store */
    json_t *meta;               /**< nullable: likewise */
    crypto_cert_t *cert;
    crypto_cert_info_t info;
    const char *ca;             /**< directory URL */
} target_t;

static apr_status_t parse_reason(cmd_t *cmd, int *preason)
{
    const char *name = cmd->options.reason;
    apr_size_t i;

    *preason = ACME_REASON_NONE;
    if (!name) {
        return APR_SUCCESS;
    }
    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcasecmp(name, reasons[i].name) == 0) {
            *preason = reasons[i].code;
            return APR_SUCCESS;
        }
    }
    return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                        "--reason \"%s\" is not known; use unspecified, "
                        "keyCompromise, affiliationChanged, superseded or "
                        "cessationOfOperation", name);
}

static apr_status_t read_cert(cmd_t *cmd, target_t *target, const char *pem,
                              apr_size_t len)
{
    apr_array_header_t *certs;
    apr_status_t rv;

    rv = crypto_chain_read(&certs, pem, len, &cmd->err, cmd->pool);
    if (rv == APR_SUCCESS) {
        target->cert = APR_ARRAY_IDX(certs, 0, crypto_cert_t *);
        rv = crypto_cert_info(&target->info, target->cert, &cmd->err,
                              cmd->pool);
    }
    return rv == APR_SUCCESS ? rv : base_err_wrap(&cmd->err, "%s",
                                                  target->name);
}

/** The certificates that the store keeps for domain. */
static apr_status_t targets_of_domain(cmd_t *cmd, const json_t *domain,
                                      apr_array_header_t *targets)
{
    apr_array_header_t *certificates = apr_array_make(cmd->pool, 2,
                                                      sizeof(void *));
    int i;

    cmd_certificates_of(cmd, domain, NULL, certificates);
    for (i = 0; i < certificates->nelts; i++) {
        cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                             cmd_certificate_t *);
        target_t *target;
        apr_size_t len;
        char *pem;

        if (!c->meta) {
            continue;
        }
        target = apr_array_push(targets);
        memset(target, 0, sizeof(*target));
        target->name = cmd_domain_name(domain);
        target->id = c->id;
        target->meta = (json_t *)c->meta;
        target->ca = json_string_value(json_object_get(c->meta, "ca"));
        if (store_certificate_file(&pem, &len, cmd->store, c->id, "cert.pem",
                                   &cmd->err, cmd->pool) != APR_SUCCESS
            || read_cert(cmd, target, pem, len) != APR_SUCCESS) {
            return cmd->err.status;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t targets_by_name(cmd_t *cmd, apr_array_header_t *targets)
{
    const char *name = APR_ARRAY_IDX(cmd->args, 0, const char *);
    json_t *domain = cmd_domain_find(cmd, name);

    if (!domain) {
        return base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_USAGE,
                            "%s is not a managed domain; a certificate that "
                            "is not managed here is revoked by --cert FILE",
                            name);
    }
    if (targets_of_domain(cmd, domain, targets) == APR_SUCCESS
        && targets->nelts == 0) {
        base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_FAILED,
                     "there is no certificate for %s in the store", name);
    }
    return cmd->err.status;
}

/** Find the store's copy of target's certificate: it tells CA and id. */
static void match_store(cmd_t *cmd, target_t *target)
{
    apr_array_header_t *all = apr_array_make(cmd->pool, 16, sizeof(void *));
    json_t *domain;
    size_t i;
    int k;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        cmd_certificates_of(cmd, domain, NULL, all);
    }
    for (k = 0; k < all->nelts; k++) {
        cmd_certificate_t *c = APR_ARRAY_IDX(all, k, cmd_certificate_t *);
        const char *sha256 = json_string_value(json_object_get(c->meta,
                                                               "sha256"));

        if (sha256 && strcmp(sha256, target->info.sha256) == 0) {
            target->id = c->id;
            target->meta = (json_t *)c->meta;
            target->ca = json_string_value(json_object_get(c->meta, "ca"));
        }
    }
}

/** The CA of a domain that has one of the certificate's names; else the
 *  only CA of the configuration. */
static void guess_ca(cmd_t *cmd, target_t *target)
{
    json_t *domains = json_object_get(cmd->config, "domains");
    json_t *domain = NULL;
    size_t k;
    int i;

    for (i = 0; !domain && i < target->info.names->nelts; i++) {
        domain = cmd_domain_find(cmd, APR_ARRAY_IDX(target->info.names, i,
                                                    const char *));
    }
    if (domain) {
        target->ca = cmd_domain_ca(domain, 0);
        return;
    }
    json_array_foreach(domains, k, domain) {
        const char *ca = cmd_domain_ca(domain, 0);

        if (target->ca && strcmp(target->ca, ca) != 0) {
            target->ca = NULL;
            return;
        }
        target->ca = ca;
    }
}

static apr_status_t target_by_file(cmd_t *cmd, apr_array_header_t *targets)
{
    target_t *target = apr_array_push(targets);
    char real[PATH_MAX];
    apr_size_t len;
    char *pem;

    memset(target, 0, sizeof(*target));
    target->name = cmd->options.cert;
    if (base_file_read(&pem, &len, realpath(cmd->options.cert, real)
                       ? real : cmd->options.cert, CRYPTO_CHAIN_MAX,
                       &cmd->err, cmd->pool) != APR_SUCCESS
        || read_cert(cmd, target, pem, len) != APR_SUCCESS) {
        cmd->err.exit = BASE_EXIT_USAGE;
        return cmd->err.status;
    }
    match_store(cmd, target);
    if (!target->ca) {
        guess_ca(cmd, target);
    }
    if (!target->ca) {
        return base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_USAGE,
                            "which CA issued %s is not known here: put an "
                            "ACMEDomain with its names and its CA into the "
                            "configuration", cmd->options.cert);
    }
    return APR_SUCCESS;
}

/** 1 if the store has an account's key for ca. Its text is gone, wiped,
 *  before the net worker is forked. */
static int has_account_key(cmd_t *cmd, const char *ca)
{
    acme_err_t none = { 0 };
    apr_pool_t *pool;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    apr_pool_create(&pool, cmd->pool);
    rv = store_account_key_read(&pem, &len, cmd->store, ca, &none, pool);
    apr_pool_destroy(pool);
    return !APR_STATUS_IS_ENOENT(rv);
}

/** Only who ordered the certificate can revoke it without its key: a new
 *  account could not, so none is made. */
static apr_status_t need_account(cmd_t *cmd, const target_t *target)
{
    if (!cmd->options.key && !has_account_key(cmd, target->ca)) {
        base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_FAILED,
                     "the store has no account at %s that could revoke %s; "
                     "give the certificate's own key with --key FILE",
                     target->ca, target->name);
    }
    return cmd->err.status;
}

static apr_status_t plan_target(cmd_t *cmd, worker_plan_t *plan,
                                keeper_job_t *kj, target_t *target,
                                int reason)
{
    worker_job_t *wj = apr_array_push(plan->jobs);
    crypto_key_t *public_key;
    unsigned char *der;
    apr_size_t len;
    char real[PATH_MAX];

    memset(wj, 0, sizeof(*wj));
    wj->kind = WORKER_REVOKE;
    wj->revoke.name = target->name;
    wj->revoke.reason = reason;
    wj->revoke.by_certificate_key = cmd->options.key != NULL;
    if (cmd_plan_ca(cmd, plan, target->ca, cmd_ca_settings(cmd, target->ca),
                    &wj->ca, &cmd->err) != APR_SUCCESS
        || crypto_cert_der(&der, &len, target->cert, &cmd->err, cmd->pool)
           != APR_SUCCESS
        || crypto_cert_key(&public_key, target->cert, &cmd->err, cmd->pool)
           != APR_SUCCESS) {
        return cmd->err.status;
    }
    wj->revoke.certificate = base_b64url_encode(der, len, cmd->pool);
    if (cmd->options.key) {
        kj->revoke_key_file = apr_pstrdup(cmd->pool,
                                          realpath(cmd->options.key, real)
                                          ? real : cmd->options.key);
        kj->revoke_public = public_key;
    }
    return APR_SUCCESS;
}

/** Mark the kept certificate, so that it counts as due. */
static void mark_revoked(cmd_t *cmd, const target_t *target)
{
    apr_time_t now = cmd->clock->wall(cmd->clock);

    json_object_set_new(cmd->result, "changed", json_true());
    if (!target->id) {
        return;
    }
    json_object_set_new(target->meta, "revoked",
                        json_string(base_time_text(now, cmd->pool)));
    store_certificate_meta_write(cmd->store, target->id, target->meta,
                                 &cmd->err, cmd->pool);
    cmd_note(cmd, "httpd still serves the revoked certificate; \"acmectl "
             "renew %s\" gets a new one", target->name);
}

/** Let httpd show it. */
static void report(cmd_t *cmd, const target_t *target,
                   const acme_result_t *result)
{
    apr_array_header_t *certificates = apr_array_make(cmd->pool, 2,
                                                      sizeof(void *));
    const json_t *domain = target->id ? cmd_domain_find(cmd, target->name)
                                      : NULL;
    acme_err_t ignored = { 0 };
    json_t *ledger;

    cmd_report_end(cmd, NULL, target->ca, result);
    if (domain && store_ledger_read(&ledger, cmd->store, &ignored, cmd->pool)
                  == APR_SUCCESS) {
        cmd_certificates_of(cmd, domain, ledger, certificates);
        cmd_report(cmd, certificates);
    }
}

static json_t *result_json(const target_t *target,
                           const acme_result_t *result)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:f}",
                               "name", target->name,
                               "serial", target->info.serial,
                               "result", result->err.status == APR_SUCCESS
                               ? "revoked" : "failed",
                               "requests", result->requests,
                               "seconds", (double)result->elapsed
                                          / APR_USEC_PER_SEC);

    json_object_set_new(object, "error", result->err.status == APR_SUCCESS
                        ? json_null() : cmd_error_json(&result->err));
    return object;
}

static void collect(cmd_t *cmd, const keeper_t *keeper,
                    const apr_array_header_t *targets)
{
    json_t *results = json_array();
    acme_err_t first = { 0 };
    int failed = 0;
    int i;

    json_object_set_new(cmd->result, "results", results);
    for (i = 0; i < targets->nelts; i++) {
        const target_t *target = &APR_ARRAY_IDX(targets, i, target_t);
        const acme_result_t *result = &keeper_outcome(keeper, i)->result;

        json_array_append_new(results, result_json(target, result));
        if (result->err.status == APR_SUCCESS) {
            mark_revoked(cmd, target);
        }
        else if (failed++ == 0) {
            first = result->err;
        }
        report(cmd, target, result);
    }
    cmd->exit = cmd_exit_for(failed, targets->nelts, &first);
}

static void run(cmd_t *cmd, apr_array_header_t *targets, int reason)
{
    worker_plan_t *plan = cmd_plan_make(cmd);
    keeper_job_t *jobs = apr_pcalloc(cmd->pool, sizeof(*jobs)
                                     * (apr_size_t)targets->nelts);
    keeper_options_t options = { 0 };
    keeper_t *keeper;
    int i;

    for (i = 0; i < targets->nelts; i++) {
        target_t *target = &APR_ARRAY_IDX(targets, i, target_t);

        if (need_account(cmd, target) != APR_SUCCESS
            || plan_target(cmd, plan, &jobs[i], target, reason)
               != APR_SUCCESS) {
            return;
        }
    }
    options.jobs = jobs;
    cmd_plan_run(cmd, &keeper, plan, &options);
    collect(cmd, keeper, targets);
}

void cmd_revoke(cmd_t *cmd)
{
    apr_array_header_t *targets = apr_array_make(cmd->pool, 2,
                                                 sizeof(target_t));
    apr_status_t rv;
    int reason;

    if (cmd->args->nelts != (cmd->options.cert ? 0 : 1)) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "revoke needs one name, or --cert FILE");
        return;
    }
    if (cmd->options.key && !cmd->options.cert) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "--key goes with --cert");
        return;
    }
    if (parse_reason(cmd, &reason) != APR_SUCCESS
        || cmd_begin(cmd) != APR_SUCCESS
        || cmd_open_store(cmd, 1) != APR_SUCCESS) {
        return;
    }
    rv = cmd->options.cert ? target_by_file(cmd, targets)
                           : targets_by_name(cmd, targets);
    if (rv == APR_SUCCESS) {
        run(cmd, targets, reason);
    }
}
