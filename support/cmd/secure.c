/*
 * secure.c: acmectl secure NAME…, acmectl install NAME.
 *
 *     begin ──> names ──> sites ──> redirect? agreement?
 *                                      |
 *             +------------------------+
 *             v
 *     +──> plan ──> test ──plan──> end
 *     |               |
 *     |               v
 *     |       certificates wanted ──no─────────────────+
 *     |               |                                |
 *     |               v                                |
 *     |       early ──> order ──issued──> (files) ─────+──> apply ──> end
 *     |                   |                  |
 *     |                   | refused          | SSLCertificateFile is wanted
 *     |                   v                  | and its file is there now
 *     +── allow-partial: without that name   |
 *     +──────────────────────────────────────+
 *
 * install begins with a certificate that the store has, and orders none.
 * Which steps of these can be undone and how: edit.c.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define LETSENCRYPT "letsencrypt"
#define TITLE_MAX 160

typedef struct secure_t {
    cmd_t *cmd;
    cmd_edit_t *edit;
    apr_array_header_t *names;       /* of const char *: wanted */
    apr_array_header_t *sites;       /* of cmd_site_t * */
    int redirect;                    /* 1: wanted */
    int install;                     /* 1: no order, replace what is there */
    int refused;                     /* names that the CA refused */
    int rounds;                      /* of orders */
    int unagreed;                    /* 1: planned without --agree-tos */
    configurator_settings_t settings;
} secure_t;

/* ---------------------------------------------------------------- settings */

/** The server's own directive of that name; NULL. */
static const json_t *server_directive(const secure_t *s, const char *name)
{
    const json_t *found = NULL;
    json_t *directive;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(json_object_get(
        s->edit->before, "server"), "main"), "directives"), i, directive) {
        if (strcasecmp(json_string_value(json_object_get(directive, "name")),
                       name) == 0
            && json_array_size(json_object_get(directive, "within")) == 0) {
            found = directive;
        }
    }
    return found;
}

static const char *args_of(const json_t *directive)
{
    return json_string_value(json_object_get(directive, "args"));
}

/** args without the quotes around the whole. */
static int same_value(const char *args, const char *value)
{
    size_t len = strlen(args);

    return strcmp(args, value) == 0
           || (len >= 2 && args[0] == '"' && args[len - 1] == '"'
               && strlen(value) == len - 2
               && strncmp(args + 1, value, len - 2) == 0);
}

/** What an option says, unless the server says it already. What it says
 *  otherwise is not for an option to change. */
static apr_status_t take_setting(secure_t *s, const char **psetting,
                                 const char *option, const char *value,
                                 const char *name)
{
    const json_t *directive = server_directive(s, name);

    *psetting = NULL;
    if (value && !directive) {
        *psetting = value;
    }
    else if (value && !same_value(args_of(directive), value)) {
        const char *file = json_string_value(json_object_get(directive,
                                                             "file"));

        base_err_set(&s->cmd->err, APR_EEXIST, BASE_EXIT_USAGE,
                     "%s is for a server that says nothing yet, and %s:%d "
                     "says \"%s %s\": change it there", option,
                     file ? file : "the configuration",
                     (int)json_integer_value(json_object_get(directive,
                                                             "line")),
                     name, args_of(directive));
    }
    return s->cmd->err.status;
}

/** --ca-certificate as an absolute path that can be read. */
static apr_status_t find_roots(secure_t *s, const char **ppath)
{
    const char *given = s->cmd->options.ca_certificate;
    char real[PATH_MAX];

    *ppath = NULL;
    if (given) {
        if (!realpath(given, real) || access(real, R_OK) != 0) {
            base_err_path(&s->cmd->err, APR_ENOENT, "read", given);
            s->cmd->err.exit = BASE_EXIT_USAGE;
            return base_err_wrap(&s->cmd->err, "--ca-certificate");
        }
        *ppath = apr_pstrdup(s->cmd->pool, real);
    }
    return APR_SUCCESS;
}

static apr_status_t check_contact(cmd_t *cmd)
{
    const char *contact = cmd->options.contact;

    if (contact && strcmp(contact, "none") != 0
        && strncasecmp(contact, "mailto:", 7) != 0) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "--contact takes mailto:ADDRESS or none, not \"%s\"",
                     contact);
    }
    return cmd->err.status;
}

/** 1 if the CA's terms are agreed to for all names, by the server or by
 *  their domains. */
static int has_agreement(const secure_t *s)
{
    int i;

    for (i = 0; i < s->names->nelts
                && !server_directive(s, "ACMEAgreement"); i++) {
        const json_t *domain = cmd_domain_find(s->cmd, APR_ARRAY_IDX(
            s->names, i, const char *));

        if (!json_is_true(json_object_get(json_object_get(domain, "settings"),
                                          "agreement"))) {
            return 0;
        }
    }
    return 1;
}

/** An order needs it, a plan only tells; install orders nothing, but what it
 *  installs is to be renewed one day. */
static apr_status_t take_agreement(secure_t *s, const char *ca)
{
    const cmd_options_t *options = &s->cmd->options;

    if (has_agreement(s)) {
        return APR_SUCCESS;
    }
    s->settings.agreement = options->agree_tos || !s->install;
    if (s->install && !options->agree_tos) {
        cmd_note(s->cmd, "nothing will renew this certificate, for the "
                 "configuration does not agree to the terms of service of "
                 "the CA %s: --agree-tos says so", ca);
    }
    s->unagreed = !s->install && options->plan && !options->agree_tos;
    return s->install || s->unagreed ? APR_SUCCESS
                                     : cmd_ask_agreement(s->cmd, ca);
}

static apr_status_t take_settings(secure_t *s)
{
    const cmd_options_t *options = &s->cmd->options;
    configurator_settings_t *settings = &s->settings;
    const json_t *ca = server_directive(s, "ACMECertificateAuthority");
    const char *roots;

    if (check_contact(s->cmd) != APR_SUCCESS
        || find_roots(s, &roots) != APR_SUCCESS
        || take_setting(s, &settings->ca, "--ca", options->ca,
                        "ACMECertificateAuthority") != APR_SUCCESS
        || take_setting(s, &settings->ca_certificate_file,
                        "--ca-certificate", roots, "ACMECACertificateFile")
           != APR_SUCCESS
        || take_setting(s, &settings->contact, "--contact", options->contact,
                        "ACMEContact") != APR_SUCCESS) {
        return s->cmd->err.status;
    }
    return take_agreement(s, settings->ca ? settings->ca
                          : ca ? args_of(ca) : LETSENCRYPT);
}

/* -------------------------------------------------------------------- plan */

/** Where a file of the certificate id is, or will be. */
static const char *static_path(const secure_t *s, const char *id,
                               const char *file)
{
    cmd_t *cmd = s->cmd;
    const char *dir = cmd->store_dir ? cmd->store_dir
        : json_string_value(json_object_get(json_object_get(
            s->edit->before, "server"), "store"));

    return cmd->store
           ? store_certificate_path(cmd->store, id, file, cmd->pool)
           : apr_pstrcat(cmd->pool, dir, "/domains/", id, "/current/", file,
                         NULL);
}

static const char *name_of(const cmd_site_t *site)
{
    return APR_ARRAY_IDX(site->names, 0, const char *);
}

/** The site's certificate: that of a domain that was there may be called
 *  otherwise. */
static const char *id_of(const cmd_site_t *site)
{
    return site->id ? site->id : name_of(site);
}

/** 1 if the files that SSLCertificateFile is to name are there. */
static int has_files(const secure_t *s, const cmd_site_t *site)
{
    return access(static_path(s, id_of(site), "fullchain.pem"), F_OK) == 0
           && access(static_path(s, id_of(site), "key.pem"), F_OK) == 0;
}

static apr_status_t plan_host(secure_t *s, const cmd_site_t *site,
                              configurator_host_t host)
{
    cmd_edit_t *edit = s->edit;
    configurator_deploy_t *deploy = apr_pcalloc(s->cmd->pool,
                                                sizeof(*deploy));
    int does;

    deploy->host = host;
    deploy->names = site->names;
    deploy->replace = s->install;
    /* httpd does not start with files that are not there. */
    if (s->cmd->options.static_files
        && (has_files(s, site) || s->cmd->options.plan)) {
        edit->untestable |= !has_files(s, site);
        deploy->certificate = static_path(s, id_of(site), "fullchain.pem");
        deploy->key = static_path(s, id_of(site), "key.pem");
    }
    if (configurator_deploy(edit->plan, &does, deploy, &s->cmd->err)
        == APR_SUCCESS && s->redirect) {
        configurator_enhance(edit->plan, &does, host, name_of(site),
                             CONFIGURATOR_REDIRECT, 1, &s->cmd->err);
    }
    return s->cmd->err.status;
}

static apr_status_t plan(secure_t *s)
{
    cmd_edit_t *edit = s->edit;
    int does, i, k;

    if (cmd_edit_plan(edit) != APR_SUCCESS) {
        return s->cmd->err.status;
    }
    for (i = 0; i < s->sites->nelts; i++) {
        const cmd_site_t *site = APR_ARRAY_IDX(s->sites, i, cmd_site_t *);

        for (k = 0; k < site->hosts->nelts; k++) {
            if (plan_host(s, site, APR_ARRAY_IDX(site->hosts, k,
                                                 configurator_host_t))
                != APR_SUCCESS) {
                cmd_edit_refused(edit);
                return s->cmd->err.status;
            }
        }
    }
    if (configurator_settings(edit->plan, &does, &s->settings, &s->cmd->err)
        != APR_SUCCESS
        || configurator_manage(edit->plan, &does, &s->cmd->err)
           != APR_SUCCESS) {
        cmd_edit_refused(edit);
        return s->cmd->err.status;
    }
    return cmd_edit_test(edit);
}

/* ------------------------------------------------------------------- order */

/** The certificates of all sites, of cmd_certificate_t *, as the tested
 *  configuration has them. */
static apr_status_t find_certificates(secure_t *s, const json_t *ledger,
                                      apr_array_header_t **pcertificates)
{
    cmd_t *cmd = s->cmd;
    int i;

    *pcertificates = apr_array_make(cmd->pool, 8, sizeof(void *));
    cmd->config = s->edit->after;
    for (i = 0; i < s->sites->nelts; i++) {
        cmd_site_t *site = APR_ARRAY_IDX(s->sites, i, cmd_site_t *);
        const json_t *domain = cmd_domain_find(cmd, name_of(site));

        if (!domain) {
            return base_err_set(&cmd->err, APR_EGENERAL, BASE_EXIT_FAILED,
                                "httpd finds no ACMEDomain with %s in the "
                                "changed configuration", name_of(site));
        }
        site->id = cmd_domain_name(domain);
        cmd_certificates_of(cmd, domain, ledger, *pcertificates);
    }
    return APR_SUCCESS;
}

static int count_due(const apr_array_header_t *certificates)
{
    int i, n = 0;

    for (i = 0; i < certificates->nelts; i++) {
        n += cmd_certificate_due(APR_ARRAY_IDX(certificates, i,
                                               cmd_certificate_t *));
    }
    return n;
}

/** --plan: what would be ordered. */
static void tell_orders(secure_t *s)
{
    apr_array_header_t *certificates;
    json_t *ledger = NULL;
    int i;

    if (s->install || !s->edit->after
        || find_certificates(s, ledger, &certificates) != APR_SUCCESS) {
        return;
    }
    for (i = 0; i < certificates->nelts; i++) {
        const cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                                   cmd_certificate_t *);

        if (cmd_certificate_due(c)) {
            cmd_note(s->cmd, "a certificate for %s would be ordered from %s",
                     apr_array_pstrcat(s->cmd->pool, cmd_strings(
                         json_object_get(c->domain, "names"), s->cmd->pool),
                         ' '), cmd_domain_ca(c->domain, 0));
        }
    }
}

static json_t *result_at(const secure_t *s, size_t i)
{
    return json_array_get(json_object_get(s->cmd->result, "results"), i);
}

static const char *error_text(const json_t *result, const char *member)
{
    return json_string_value(json_object_get(json_object_get(result, "error"),
                                             member));
}

/** The verb fails as the first of its orders did. */
static apr_status_t fail_as(secure_t *s, const json_t *result)
{
    const char *identifier = error_text(result, "identifier");
    cmd_t *cmd = s->cmd;

    base_err_set(&cmd->err, APR_EGENERAL, cmd->exit,
                 "there is no certificate for %s: %s",
                 json_string_value(json_object_get(result, "name")),
                 error_text(result, "detail"));
    apr_cpystrn(cmd->err.type, error_text(result, "type"),
                sizeof(cmd->err.type));
    if (identifier) {
        apr_cpystrn(cmd->err.identifier, identifier,
                    sizeof(cmd->err.identifier));
    }
    return cmd->err.status;
}

/** Forget a name that the CA refused. @return 1 if a site had it */
static int drop_name(secure_t *s, const char *name)
{
    int dropped = 0;
    int i, k;

    for (i = 0; i < s->sites->nelts; i++) {
        cmd_site_t *site = APR_ARRAY_IDX(s->sites, i, cmd_site_t *);
        int n = 0;

        for (k = 0; k < site->names->nelts; k++) {
            const char *own = APR_ARRAY_IDX(site->names, k, const char *);

            if (strcasecmp(own, name) == 0) {
                dropped = 1;
            }
            else {
                APR_ARRAY_IDX(site->names, n++, const char *) = own;
            }
        }
        site->names->nelts = n;
        site->id = NULL;
    }
    return dropped;
}

/** Sites without names are none. */
static void drop_sites(secure_t *s)
{
    int i, n = 0;

    for (i = 0; i < s->sites->nelts; i++) {
        cmd_site_t *site = APR_ARRAY_IDX(s->sites, i, cmd_site_t *);

        if (site->names->nelts > 0) {
            APR_ARRAY_IDX(s->sites, n++, cmd_site_t *) = site;
        }
    }
    s->sites->nelts = n;
}

/**
 * Some orders failed, and names may be left out: which?
 * @param from  where the results of these orders begin
 * @return APR_SUCCESS: go on without them
 */
static apr_status_t leave_out(secure_t *s, size_t from)
{
    cmd_t *cmd = s->cmd;
    const json_t *first = NULL;
    const json_t *result;

    for (; (result = result_at(s, from)) != NULL; from++) {
        const char *identifier = error_text(result, "identifier");

        if (!json_is_object(json_object_get(result, "error"))) {
            continue;
        }
        first = first ? first : result;
        if (!identifier || !cmd->options.allow_partial
            || !drop_name(s, identifier)) {
            return fail_as(s, result);
        }
        s->refused++;
        cmd_note(cmd, "%s is left out, for the CA refused it: %s",
                 identifier, error_text(result, "detail"));
    }
    drop_sites(s);
    return s->sites->nelts == 0 && first ? fail_as(s, first) : APR_SUCCESS;
}

/**
 * See that all certificates are there.
 * @param pagain  set: 1 if the plan has to be made anew
 */
static apr_status_t order(secure_t *s, int *pagain)
{
    cmd_t *cmd = s->cmd;
    apr_array_header_t *certificates;
    json_t *ledger;
    size_t from = json_array_size(json_object_get(cmd->result, "results"));

    *pagain = 0;
    if (s->install) {
        s->rounds++;
        return APR_SUCCESS;
    }
    if (cmd_read_ledger(cmd, &ledger) != APR_SUCCESS
        || find_certificates(s, ledger, &certificates) != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (count_due(certificates) > 0) {
        if (cmd_edit_early(s->edit) != APR_SUCCESS) {
            return cmd->err.status;
        }
        cmd->config = s->edit->after;
        s->edit->ordered = 1;
    }
    else if (s->rounds > 0) {
        return APR_SUCCESS;
    }
    s->rounds++;
    cmd_certificates_run(cmd, certificates, ledger);
    if (cmd->err.status != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (cmd->exit != BASE_EXIT_OK) {
        *pagain = 1;
        return leave_out(s, from);
    }
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------- apply */

static apr_array_header_t *names_of(const secure_t *s)
{
    apr_array_header_t *names = apr_array_make(s->cmd->pool, 8,
                                               sizeof(const char *));
    int i;

    for (i = 0; i < s->sites->nelts; i++) {
        apr_array_cat(names, APR_ARRAY_IDX(s->sites, i,
                                           cmd_site_t *)->names);
    }
    return names;
}

static const char *title_of(const secure_t *s)
{
    apr_array_header_t *names = names_of(s);
    const char *title = s->cmd->verb;
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (strlen(title) + strlen(name) > TITLE_MAX) {
            return apr_psprintf(s->cmd->pool, "%s and %d more", title,
                                names->nelts - i);
        }
        title = apr_pstrcat(s->cmd->pool, title, i ? ", " : " ", name, NULL);
    }
    return title;
}

/** 1 if files that are there only now are to be named. */
static int wants_files(const secure_t *s)
{
    int i;

    for (i = 0; s->cmd->options.static_files && i < s->sites->nelts; i++) {
        const cmd_site_t *site = APR_ARRAY_IDX(s->sites, i, cmd_site_t *);

        if (!site->has_files && has_files(s, site)) {
            return 1;
        }
    }
    return 0;
}

static void look_for_files(secure_t *s)
{
    int i;

    for (i = 0; i < s->sites->nelts; i++) {
        cmd_site_t *site = APR_ARRAY_IDX(s->sites, i, cmd_site_t *);

        site->has_files = has_files(s, site);
    }
}

/** What httpd is to serve has to be where it looks. */
static apr_status_t check_store(secure_t *s)
{
    cmd_t *cmd = s->cmd;
    const char *store = json_string_value(json_object_get(json_object_get(
        s->edit->after, "server"), "store"));

    if (cmd->store_dir && store && !cmd_same_path(cmd->store_dir, store)) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "--store is %s, and httpd would serve from %s: leave "
                     "--store out, or let ACMEStoreDir in the configuration "
                     "say so first", cmd->store_dir, store);
    }
    return cmd->err.status;
}

/** Plan, test and order until nothing is left out or added. */
static apr_status_t prepare(secure_t *s)
{
    int again = 1;

    while (again) {
        look_for_files(s);
        if (plan(s) != APR_SUCCESS || check_store(s) != APR_SUCCESS) {
            return s->cmd->err.status;
        }
        if (s->cmd->options.plan) {
            tell_orders(s);
            return s->cmd->err.status;
        }
        if ((s->rounds == 0 && cmd_edit_confirm(s->edit) != APR_SUCCESS)
            || order(s, &again) != APR_SUCCESS) {
            return s->cmd->err.status;
        }
        again |= wants_files(s);
    }
    return APR_SUCCESS;
}

static void tell_reached(const secure_t *s)
{
    apr_array_header_t *names = names_of(s);
    apr_pool_t *pool = s->cmd->pool;

    cmd_reached(s->cmd, apr_psprintf(
        pool, "%s %s served%s%s", cmd_and(names, "https://", pool),
        !s->edit->running ? "will be" : names->nelts == 1 ? "is" : "are",
        s->redirect ? ", and http redirects there" : "",
        s->edit->running ? "" : " once httpd is started"));
}

static void finish(secure_t *s)
{
    cmd_t *cmd = s->cmd;

    if (cmd->err.status == APR_SUCCESS && !cmd->options.plan) {
        cmd->config = s->edit->after;
        cmd_edit_apply(s->edit, title_of(s), cmd_targets(cmd, names_of(s)));
    }
    cmd_edit_end(s->edit);
    tell_reached(s);
    cmd_planned(cmd, s->unagreed ? "; add --agree-tos if you agree to the "
                "CA's terms of service" : "");
    if (cmd->err.status == APR_SUCCESS && s->refused > 0) {
        cmd->exit = BASE_EXIT_PARTIAL;
    }
}

static void tell_nothing(secure_t *s)
{
    if (s->cmd->err.status == APR_SUCCESS
        && !json_is_true(json_object_get(s->cmd->result, "changed"))
        && !json_object_get(s->cmd->result, "diff")) {
        cmd_note(s->cmd, "nothing to do: %s %s secured already",
                 cmd_and(names_of(s), "", s->cmd->pool),
                 names_of(s)->nelts == 1 ? "is" : "are");
    }
}

/** What both verbs do, once it is known what is wanted. */
static void carry_out(secure_t *s)
{
    s->cmd->activates = 1;
    prepare(s);
    finish(s);
    tell_nothing(s);
}

/* ------------------------------------------------------------------- verbs */

/** 1 if all names are served with certificates of mod_acme already. */
static int all_managed(const secure_t *s)
{
    apr_array_header_t *all = configurator_names(s->edit->configurator,
                                                 s->cmd->pool);
    int managed = 0;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const configurator_name_t *n = &APR_ARRAY_IDX(all, i,
                                                      configurator_name_t);

        managed += n->managed && base_list_has_name(s->names, n->name);
    }
    return managed >= s->names->nelts;
}

static apr_status_t ask(secure_t *s)
{
    const cmd_options_t *options = &s->cmd->options;

    if (!options->redirect && all_managed(s)) {
        return APR_SUCCESS;
    }
    return cmd_ask_redirect(s->cmd, &s->redirect);
}

static apr_status_t check_options(cmd_t *cmd)
{
    if (cmd->options.redirect && cmd->options.no_redirect) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "%s takes one of --redirect and --no-redirect",
                     cmd->verb);
    }
    return cmd->err.status;
}

static void run(secure_t *s)
{
    if (s->names->nelts == 0
        || cmd_sites_find(s->edit, s->names, &s->sites) != APR_SUCCESS
        || ask(s) != APR_SUCCESS || take_settings(s) != APR_SUCCESS) {
        return;
    }
    carry_out(s);
}

void cmd_secure(cmd_t *cmd)
{
    secure_t s = { 0 };

    s.cmd = cmd;
    if (check_options(cmd) != APR_SUCCESS
        || cmd_names_given(cmd, &s.names, cmd->args->nelts) != APR_SUCCESS
        || cmd_edit_begin(&s.edit, cmd) != APR_SUCCESS
        || (s.names->nelts == 0
            && cmd_ask_names(s.edit, s.names) != APR_SUCCESS)) {
        return;
    }
    run(&s);
}

/** All names of the certificate called name. */
static apr_status_t certificate_names(cmd_t *cmd, const char *name,
                                      apr_array_header_t **pnames)
{
    acme_err_t ignored = { 0 };
    json_t *meta;

    if (!cmd->store
        || store_certificate_meta(&meta, cmd->store, name, &ignored,
                                  cmd->pool) != APR_SUCCESS) {
        return base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_FAILED,
                            "the store has no certificate called %s; "
                            "\"acmectl certificates\" lists them, \"acmectl "
                            "secure %s\" gets one and installs it", name,
                            name);
    }
    *pnames = cmd_strings(json_object_get(meta, "names"), cmd->pool);
    return APR_SUCCESS;
}

/** The certificate's own names are what its hosts are to be served with. */
static void run_install(secure_t *s, apr_array_header_t *certified)
{
    cmd_site_t *site;

    if (cmd_sites_find(s->edit, s->names, &s->sites) != APR_SUCCESS
        || take_settings(s) != APR_SUCCESS) {
        return;
    }
    site = APR_ARRAY_IDX(s->sites, 0, cmd_site_t *);
    site->names = certified;
    s->redirect = s->cmd->options.redirect;
    carry_out(s);
}

void cmd_install(cmd_t *cmd)
{
    apr_array_header_t *certified;
    secure_t s = { 0 };

    s.cmd = cmd;
    s.install = 1;
    if (cmd->args->nelts != 1) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "install takes the name of one certificate; \"acmectl "
                     "certificates\" lists them");
        return;
    }
    if (check_options(cmd) != APR_SUCCESS
        || cmd_names_given(cmd, &s.names, 1) != APR_SUCCESS
        || cmd_edit_begin(&s.edit, cmd) != APR_SUCCESS
        || certificate_names(cmd, APR_ARRAY_IDX(s.names, 0, const char *),
                             &certified) != APR_SUCCESS) {
        return;
    }
    run_install(&s, certified);
}
