/*
 * renew.c: acmectl renew [NAME…] [--force] [--dry-run]
 */
#include <string.h>

#include "cmd/internal.h"

/** 1 if renew without names takes care of domain. */
static int is_automatic(const json_t *domain)
{
    const char *mode = json_string_value(json_object_get(
        json_object_get(domain, "settings"), "renew_mode"));

    if (strcmp(mode, "auto") == 0) {
        return json_array_size(json_object_get(domain,
                                               "virtual_hosts")) > 0;
    }
    return strcmp(mode, "always") == 0;
}

void cmd_certificates_automatic(cmd_t *cmd, const json_t *ledger,
                                apr_array_header_t *certificates,
                                apr_array_header_t *others)
{
    json_t *domain;
    size_t i;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        apr_array_header_t *list = is_automatic(domain) ? certificates
                                                        : others;

        if (list) {
            cmd_certificates_of(cmd, domain, ledger, list);
        }
    }
}

static apr_status_t add_named(cmd_t *cmd, const json_t *ledger,
                              apr_array_header_t *certificates)
{
    apr_array_header_t *domains;
    int i;

    if (cmd_domains_named(cmd, &domains) != APR_SUCCESS) {
        return cmd->err.status;
    }
    for (i = 0; i < domains->nelts; i++) {
        cmd_certificates_of(cmd, APR_ARRAY_IDX(domains, i, const json_t *),
                            ledger, certificates);
    }
    return APR_SUCCESS;
}

void cmd_renew(cmd_t *cmd)
{
    apr_array_header_t *certificates = apr_array_make(cmd->pool, 16,
                                                      sizeof(void *));
    json_t *ledger;

    if (cmd_begin(cmd) != APR_SUCCESS
        || cmd_open_store(cmd, 1) != APR_SUCCESS
        || cmd_read_ledger(cmd, &ledger) != APR_SUCCESS) {
        return;
    }
    if (cmd->args->nelts > 0) {
        if (add_named(cmd, ledger, certificates) != APR_SUCCESS) {
            return;
        }
    }
    else {
        cmd_certificates_automatic(cmd, ledger, certificates, NULL);
    }
    cmd_certificates_run(cmd, certificates, ledger);
}
