/*
 * enhance.c: acmectl enhance NAME redirect|hsts|ocsp-stapling on|off
 */
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** What the command line asks for. */
typedef struct wish_t {
    const char *name;
    configurator_enhancement_t what;
    const char *word;
    int on;
} wish_t;

static const struct {
    const char *word;
    configurator_enhancement_t what;
} words[] = {
    { "redirect", CONFIGURATOR_REDIRECT },
    { "hsts", CONFIGURATOR_HSTS },
    { "ocsp-stapling", CONFIGURATOR_STAPLING }
};

static apr_status_t parse(cmd_t *cmd, wish_t *wish,
                          apr_array_header_t **pnames)
{
    const char *const *args = (const char *const *)cmd->args->elts;
    size_t i;

    memset(wish, 0, sizeof(*wish));
    for (i = 0; cmd->args->nelts == 3
                && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(args[1], words[i].word) == 0) {
            wish->word = words[i].word;
            wish->what = words[i].what;
        }
    }
    if (!wish->word
        || (strcmp(args[2], "on") != 0 && strcmp(args[2], "off") != 0)) {
        return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                            "enhance takes a name, one of redirect, hsts and "
                            "ocsp-stapling, and on or off");
    }
    wish->on = strcmp(args[2], "on") == 0;
    if (cmd_names_given(cmd, pnames, 1) == APR_SUCCESS) {
        wish->name = APR_ARRAY_IDX(*pnames, 0, const char *);
    }
    return cmd->err.status;
}

/** The first TLS host of a name; CONFIGURATOR_NONE. */
static configurator_host_t tls_host(const cmd_edit_t *edit, const char *name)
{
    json_t *host;
    size_t i;

    json_array_foreach(json_object_get(edit->before, "virtual_hosts"), i,
                       host) {
        if (json_is_true(json_object_get(host, "ssl"))
            && cmd_host_has_name(host, name) == 1) {
            return (configurator_host_t)i;
        }
    }
    return CONFIGURATOR_NONE;
}

/** The site that is to be enhanced: what serves the name by http or, where
 *  nobody does and it is not about http, by TLS. */
static apr_status_t find_site(const cmd_edit_t *edit, const wish_t *wish,
                              const apr_array_header_t *names,
                              apr_array_header_t **psites)
{
    configurator_host_t tls = tls_host(edit, wish->name);
    configurator_choice_t choice;
    acme_err_t nobody = { 0 };
    cmd_site_t *site;

    memset(&choice, 0, sizeof(choice));
    if (wish->what == CONFIGURATOR_REDIRECT || tls == CONFIGURATOR_NONE
        || !APR_STATUS_IS_ENOENT(configurator_choose(
               &choice, edit->configurator, wish->name, NULL, &nobody,
               edit->cmd->pool))) {
        return cmd_sites_find(edit, names, psites);
    }
    site = apr_pcalloc(edit->cmd->pool, sizeof(*site));
    site->hosts = apr_array_make(edit->cmd->pool, 1,
                                 sizeof(configurator_host_t));
    APR_ARRAY_PUSH(site->hosts, configurator_host_t) = tls;
    *psites = apr_array_make(edit->cmd->pool, 1, sizeof(void *));
    APR_ARRAY_PUSH(*psites, cmd_site_t *) = site;
    return APR_SUCCESS;
}

static apr_status_t plan(cmd_edit_t *edit, const wish_t *wish,
                         const cmd_site_t *site)
{
    cmd_t *cmd = edit->cmd;
    apr_status_t rv = cmd_edit_plan(edit);
    int does, i;

    for (i = 0; rv == APR_SUCCESS && i < site->hosts->nelts; i++) {
        rv = configurator_enhance(edit->plan, &does,
                                  APR_ARRAY_IDX(site->hosts, i,
                                                configurator_host_t),
                                  wish->name, wish->what, wish->on,
                                  &cmd->err);
    }
    if (rv == APR_SUCCESS && wish->on) {
        rv = configurator_manage(edit->plan, &does, &cmd->err);
    }
    if (rv != APR_SUCCESS) {
        cmd_edit_refused(edit);
    }
    return rv;
}

/** What is asked of the name afterwards, whatever its hosts said. */
static apr_array_header_t *targets_of(cmd_t *cmd, const wish_t *wish,
                                      const apr_array_header_t *names)
{
    apr_array_header_t *targets = cmd_targets(cmd, names);
    validator_target_t *target = &APR_ARRAY_IDX(targets, 0,
                                                validator_target_t);

    switch (wish->what) {
    case CONFIGURATOR_REDIRECT:
        target->redirect = wish->on;
        break;
    case CONFIGURATOR_HSTS:
        target->hsts = wish->on;
        break;
    case CONFIGURATOR_STAPLING:
        target->stapling = wish->on;
        break;
    }
    return targets;
}

static void run(cmd_edit_t *edit, const wish_t *wish,
                const apr_array_header_t *names)
{
    cmd_t *cmd = edit->cmd;
    apr_array_header_t *sites;

    if (find_site(edit, wish, names, &sites) == APR_SUCCESS
        && plan(edit, wish, APR_ARRAY_IDX(sites, 0, cmd_site_t *))
           == APR_SUCCESS
        && cmd_edit_test(edit) == APR_SUCCESS && !cmd->options.plan
        && cmd_edit_confirm(edit) == APR_SUCCESS) {
        cmd->config = edit->after;
        cmd_edit_apply(edit, apr_psprintf(cmd->pool, "enhance %s %s %s",
                                          wish->name, wish->word,
                                          wish->on ? "on" : "off"),
                       targets_of(cmd, wish, names));
    }
    cmd_edit_end(edit);
    cmd_reached(cmd, apr_psprintf(cmd->pool, "%s: %s is %s%s", wish->name,
                                  wish->word, wish->on ? "on" : "off",
                                  edit->running ? ""
                                  : " once httpd is started"));
    cmd_planned(cmd, "");
    if (cmd->err.status == APR_SUCCESS
        && edit->planned.changes->nelts == 0) {
        cmd_note(cmd, "nothing to do: %s has %s %s already", wish->name,
                 wish->word, wish->on ? "on" : "off");
    }
}

void cmd_enhance(cmd_t *cmd)
{
    apr_array_header_t *names;
    cmd_edit_t *edit;
    wish_t wish;

    if (parse(cmd, &wish, &names) == APR_SUCCESS
        && cmd_edit_begin(&edit, cmd) == APR_SUCCESS) {
        run(edit, &wish, names);
    }
}
