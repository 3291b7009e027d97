/*
 * targets.c: what the validator is to ask of a name, as httpd's document
 * has it: where the name is served by http and by TLS, with which
 * certificate, and what else its hosts promise.
 */
#include <string.h>
#include <strings.h>

#include <apr_fnmatch.h>
#include <apr_strings.h>

#include "cmd/internal.h"

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/* -------------------------------------------------------------- addresses */

static int is_any(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static void add_address(apr_array_header_t *list, const char *address,
                        int port)
{
    validator_address_t *a;
    int i;

    for (i = 0; i < list->nelts; i++) {
        a = &APR_ARRAY_IDX(list, i, validator_address_t);
        if (a->port == port && strcmp(a->address, address) == 0) {
            return;
        }
    }
    a = apr_array_push(list);
    a->address = address;
    a->port = port;
    a->aside = 0;
}

/** Where connections to a host's address arrive: httpd listens there, and
 *  one of the two may stand for all addresses. */
static void add_arrivals(apr_array_header_t *list, const cmd_t *cmd,
                         const char *address, int port)
{
    json_t *listener;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(
        cmd->config, "server"), "listeners"), i, listener) {
        const char *at = text_of(listener, "address");
        int listens = (int)json_integer_value(json_object_get(listener,
                                                              "port"));

        if (port != 0 && listens != port) {
            continue;
        }
        if (is_any(address)) {
            add_address(list, at, listens);
        }
        else if (strcmp(at, address) == 0 || strcmp(at, "::") == 0
                 || (strcmp(at, "0.0.0.0") == 0 && !strchr(address, ':'))) {
            add_address(list, address, listens);
        }
    }
}

static void add_host(apr_array_header_t *list, const cmd_t *cmd,
                     const json_t *host)
{
    json_t *address;
    size_t i;

    json_array_foreach(json_object_get(host, "addresses"), i, address) {
        add_arrivals(list, cmd, text_of(address, "address"),
                     (int)json_integer_value(json_object_get(address,
                                                             "port")));
    }
}

/* ------------------------------------------------------------------ hosts */

int cmd_host_has_name(const json_t *host, const char *name)
{
    const char *own = text_of(host, "server_name");
    json_t *alias;
    size_t i;
    int has = own && strcasecmp(own, name) == 0;

    json_array_foreach(json_object_get(host, "aliases"), i, alias) {
        const char *text = json_string_value(alias);

        if (strcasecmp(text, name) == 0) {
            return 1;
        }
        if (!has && apr_fnmatch(text, name, APR_FNM_CASE_BLIND)
                    == APR_SUCCESS) {
            has = 2;
        }
    }
    return has;
}

/** The directive of that name that counts for a host; NULL. */
static const char *directive_of(const json_t *host, const char *name,
                                const char *within)
{
    const char *found = NULL;
    json_t *directive;
    size_t i;

    json_array_foreach(json_object_get(host, "directives"), i, directive) {
        const char *args = text_of(directive, "args");

        if (strcasecmp(text_of(directive, "name"), name) == 0 && args
            && (!within || strstr(args, within))) {
            found = args;
        }
    }
    return found;
}

/** 1 if the host sends Strict-Transport-Security with every answer. */
static int sends_hsts(const json_t *host)
{
    json_t *directive;
    int sends = 0;
    size_t i;

    json_array_foreach(json_object_get(host, "directives"), i, directive) {
        const char *args = text_of(directive, "args");

        if (strcasecmp(text_of(directive, "name"), "Header") != 0 || !args
            || !strcasestr(args, "Strict-Transport-Security")
            || json_array_size(json_object_get(directive, "within")) > 0) {
            continue;
        }
        sends = (strcasestr(args, "set ") || strcasestr(args, "add ")
                 || strcasestr(args, "append ") || strcasestr(args, "merge ")
                 || strcasestr(args, "setifempty "))
                && !strcasestr(args, "unset ") && !strstr(args, "max-age=0")
                && !strstr(args, "env=") && !strstr(args, "expr=");
    }
    return sends;
}

/** Is something wanted of a name's hosts? @return 1, or -1: whatever */
static int wants(int is_so)
{
    return is_so ? 1 : -1;
}

/** ACMERequireHTTPS redirects from the public http port alone. */
static void set_aside(apr_array_header_t *list, const cmd_t *cmd)
{
    const json_t *port = json_object_get(json_object_get(json_object_get(
        cmd->config, "server"), "port_map"), "http");
    int i;

    for (i = 0; json_is_integer(port) && i < list->nelts; i++) {
        validator_address_t *a = &APR_ARRAY_IDX(list, i,
                                                validator_address_t);

        a->aside = a->port != (int)json_integer_value(port);
    }
}

/** An http host. */
static void take_http(validator_target_t *target, const cmd_t *cmd,
                      const json_t *host)
{
    const char *redirect = text_of(host, "require_https");

    add_host(target->http, cmd, host);
    set_aside(target->http, cmd);
    if (redirect) {
        target->redirect = wants(strcmp(redirect, "off") != 0);
    }
}

/** 1 if the host is served with a file of that certificate of the store. */
static int is_from_store(const cmd_t *cmd, const json_t *host,
                         const char *id)
{
    const char *path = store_certificate_path(cmd->store, id, "", cmd->pool);

    return directive_of(host, "SSLCertificateFile", path) != NULL;
}

/** What the store has for a domain that is one certificate. */
static void take_certificate(validator_target_t *target, cmd_t *cmd,
                             const json_t *domain, const json_t *host)
{
    const json_t *keys = json_object_get(json_object_get(domain, "settings"),
                                         "private_keys");
    const char *key_type = json_string_value(json_array_get(keys, 0));
    acme_err_t ignored = { 0 };
    apr_size_t len;
    const char *id;
    char *chain;

    if (!cmd->store || json_array_size(keys) != 1) {
        return;
    }
    id = store_certificate_id(cmd_domain_name(domain), key_type, 1,
                              cmd->pool);
    if ((json_is_true(json_object_get(host, "certificate_file"))
         && !is_from_store(cmd, host, id))
        || store_certificate_file(&chain, &len, cmd->store, id,
                                  "fullchain.pem", &ignored, cmd->pool)
           != APR_SUCCESS) {
        return;
    }
    target->chain = chain;
    target->key_type = key_type;
}

/** A TLS host. */
static void take_tls(validator_target_t *target, cmd_t *cmd,
                     const json_t *domain, const json_t *host)
{
    add_host(target->https, cmd, host);
    target->hsts = wants(target->hsts == 1 || sends_hsts(host));
    target->stapling = wants(target->stapling == 1 || json_is_true(
        json_object_get(host, "stapling")));
    if (domain && !target->chain) {
        take_certificate(target, cmd, domain, host);
    }
}

/** Hosts that have the name themselves (1) or by a pattern (2). */
static void take_hosts(validator_target_t *target, cmd_t *cmd,
                       const json_t *domain, int by)
{
    json_t *host;
    size_t i;

    json_array_foreach(json_object_get(cmd->config, "virtual_hosts"), i,
                       host) {
        int is_tls = json_is_true(json_object_get(host, "ssl"));

        if (cmd_host_has_name(host, target->name) != by) {
            continue;
        }
        if (is_tls) {
            take_tls(target, cmd, domain, host);
        }
        else {
            take_http(target, cmd, host);
        }
    }
}

/** Where no virtual host has the name by http, the http port itself is the
 *  place: the main server, or whose host is the default one. */
static void take_http_port(validator_target_t *target, const cmd_t *cmd)
{
    json_t *port = json_object_get(json_object_get(json_object_get(
        cmd->config, "server"), "port_map"), "http");

    if (target->http->nelts == 0 && json_is_integer(port)) {
        add_arrivals(target->http, cmd, "::", (int)json_integer_value(port));
    }
}

static void make_target(validator_target_t *target, cmd_t *cmd,
                        const char *name)
{
    const json_t *domain = cmd_domain_find(cmd, name);
    const char *redirect = text_of(json_object_get(domain, "settings"),
                                   "require_https");

    memset(target, 0, sizeof(*target));
    target->name = name;
    target->http = apr_array_make(cmd->pool, 2, sizeof(validator_address_t));
    target->https = apr_array_make(cmd->pool, 2,
                                   sizeof(validator_address_t));
    target->redirect = wants(redirect && strcmp(redirect, "off") != 0);
    target->hsts = -1;
    target->stapling = -1;
    target->managed = domain != NULL;
    take_hosts(target, cmd, domain, 1);
    if (target->https->nelts == 0) {
        take_hosts(target, cmd, domain, 2);
    }
    take_http_port(target, cmd);
}

apr_array_header_t *cmd_targets(cmd_t *cmd, const apr_array_header_t *names)
{
    apr_array_header_t *targets = apr_array_make(cmd->pool, names->nelts + 1,
                                                 sizeof(validator_target_t));
    int i;

    for (i = 0; i < names->nelts; i++) {
        make_target(apr_array_push(targets), cmd,
                    APR_ARRAY_IDX(names, i, const char *));
    }
    return targets;
}
