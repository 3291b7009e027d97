/*
 * sites.c: the names that somebody gives, as sites: the virtual hosts that
 * serve them by http, and the one certificate that each is to have.
 *
 * Names of one host are one site. So are names of several hosts if one of
 * them has two of the hosts (the same name on an IPv4 and an IPv6 address).
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/* ----------------------------------------------------------------- answers */

/** What --vhost says of a name; NULL: nothing. */
static const char *answer_of(const cmd_t *cmd, const char *name)
{
    const apr_array_header_t *vhosts = cmd->options.vhosts;
    size_t len = strlen(name);
    int i;

    for (i = 0; i < vhosts->nelts; i++) {
        const char *text = APR_ARRAY_IDX(vhosts, i, const char *);

        if (strncasecmp(text, name, len) == 0 && text[len] == '=') {
            return text + len + 1;
        }
    }
    return NULL;
}

/** Each --vhost has the form NAME=FILE:LINE and is about one of names. */
static apr_status_t check_answers(cmd_t *cmd,
                                  const apr_array_header_t *names)
{
    const apr_array_header_t *vhosts = cmd->options.vhosts;
    int i, k;

    for (i = 0; i < vhosts->nelts; i++) {
        const char *text = APR_ARRAY_IDX(vhosts, i, const char *);
        int used = 0;

        for (k = 0; k < names->nelts && !used; k++) {
            const char *name = APR_ARRAY_IDX(names, k, const char *);

            used = strncasecmp(text, name, strlen(name)) == 0
                   && text[strlen(name)] == '=' && text[strlen(name) + 1];
        }
        if (!used) {
            return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                                "--vhost takes NAME=FILE:LINE with one of "
                                "the names given, not \"%s\"", text);
        }
    }
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------ choice */

/** Add what was weighed for a name to "candidates". */
static void tell_candidates(cmd_t *cmd, const configurator_choice_t *choice)
{
    json_t *list = json_object_get(cmd->result, "candidates");
    int i;

    if (!list) {
        list = json_array();
        json_object_set_new(cmd->result, "candidates", list);
    }
    for (i = 0; choice->candidates && i < choice->candidates->nelts; i++) {
        const configurator_candidate_t *c = &APR_ARRAY_IDX(
            choice->candidates, i, configurator_candidate_t);
        json_t *object = json_object();

        json_object_set_new(object, "name", json_string(choice->name));
        json_object_set_new(object, "place", json_string_nocheck(c->place));
        json_object_set_new(object, "why", json_string_nocheck(c->why));
        json_array_append_new(list, object);
    }
}

/** The hosts of a name; who can be asked is asked.
 *  @return why not, in err; the candidates are told */
static apr_status_t choose(const cmd_edit_t *edit,
                           configurator_choice_t *choice, const char *name,
                           acme_err_t *err)
{
    cmd_t *cmd = edit->cmd;
    const char *answer = answer_of(cmd, name);
    apr_status_t rv = configurator_choose(choice, edit->configurator, name,
                                          answer, err, cmd->pool);

    if (rv == APR_INCOMPLETE && display_can_ask(cmd->display)) {
        base_err_clear(err);
        if (cmd_ask_host(cmd, choice, &answer) != APR_SUCCESS) {
            *err = cmd->err;
            return err->status;
        }
        rv = configurator_choose(choice, edit->configurator, name, answer,
                                 err, cmd->pool);
    }
    if (rv != APR_SUCCESS) {
        choice->name = name;
        tell_candidates(cmd, choice);
    }
    return rv;
}

/* ------------------------------------------------------------------- sites */

static int has_host(const apr_array_header_t *hosts, configurator_host_t host)
{
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        if (APR_ARRAY_IDX(hosts, i, configurator_host_t) == host) {
            return 1;
        }
    }
    return 0;
}

static int shares_host(const cmd_site_t *site,
                       const apr_array_header_t *hosts)
{
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        if (has_host(site->hosts, APR_ARRAY_IDX(hosts, i,
                                                configurator_host_t))) {
            return 1;
        }
    }
    return 0;
}

static void take_hosts(cmd_site_t *site, const apr_array_header_t *hosts)
{
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        configurator_host_t host = APR_ARRAY_IDX(hosts, i,
                                                 configurator_host_t);

        if (!has_host(site->hosts, host)) {
            APR_ARRAY_PUSH(site->hosts, configurator_host_t) = host;
        }
    }
}

/** Put a name to the site of its hosts; sites that it joins become one. */
static void place_name(apr_array_header_t *sites,
                       const configurator_choice_t *choice, apr_pool_t *pool)
{
    cmd_site_t *home = NULL;
    int i, n = 0;

    for (i = 0; i < sites->nelts; i++) {
        cmd_site_t *site = APR_ARRAY_IDX(sites, i, cmd_site_t *);

        if (home && shares_host(site, choice->hosts)) {
            take_hosts(home, site->hosts);
            apr_array_cat(home->names, site->names);
            continue;
        }
        if (shares_host(site, choice->hosts)) {
            home = site;
        }
        APR_ARRAY_IDX(sites, n++, cmd_site_t *) = site;
    }
    sites->nelts = n;
    if (!home) {
        home = apr_pcalloc(pool, sizeof(*home));
        home->hosts = apr_array_make(pool, 2, sizeof(configurator_host_t));
        home->names = apr_array_make(pool, 4, sizeof(const char *));
        APR_ARRAY_PUSH(sites, cmd_site_t *) = home;
    }
    take_hosts(home, choice->hosts);
    APR_ARRAY_PUSH(home->names, const char *) = choice->name;
}

apr_status_t cmd_sites_find(const cmd_edit_t *edit,
                            const apr_array_header_t *names,
                            apr_array_header_t **psites)
{
    cmd_t *cmd = edit->cmd;
    acme_err_t first = { 0 };
    int i;

    *psites = apr_array_make(cmd->pool, names->nelts + 1, sizeof(void *));
    if (check_answers(cmd, names) != APR_SUCCESS) {
        return cmd->err.status;
    }
    for (i = 0; i < names->nelts; i++) {
        configurator_choice_t choice;
        acme_err_t err = { 0 };

        memset(&choice, 0, sizeof(choice));
        if (choose(edit, &choice, APR_ARRAY_IDX(names, i, const char *),
                   &err) == APR_SUCCESS) {
            choice.name = APR_ARRAY_IDX(names, i, const char *);
            place_name(*psites, &choice, cmd->pool);
        }
        /* The first is the error; the candidates of all are told. */
        else if (first.status == APR_SUCCESS) {
            first = err;
        }
    }
    if (first.status != APR_SUCCESS) {
        cmd->err = first;
    }
    return cmd->err.status;
}
