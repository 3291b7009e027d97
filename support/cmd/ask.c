/*
 * ask.c: the questions of the verbs that edit. Each has a flag that answers
 * it; where nobody can be asked, that flag is what is missing.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** Names that a sentence lists, at most. */
#define LISTED 20

/* ------------------------------------------------------------------ names */

/** What is served by http and has no certificate, neither mod_acme's nor
 *  one of its own; of configurator_name_t. */
static apr_array_header_t *unsecured(const cmd_edit_t *edit)
{
    apr_pool_t *pool = edit->cmd->pool;
    apr_array_header_t *all = configurator_names(edit->configurator, pool);
    apr_array_header_t *open = apr_array_make(pool, all->nelts + 1,
                                              sizeof(configurator_name_t));
    int i;

    for (i = 0; i < all->nelts; i++) {
        const configurator_name_t *n = &APR_ARRAY_IDX(all, i,
                                                      configurator_name_t);

        if (!n->managed && !n->certified && n->host != CONFIGURATOR_NONE) {
            APR_ARRAY_PUSH(open, configurator_name_t) = *n;
        }
    }
    return open;
}

static apr_status_t nobody_asked(cmd_t *cmd, const apr_array_header_t *open)
{
    const char *list = "";
    int i;

    for (i = 0; i < open->nelts && i < LISTED; i++) {
        list = apr_pstrcat(cmd->pool, list, i ? ", " : "",
                           APR_ARRAY_IDX(open, i, configurator_name_t).name,
                           NULL);
    }
    return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                        "name the sites; those not yet secured: %s%s", list,
                        open->nelts > LISTED ? ", ..." : "");
}

static apr_status_t choose_names(const cmd_edit_t *edit,
                                 const apr_array_header_t *open,
                                 apr_array_header_t *names)
{
    cmd_t *cmd = edit->cmd;
    apr_array_header_t *items = apr_array_make(cmd->pool, open->nelts,
                                               sizeof(display_item_t));
    int i;

    for (i = 0; i < open->nelts; i++) {
        const configurator_name_t *n = &APR_ARRAY_IDX(open, i,
                                                      configurator_name_t);
        display_item_t item = { n->name, configurator_place(
            edit->configurator, n->host, cmd->pool), 1 };

        APR_ARRAY_PUSH(items, display_item_t) = item;
    }
    if (display_checklist(cmd->display, "Which names are to be secured?",
                          items, "the names", &cmd->err) != APR_SUCCESS) {
        return cmd->err.status;
    }
    for (i = 0; i < items->nelts; i++) {
        if (APR_ARRAY_IDX(items, i, display_item_t).on) {
            APR_ARRAY_PUSH(names, const char *) =
                APR_ARRAY_IDX(items, i, display_item_t).tag;
        }
    }
    return APR_SUCCESS;
}

apr_status_t cmd_ask_names(const cmd_edit_t *edit, apr_array_header_t *names)
{
    cmd_t *cmd = edit->cmd;
    const apr_array_header_t *open = unsecured(edit);

    if (open->nelts == 0) {
        cmd_note(cmd, "httpd serves no name by http that is not secured "
                 "already");
        return APR_SUCCESS;
    }
    return display_can_ask(cmd->display) ? choose_names(edit, open, names)
                                         : nobody_asked(cmd, open);
}

/* ------------------------------------------------------------------- host */

apr_status_t cmd_ask_host(cmd_t *cmd, const configurator_choice_t *choice,
                          const char **panswer)
{
    apr_array_header_t *items = apr_array_make(cmd->pool, 4,
                                               sizeof(display_item_t));
    const configurator_candidate_t *c;
    int chosen = 0;
    int i;

    for (i = 0; i < choice->candidates->nelts; i++) {
        display_item_t item = { NULL, NULL, 0 };

        c = &APR_ARRAY_IDX(choice->candidates, i, configurator_candidate_t);
        item.tag = c->place;
        item.text = c->why;
        APR_ARRAY_PUSH(items, display_item_t) = item;
    }
    if (display_menu(cmd->display, &chosen, apr_psprintf(
            cmd->pool, "Which virtual host is the site of %s?",
            choice->name), items, "--vhost", &cmd->err) != APR_SUCCESS) {
        return cmd->err.status;
    }
    *panswer = APR_ARRAY_IDX(items, chosen, display_item_t).tag;
    return APR_SUCCESS;
}

/* -------------------------------------------------------------- yes or no */

/** @param panswer  as it is where nobody can be asked */
static apr_status_t yes_or_no(cmd_t *cmd, int *panswer, const char *question,
                              int otherwise, const char *flag)
{
    acme_err_t err = { 0 };
    apr_status_t rv = display_yesno(cmd->display, panswer, question,
                                    otherwise, flag, &err);

    if (rv != APR_SUCCESS && rv != APR_ENOTIMPL) {
        cmd->err = err;
    }
    return cmd->err.status;
}

apr_status_t cmd_ask_redirect(cmd_t *cmd, int *predirect)
{
    *predirect = 0;
    if (cmd->options.redirect || cmd->options.no_redirect) {
        *predirect = cmd->options.redirect;
        return APR_SUCCESS;
    }
    return yes_or_no(cmd, predirect, "Redirect visitors from http to https?",
                     1, "--redirect or --no-redirect");
}

apr_status_t cmd_ask_agreement(cmd_t *cmd, const char *ca)
{
    int agreed = cmd->options.agree_tos;

    if (!agreed
        && yes_or_no(cmd, &agreed, apr_psprintf(
               cmd->pool, "Do you agree to the terms of service of the CA "
               "%s?", ca), 0, "--agree-tos") != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (!agreed) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "no certificate without agreement to the terms of "
                     "service of the CA %s: --agree-tos says so, and makes "
                     "it \"ACMEAgreement accepted\" in the configuration",
                     ca);
    }
    return cmd->err.status;
}
