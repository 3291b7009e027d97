/*
 * account.c: acmectl account show|register
 */
#include <string.h>

#include "cmd/internal.h"

static json_t *account_json(const char *ca, const json_t *account)
{
    json_t *contact = json_object_get(account, "contact");
    json_t *url = json_object_get(account, "url");
    const char *status = json_string_value(json_object_get(account,
                                                           "status"));
    json_t *object = json_pack("{s:s, s:s, s:n}", "ca", ca, "status",
                               status ? status : "none", "thumbprint");

    json_object_set_new(object, "url", url ? json_incref(url) : json_null());
    json_object_set_new(object, "contact", contact ? json_incref(contact)
                                                   : json_array());
    return object;
}

/** Add the account at ca to the array, unless it is there. */
static void add_account(cmd_t *cmd, json_t *accounts, const char *ca)
{
    acme_err_t ignored = { 0 };
    json_t *account = NULL;
    json_t *item;
    size_t i;

    json_array_foreach(accounts, i, item) {
        if (strcmp(json_string_value(json_object_get(item, "ca")), ca)
            == 0) {
            return;
        }
    }
    if (cmd->store) {
        store_account_read(&account, cmd->store, ca, &ignored, cmd->pool);
    }
    json_array_append_new(accounts, account_json(ca, account));
}

/** Call add for each CA of the configuration. */
static void each_ca(cmd_t *cmd, json_t *accounts)
{
    json_t *domain;
    json_t *ca;
    size_t i;
    size_t k;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        json_array_foreach(json_object_get(json_object_get(domain,
                                                           "settings"),
                                           "ca"), k, ca) {
            add_account(cmd, accounts, json_string_value(ca));
        }
    }
}

/** The accounts of the configuration's CAs and of the store, as they are
 *  now, without thumbprints; a new reference. */
static json_t *list(cmd_t *cmd, acme_err_t *err)
{
    json_t *accounts = json_array();
    apr_array_header_t *cas;
    int i;

    each_ca(cmd, accounts);
    if (cmd->store && store_account_list(&cas, cmd->store, err, cmd->pool)
                      == APR_SUCCESS) {
        for (i = 0; i < cas->nelts; i++) {
            add_account(cmd, accounts, APR_ARRAY_IDX(cas, i, const char *));
        }
    }
    return accounts;
}

/** The thumbprint of the account's key (RFC 7638); NULL if it has none.
 *  Lives in pool with the key's text. */
static const char *thumbprint(const cmd_t *cmd, const char *ca,
                              apr_pool_t *pool)
{
    const char *text = NULL;
    acme_err_t ignored = { 0 };
    crypto_key_t *key;
    apr_size_t len;
    char *pem;

    if (store_account_key_read(&pem, &len, cmd->store, ca, &ignored, pool)
        != APR_SUCCESS
        || crypto_key_read(&key, pem, len, &ignored, pool) != APR_SUCCESS
        || crypto_jwk_thumbprint(&text, key, &ignored, pool)
           != APR_SUCCESS) {
        return NULL;
    }
    return text;
}

/** Fill in the thumbprints. This reads keys, so never before the net worker
 *  is forked. */
static void add_thumbprints(cmd_t *cmd, json_t *accounts)
{
    apr_pool_t *iterpool;
    json_t *account;
    size_t i;

    apr_pool_create(&iterpool, cmd->pool);
    json_array_foreach(accounts, i, account) {
        const char *ca = json_string_value(json_object_get(account, "ca"));
        const char *text;

        apr_pool_clear(iterpool);
        text = cmd->store ? thumbprint(cmd, ca, iterpool) : NULL;
        if (text) {
            json_object_set_new(account, "thumbprint", json_string(text));
        }
    }
    apr_pool_destroy(iterpool);
}

static void show_progress(void *baton, int job, const char *step)
{
    (void)job;
    display_progress(((cmd_t *)baton)->display, "account", step);
}

/** One account job for each CA of the configuration. */
static apr_status_t plan_accounts(cmd_t *cmd, worker_plan_t *plan)
{
    json_t *domain;
    json_t *ca;
    size_t i;
    size_t k;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        json_t *settings = json_object_get(domain, "settings");

        json_array_foreach(json_object_get(settings, "ca"), k, ca) {
            int index;

            if (cmd_plan_ca(cmd, plan, json_string_value(ca), settings,
                            &index, &cmd->err) != APR_SUCCESS) {
                return cmd->err.status;
            }
            if (index == plan->jobs->nelts) {
                worker_job_t *job = apr_array_push(plan->jobs);

                memset(job, 0, sizeof(*job));
                job->kind = WORKER_ACCOUNT;
                job->ca = index;
            }
        }
    }
    if (plan->jobs->nelts == 0) {
        return base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_USAGE,
                            "the configuration has no ACMEDomain, so there "
                            "is no CA to have an account at");
    }
    return APR_SUCCESS;
}

/** The first failure is the verb's, others are notes. */
static void collect(cmd_t *cmd, const keeper_t *keeper, int jobs)
{
    int failed = 0;
    int i;

    for (i = 0; i < jobs; i++) {
        const acme_err_t *err = &keeper_outcome(keeper, i)->result.err;

        if (err->status == APR_SUCCESS) {
            continue;
        }
        if (failed++ == 0) {
            cmd->err = *err;
        }
        else {
            cmd_note(cmd, "%s", err->message);
        }
    }
    if (failed) {
        cmd->err.exit = cmd_exit_for(failed, jobs, &cmd->err);
    }
}

static void run(cmd_t *cmd, worker_plan_t *plan)
{
    keeper_job_t *jobs = apr_pcalloc(cmd->pool, sizeof(*jobs)
                                     * (apr_size_t)plan->jobs->nelts);
    acme_err_t ignored = { 0 };
    json_t *before = base_json_own(list(cmd, &ignored), cmd->pool);
    keeper_options_t options = { 0 };
    keeper_t *keeper;
    json_t *after;

    options.jobs = jobs;
    options.progress = show_progress;
    options.baton = cmd;
    cmd_plan_run(cmd, &keeper, plan, &options);
    collect(cmd, keeper, plan->jobs->nelts);
    base_err_clear(&ignored);
    after = list(cmd, &ignored);
    json_object_set_new(cmd->result, "accounts", after);
    json_object_set_new(cmd->result, "changed",
                        json_boolean(!json_equal(before, after)));
    add_thumbprints(cmd, after);
}

static void show(cmd_t *cmd)
{
    json_t *accounts = list(cmd, &cmd->err);

    json_object_set_new(cmd->result, "accounts", accounts);
    add_thumbprints(cmd, accounts);
}

void cmd_account(cmd_t *cmd)
{
    const char *what = cmd->args->nelts == 1
                       ? APR_ARRAY_IDX(cmd->args, 0, const char *) : "";
    int registering = strcmp(what, "register") == 0;

    if (!registering && strcmp(what, "show") != 0) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "account needs one of: show, register");
        return;
    }
    if ((registering ? cmd_begin(cmd) : cmd_read_config(cmd))
        != APR_SUCCESS) {
        return;
    }
    if (registering) {
        worker_plan_t *plan;

        if (cmd_open_store(cmd, 1) != APR_SUCCESS) {
            return;
        }
        plan = cmd_plan_make(cmd);
        if (plan_accounts(cmd, plan) == APR_SUCCESS) {
            run(cmd, plan);
        }
        return;
    }
    if (cmd_look_into_store(cmd) == APR_SUCCESS) {
        show(cmd);
    }
}
