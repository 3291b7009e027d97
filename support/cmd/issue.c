/*
 * issue.c: acmectl issue NAME… [--csr FILE]
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define CSR_MAX (64 * 1024)

/** A domain that no host serves gets its certificate when it is named, and
 *  the admin is told what happens to it. */
static void note_unserved(cmd_t *cmd, const json_t *domain)
{
    const char *mode = json_string_value(json_object_get(
        json_object_get(domain, "settings"), "renew_mode"));

    if (json_array_size(json_object_get(domain, "virtual_hosts")) == 0
        && strcmp(mode, "always") != 0) {
        cmd_note(cmd, "no virtual host serves %s, so its certificate is not "
                 "renewed by itself; add a host, or ACMERenewMode always",
                 cmd_domain_name(domain));
    }
}

static apr_status_t issue_names(cmd_t *cmd, json_t *ledger)
{
    apr_array_header_t *certificates = apr_array_make(cmd->pool, 8,
                                                      sizeof(void *));
    apr_array_header_t *domains;
    int i;

    if (cmd_domains_named(cmd, &domains) != APR_SUCCESS) {
        return cmd->err.status;
    }
    for (i = 0; i < domains->nelts; i++) {
        const json_t *domain = APR_ARRAY_IDX(domains, i, const json_t *);

        note_unserved(cmd, domain);
        cmd_certificates_of(cmd, domain, ledger, certificates);
    }
    cmd_certificates_run(cmd, certificates, ledger);
    return APR_SUCCESS;
}

/** Names of a CSR must all belong to one domain. */
static apr_status_t check_csr_names(cmd_t *cmd, const json_t *domain,
                                    const apr_array_header_t *names)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (cmd_domain_find(cmd, name) != domain) {
            return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                                "the CSR %s asks for %s, which is not one "
                                "of the names of ACMEDomain %s",
                                cmd->options.csr, name,
                                cmd_domain_name(domain));
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_csr(cmd_t *cmd, cmd_order_t *order)
{
    char real[PATH_MAX];
    unsigned char *der;
    apr_size_t len;
    char *data;
    apr_status_t rv;

    rv = base_file_read(&data, &len, realpath(cmd->options.csr, real)
                        ? real : cmd->options.csr, CSR_MAX, &cmd->err,
                        cmd->pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_csr_read(&der, &order->csr_len, &order->names, NULL,
                             data, len, &cmd->err, cmd->pool);
        if (rv != APR_SUCCESS) {
            base_err_wrap(&cmd->err, "the CSR %s", cmd->options.csr);
        }
    }
    if (rv == APR_SUCCESS) {
        order->csr = (const char *)der;
        if (order->names->nelts == 0) {
            rv = base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                              "the CSR %s names nobody; put the names into "
                              "its subjectAltName", cmd->options.csr);
        }
    }
    if (rv != APR_SUCCESS) {
        cmd->err.exit = BASE_EXIT_USAGE;
    }
    return rv;
}

/** The certificate for a key that is kept elsewhere: its own id, never what
 *  httpd serves. */
static apr_status_t issue_csr(cmd_t *cmd, json_t *ledger)
{
    apr_array_header_t *orders = apr_array_make(cmd->pool, 1,
                                                sizeof(cmd_order_t));
    cmd_certificate_t *certificate = apr_pcalloc(cmd->pool,
                                                 sizeof(*certificate));
    cmd_order_t *order = apr_array_push(orders);
    json_t *domain;

    memset(order, 0, sizeof(*order));
    order->certificate = certificate;
    if (read_csr(cmd, order) != APR_SUCCESS) {
        return cmd->err.status;
    }
    domain = cmd_domain_named(cmd, APR_ARRAY_IDX(order->names, 0,
                                                 const char *));
    if (!domain || check_csr_names(cmd, domain, order->names)
                   != APR_SUCCESS) {
        return cmd->err.status;
    }
    certificate->domain = domain;
    certificate->key_type = "csr";
    certificate->id = store_certificate_id(cmd_domain_name(domain), "csr", 0,
                                           cmd->pool);
    cmd_orders_run(cmd, orders, ledger);
    if (cmd->exit == BASE_EXIT_OK) {
        cmd_note(cmd, "the certificate is %s",
                 store_certificate_path(cmd->store, certificate->id,
                                        "fullchain.pem", cmd->pool));
    }
    return APR_SUCCESS;
}

void cmd_issue(cmd_t *cmd)
{
    json_t *ledger;

    if (!cmd->options.csr == !cmd->args->nelts) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE, cmd->options.csr
                     ? "the names come from the CSR; give no others"
                     : "issue needs a name; \"acmectl renew\" gets all that "
                       "is due");
        return;
    }
    if (cmd_begin(cmd) != APR_SUCCESS
        || cmd_open_store(cmd, 1) != APR_SUCCESS
        || cmd_read_ledger(cmd, &ledger) != APR_SUCCESS) {
        return;
    }
    if (cmd->options.csr) {
        issue_csr(cmd, ledger);
    }
    else {
        issue_names(cmd, ledger);
    }
}
