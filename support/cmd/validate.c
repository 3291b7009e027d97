/*
 * validate.c: acmectl validate [NAME…]: is what was asked for really
 * served? And the same question for the verbs that edit.
 */
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** Each conversation, and all of them besides so much for each name. */
#define TIMEOUT apr_time_from_sec(10)
#define DEADLINE apr_time_from_sec(60)
#define DEADLINE_EACH apr_time_from_sec(5)

/** Behind a restart an old child may take a connection or two. */
#define SETTLE apr_time_from_sec(2)

/** How far the answers have come. */
typedef struct progress_t {
    cmd_t *cmd;
    int checks;          /* answered */
    int names;
} progress_t;

/** Once for as many checks as a name has: each takes no time. What is asked
 *  again while httpd settles counts no more. */
static void show_progress(void *baton, const char *name, const char *check)
{
    progress_t *progress = baton;
    int done = ++progress->checks / VALIDATOR_ROWS;

    (void)name;
    (void)check;
    if (progress->checks % VALIDATOR_ROWS == 0 && done <= progress->names) {
        display_progress_of(progress->cmd->display, done, progress->names,
                            "validating names");
    }
}

static void tell(cmd_t *cmd, const apr_array_header_t *checks)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < checks->nelts; i++) {
        const validator_check_t *check = &APR_ARRAY_IDX(checks, i,
                                                        validator_check_t);

        json_array_append_new(list, json_pack(
            "{s:s, s:s, s:o, s:b, s:s}", "name", check->name,
            "check", check->check, "ok", check->ok < 0
            ? json_null() : json_boolean(check->ok),
            "required", check->required, "detail", check->detail));
    }
    json_object_set_new(cmd->result, "checks", list);
}

/** Nobody can be asked for a name that no TLS host has. */
static void add_unserved(apr_array_header_t *checks, const char *name)
{
    validator_check_t *check = apr_array_push(checks);

    check->name = name;
    check->check = "host";
    check->ok = 0;
    check->required = 1;
    check->detail = "no virtual host with \"SSLEngine on\" has the name, or "
                    "httpd does not listen on its port";
}

/** Those of targets that can be asked; the others' checks have failed. */
static apr_array_header_t *askable(cmd_t *cmd,
                                   const apr_array_header_t *targets,
                                   apr_array_header_t *checks)
{
    apr_array_header_t *asked = apr_array_make(cmd->pool, targets->nelts + 1,
                                               sizeof(validator_target_t));
    int i;

    for (i = 0; i < targets->nelts; i++) {
        const validator_target_t *target = &APR_ARRAY_IDX(
            targets, i, validator_target_t);

        if (target->https->nelts == 0) {
            add_unserved(checks, target->name);
        }
        else {
            APR_ARRAY_PUSH(asked, validator_target_t) = *target;
        }
    }
    return asked;
}

void cmd_checks_before(cmd_t *cmd, const apr_array_header_t *targets)
{
    apr_array_header_t *before = apr_array_make(cmd->pool, targets->nelts + 1,
                                                sizeof(validator_target_t));
    validator_options_t options = { 0 };
    apr_array_header_t *answers;
    acme_err_t ignored = { 0 };
    int i;

    for (i = 0; i < targets->nelts; i++) {
        validator_target_t *target = apr_array_push(before);

        *target = APR_ARRAY_IDX(targets, i, validator_target_t);
        target->https = apr_array_make(cmd->pool, 1,
                                       sizeof(validator_address_t));
        target->managed = 0;
    }
    options.timeout = TIMEOUT;
    options.deadline = TIMEOUT + before->nelts * DEADLINE_EACH;
    if (validator_run(&answers, before, &options, &ignored, cmd->pool)
        != APR_SUCCESS) {
        return;
    }
    for (i = 0; i < answers->nelts; i++) {
        const validator_check_t *check = &APR_ARRAY_IDX(answers, i,
                                                        validator_check_t);

        if (strcmp(check->check, "http") == 0) {
            validator_target_t *target = &APR_ARRAY_IDX(
                targets, i / VALIDATOR_ROWS, validator_target_t);

            target->broken = target->http->nelts > 0 && check->ok != 1;
        }
    }
}

apr_status_t cmd_checks_run(cmd_t *cmd, const apr_array_header_t *targets,
                            const validator_check_t **pfailed)
{
    apr_array_header_t *checks = apr_array_make(cmd->pool, 16,
                                                sizeof(validator_check_t));
    apr_array_header_t *asked = askable(cmd, targets, checks);
    progress_t progress = { cmd, 0, asked->nelts };
    validator_options_t options = { 0 };
    apr_array_header_t *answers;

    *pfailed = NULL;
    options.timeout = TIMEOUT;
    options.deadline = DEADLINE + asked->nelts * DEADLINE_EACH;
    options.settle = SETTLE;
    options.progress = show_progress;
    options.baton = &progress;
    options.live = json_string_value(json_object_get(
        json_object_get(cmd->config, "server"), "live"));
    if (asked->nelts > 0) {
        display_progress_of(cmd->display, 0, asked->nelts,
                            "validating names");
        if (validator_run(&answers, asked, &options, &cmd->err, cmd->pool)
            != APR_SUCCESS) {
            return cmd->err.status;
        }
        apr_array_cat(checks, answers);
    }
    tell(cmd, checks);
    *pfailed = validator_failed(checks);
    return APR_SUCCESS;
}

void cmd_check_failed(cmd_t *cmd, const validator_check_t *failed)
{
    base_err_set(&cmd->err, APR_EGENERAL, BASE_EXIT_VALIDATION,
                 "%s does not pass the check \"%s\": %s", failed->name,
                 failed->check, failed->detail);
    apr_cpystrn(cmd->err.identifier, failed->name,
                sizeof(cmd->err.identifier));
}

/* --------------------------------------------------------------- the verb */

/** All names that mod_acme takes care of and a host serves. */
static apr_array_header_t *managed_names(cmd_t *cmd)
{
    apr_array_header_t *names = apr_array_make(cmd->pool, 8,
                                               sizeof(const char *));
    json_t *domain;
    size_t i;

    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        if (json_array_size(json_object_get(domain, "virtual_hosts")) > 0) {
            apr_array_cat(names, cmd_strings(
                json_object_get(domain, "names"), cmd->pool));
        }
    }
    return names;
}

apr_status_t cmd_names_given(cmd_t *cmd, apr_array_header_t **pnames,
                             int count)
{
    int i;

    *pnames = apr_array_make(cmd->pool, count + 1, sizeof(const char *));
    for (i = 0; i < count; i++) {
        const char *name;

        if (base_name_check(&name, APR_ARRAY_IDX(cmd->args, i, const char *),
                            0, &cmd->err, cmd->pool) != APR_SUCCESS) {
            cmd->err.exit = BASE_EXIT_USAGE;
            return cmd->err.status;
        }
        if (!base_list_has(*pnames, name)) {
            APR_ARRAY_PUSH(*pnames, const char *) = name;
        }
    }
    return APR_SUCCESS;
}

static void run(cmd_t *cmd, const apr_array_header_t *names)
{
    const validator_check_t *failed;

    if (names->nelts == 0) {
        json_object_set_new(cmd->result, "checks", json_array());
        cmd_note(cmd, "no name is managed, so there is nothing to validate");
        return;
    }
    if (!cmd_httpd_running(cmd, NULL)) {
        base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_FAILED,
                     "httpd is not running, so nothing is served that could "
                     "be validated; start it and try again");
        return;
    }
    if (cmd_checks_run(cmd, cmd_targets(cmd, names), &failed) == APR_SUCCESS
        && failed) {
        cmd_check_failed(cmd, failed);
    }
}

void cmd_validate(cmd_t *cmd)
{
    apr_array_header_t *names;

    if (cmd_names_given(cmd, &names, cmd->args->nelts) != APR_SUCCESS
        || cmd_read_config(cmd) != APR_SUCCESS
        || cmd_look_into_store(cmd) != APR_SUCCESS) {
        return;
    }
    run(cmd, cmd->args->nelts > 0 ? names : managed_names(cmd));
}
