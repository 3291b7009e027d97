/*
 * server_put.c: what hosts need of the whole server, planned and written,
 * for t/server_edit.t. Nothing is journalled: the tree is a test's own.
 *
 *     server_put DUMP MODULE WISH...
 *
 * DUMP is a file with the document of DUMP_ACME, MODULE mod_acme.so, WISH
 * "ssl", "headers", "module=NAME", "acme", "stapling", "listen=PORT",
 * "agreement" or "contact=MAIL"; "early" writes only what a certificate
 * waits for. Prints steps and warnings, then "changes: N".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "configurator/server.h"

static acme_err_t err;

static int fail(void)
{
    printf("refused: %s\n", err.message);
    return err.exit;
}

static int starts(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

/** @return APR_SUCCESS, or the refusal of a setting */
static apr_status_t wish(configurator_plan_t *plan, const char *word)
{
    configurator_settings_t settings = { 0 };
    int ignored;

    if (strcmp(word, "ssl") == 0 || strcmp(word, "headers") == 0) {
        plan_want_module(plan, word, "for the test");
    }
    else if (starts(word, "module=")) {
        plan_want_module(plan, word + 7, "for the test");
    }
    else if (strcmp(word, "acme") == 0) {
        plan->acme = 1;
    }
    else if (strcmp(word, "stapling") == 0) {
        plan->stapling_cache = !json_is_true(json_object_get(
            server_of(plan->c), "stapling_cache"));
    }
    else if (starts(word, "listen=")) {
        plan_want_listen(plan, NULL, (int)strtol(word + 7, NULL, 10));
    }
    else if (strcmp(word, "agreement") == 0) {
        settings.agreement = 1;
    }
    else if (starts(word, "contact=")) {
        settings.contact = word + 8;
    }
    return configurator_settings(plan, &ignored, &settings, &err);
}

static apr_status_t write_change(const journal_change_t *change)
{
    if (change->op == JOURNAL_SYMLINK) {
        return symlink(change->data, change->path) == 0 ? APR_SUCCESS
               : base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED,
                              "cannot link %s", change->path);
    }
    unlink(change->path);
    return base_file_put(change->path, change->data, change->len, 0644,
                         &err);
}

static void print_lines(const char *what, const apr_array_header_t *lines)
{
    int i;

    for (i = 0; i < lines->nelts; i++) {
        printf("%s: %s\n", what, APR_ARRAY_IDX(lines, i, const char *));
    }
}

static int put(const configurator_result_t *result, int early)
{
    const apr_array_header_t *changes = early ? result->early
                                              : result->changes;
    int i;

    for (i = 0; i < changes->nelts; i++) {
        if (write_change(&APR_ARRAY_IDX(changes, i, journal_change_t))
            != APR_SUCCESS) {
            return fail();
        }
    }
    print_lines("step", result->steps);
    print_lines("warning", result->warnings);
    printf("changes: %d\n", changes->nelts);
    return 0;
}

int main(int argc, const char **argv)
{
    configurator_options_t options = { 0 };
    configurator_result_t result;
    configurator_plan_t *plan;
    configurator_t *c;
    apr_pool_t *pool;
    json_t *config;
    int i, ignored, early = 0;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc < 3) {
        return 2;
    }
    options.module = argv[2];
    if (base_json_read(&config, argv[1], 1 << 24, &err, pool, pool)
        != APR_SUCCESS
        || configurator_probe(&c, config, &options, &err, pool)
           != APR_SUCCESS
        || configurator_plan(&plan, c, &err, pool) != APR_SUCCESS) {
        return fail();
    }
    for (i = 3; i < argc; i++) {
        early |= strcmp(argv[i], "early") == 0;
        if (wish(plan, argv[i]) != APR_SUCCESS) {
            return fail();
        }
    }
    if (configurator_manage(plan, &ignored, &err) != APR_SUCCESS
        || configurator_finish(&result, plan, &err, pool) != APR_SUCCESS) {
        return fail();
    }
    return put(&result, early);
}
