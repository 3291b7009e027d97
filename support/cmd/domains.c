/*
 * domains.c: managed domains, their CAs and the hosts that use them, read
 * from the configuration's document; and the plan made of them.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define ROOTS_MAX (1024 * 1024)
#define DIRECTORY_FRESH apr_time_from_sec(24 * 3600)

/* Failures at one CA before the next of ACMECertificateAuthority's list is
 * asked. */
#define FAILOVER_AFTER 10

json_t *cmd_domain_named(cmd_t *cmd, const char *given)
{
    const char *name;
    json_t *domain;

    if (base_name_check(&name, given, 1, &cmd->err, cmd->pool)
        != APR_SUCCESS) {
        return NULL;
    }
    domain = cmd_domain_find(cmd, name);
    if (!domain) {
        base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_USAGE,
                     "%s is not a managed domain: add \"ACMEDomain %s\" to "
                     "httpd's configuration", name, name);
    }
    return domain;
}

apr_status_t cmd_domains_named(cmd_t *cmd, apr_array_header_t **pdomains)
{
    json_t *seen = base_json_own(json_object(), cmd->pool);
    int i;

    *pdomains = apr_array_make(cmd->pool, cmd->args->nelts + 1,
                               sizeof(const json_t *));
    for (i = 0; i < cmd->args->nelts; i++) {
        const json_t *domain = cmd_domain_named(cmd,
            APR_ARRAY_IDX(cmd->args, i, const char *));

        if (!domain) {
            return cmd->err.status;
        }
        if (!json_object_get(seen, cmd_domain_name(domain))) {
            json_object_set_new(seen, cmd_domain_name(domain), json_true());
            APR_ARRAY_PUSH(*pdomains, const json_t *) = domain;
        }
    }
    return APR_SUCCESS;
}

const char *cmd_domain_name(const json_t *domain)
{
    return json_string_value(json_object_get(domain, "name"));
}

apr_array_header_t *cmd_strings(const json_t *array, apr_pool_t *pool)
{
    apr_array_header_t *strings = apr_array_make(pool, 4,
                                                 sizeof(const char *));
    json_t *item;
    size_t i;

    json_array_foreach(array, i, item) {
        APR_ARRAY_PUSH(strings, const char *) = json_string_value(item);
    }
    return strings;
}

json_t *cmd_domain_find(const cmd_t *cmd, const char *name)
{
    json_t *domain;
    json_t *item;
    size_t i;
    size_t k;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        json_array_foreach(json_object_get(domain, "names"), k, item) {
            if (strcasecmp(json_string_value(item), name) == 0) {
                return domain;
            }
        }
    }
    return NULL;
}

json_t *cmd_domain_users(const cmd_t *cmd, const json_t *domain)
{
    const json_t *hosts = json_object_get(cmd->config, "virtual_hosts");
    json_t *users = json_array();
    json_t *index;
    size_t i;

    json_array_foreach(json_object_get(domain, "virtual_hosts"), i, index) {
        json_t *host = json_array_get(hosts,
                                      (size_t)json_integer_value(index));

        if (json_is_true(json_object_get(host, "ssl"))
            && !json_is_true(json_object_get(host, "certificate_file"))) {
            json_array_append_new(users, json_pack(
                "{s:O, s:O}", "file", json_object_get(host, "file"),
                "line", json_object_get(host, "line")));
        }
    }
    return users;
}

const char *cmd_domain_ca(const json_t *domain, int failures)
{
    const json_t *cas = json_object_get(json_object_get(domain, "settings"),
                                        "ca");
    size_t n = json_array_size(cas);

    return json_string_value(json_array_get(
        cas, (size_t)(failures / FAILOVER_AFTER) % n));
}

json_t *cmd_ca_settings(const cmd_t *cmd, const char *url)
{
    json_t *domain;
    json_t *ca;
    size_t i;
    size_t k;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        json_t *settings = json_object_get(domain, "settings");

        json_array_foreach(json_object_get(settings, "ca"), k, ca) {
            if (strcmp(json_string_value(ca), url) == 0) {
                return settings;
            }
        }
    }
    return NULL;
}

worker_plan_t *cmd_plan_make(cmd_t *cmd)
{
    worker_plan_t *plan = apr_pcalloc(cmd->pool, sizeof(*plan));

    plan->cas = apr_array_make(cmd->pool, 2, sizeof(acme_ca_t));
    plan->jobs = apr_array_make(cmd->pool, 8, sizeof(worker_job_t));
    plan->user_agent = "mod_acme/" ACMECTL_VERSION " acmectl";
    plan->user = WORKER_USER;
    return plan;
}

void cmd_plan_run(cmd_t *cmd, keeper_t **pkeeper, const worker_plan_t *plan,
                  keeper_options_t *options)
{
    /* What is lost with the worker stands in each job's result. */
    acme_err_t lost = { 0 };

    options->plan = plan;
    options->store = cmd->store;
    options->schemas = cmd->schemas;
    options->clock = cmd->clock;
    *pkeeper = keeper_make(options, cmd->pool);
    worker_run(plan, keeper_host(*pkeeper), &lost, cmd->pool);
}

/** ACMECACertificateFile, whatever links lead to it. */
static apr_status_t read_roots(const char **proots, const char *path,
                               acme_err_t *err, apr_pool_t *pool)
{
    char real[PATH_MAX];
    apr_size_t len;
    char *text;
    apr_status_t rv;

    rv = base_file_read(&text, &len, realpath(path, real) ? real : path,
                        ROOTS_MAX, err, pool);
    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "ACMECACertificateFile");
    }
    *proots = text;
    return APR_SUCCESS;
}

/** What the store knows of the CA: our account, its directory. */
static void add_kept(cmd_t *cmd, acme_ca_t *ca)
{
    acme_err_t ignored = { 0 };
    json_t *directory;
    apr_time_t fetched;
    apr_time_t age;
    json_t *account;

    if (store_account_read(&account, cmd->store, ca->url, &ignored,
                           cmd->pool) == APR_SUCCESS) {
        ca->account = json_string_value(json_object_get(account, "url"));
    }
    if (store_directory_read(&directory, &fetched, cmd->store, ca->url,
                             &ignored, cmd->pool) == APR_SUCCESS) {
        age = cmd->clock->wall(cmd->clock) - fetched;
        ca->directory = age >= 0 && age < DIRECTORY_FRESH ? directory : NULL;
    }
}

/** Everything that is known of the CA url. */
static apr_status_t make_ca(cmd_t *cmd, acme_ca_t *ca, const char *url,
                            const json_t *settings, acme_err_t *err)
{
    const char *roots = json_string_value(
        json_object_get(settings, "ca_certificate_file"));

    memset(ca, 0, sizeof(*ca));
    ca->url = url;
    ca->agreement = json_is_true(json_object_get(settings, "agreement"));
    ca->contact = cmd_strings(json_object_get(settings, "contact"),
                              cmd->pool);
    add_kept(cmd, ca);
    return roots ? read_roots(&ca->roots, roots, err, cmd->pool)
                 : APR_SUCCESS;
}

apr_status_t cmd_plan_ca(cmd_t *cmd, worker_plan_t *plan, const char *url,
                         const json_t *settings, int *pindex,
                         acme_err_t *err)
{
    acme_ca_t ca;
    apr_status_t rv;
    int i;

    for (i = 0; i < plan->cas->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(plan->cas, i, acme_ca_t).url, url) == 0) {
            *pindex = i;
            return APR_SUCCESS;
        }
    }
    rv = make_ca(cmd, &ca, url, settings, err);
    if (rv == APR_SUCCESS) {
        *pindex = plan->cas->nelts;
        APR_ARRAY_PUSH(plan->cas, acme_ca_t) = ca;
    }
    return rv;
}
