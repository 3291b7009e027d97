/*
 * where.c: where the store is, also while httpd cannot tell.
 *
 *     --store ──given──> that
 *        │
 *     httpd -t -D DUMP_ACME ──answered──> ACMEStoreDir as httpd reads it
 *        │ refused, or there is no httpd
 *     ACMEStoreDir in the text of the configuration ──found──> that
 *        │
 *     the built-in directory, if a store is there and its last good
 *     configuration (config.json) is the one that is meant
 *        │
 *     a sentence that asks for --store
 *
 * Whose store it is matters: it says which files are put back.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

json_t *cmd_kept_server(cmd_t *cmd, const store_t *store)
{
    acme_err_t ignored = { 0 };
    json_t *config;

    if (store_config_read(&config, store, &ignored, cmd->pool)
        != APR_SUCCESS
        || schema_check(schema_find(cmd->schemas, "state/config-dump"),
                        config, "config.json", &ignored) != APR_SUCCESS) {
        return NULL;
    }
    return json_object_get(config, "server");
}

int cmd_same_path(const char *a, const char *b)
{
    char real_a[PATH_MAX];
    char real_b[PATH_MAX];

    return strcmp(a, b) == 0
           || (realpath(a, real_a) && realpath(b, real_b)
               && strcmp(real_a, real_b) == 0);
}

/** 1 if the kept value of member is what the command line says, or if that
 *  says nothing. @param base  nullable: where given begins, if relative */
static int fits(const json_t *server, const char *member, const char *given,
                const char *base, apr_pool_t *pool)
{
    const char *kept = json_string_value(json_object_get(server, member));

    if (!given) {
        return 1;
    }
    if (given[0] != '/' && base) {
        given = apr_pstrcat(pool, base, "/", given, NULL);
    }
    return kept && cmd_same_path(kept, given);
}

/** 1 if the store in dir is that of the httpd that is meant. */
static int is_meant(cmd_t *cmd, const char *dir)
{
    acme_err_t ignored = { 0 };
    const json_t *server;
    store_t *store;

    if (store_open(&store, dir, 0, &ignored, cmd->pool) != APR_SUCCESS) {
        return 0;
    }
    server = cmd_kept_server(cmd, store);
    if (!server) {
        return !cmd->httpd.config && !cmd->httpd.root;
    }
    return fits(server, "root", cmd->httpd.root, NULL, cmd->pool)
           && fits(server, "config", cmd->httpd.config,
                   json_string_value(json_object_get(server, "root")),
                   cmd->pool);
}

/** The store while httpd does not tell. @param refused  why not */
static apr_status_t find_without_httpd(cmd_t *cmd, const char **pdir,
                                       const acme_err_t *refused)
{
    const char *where;

    if (httpd_word_find(pdir, &where, &cmd->httpd, "ACMEStoreDir",
                        cmd->pool) == APR_SUCCESS && (*pdir)[0] == '/') {
        cmd_note(cmd, "the store is %s by the text of %s, for httpd did not "
                 "tell: %s", *pdir, where, refused->message);
        return APR_SUCCESS;
    }
    if (is_meant(cmd, cmd->default_store)) {
        *pdir = cmd->default_store;
        cmd_note(cmd, "the store is %s, the built-in one, for httpd did not "
                 "tell: %s", *pdir, refused->message);
        return APR_SUCCESS;
    }
    return base_err_set(&cmd->err, APR_ENOENT, refused->exit,
                        "where the store is cannot be known, name it with "
                        "--store DIR (the configuration's ACMEStoreDir): %s",
                        refused->message);
}

apr_status_t cmd_find_store(cmd_t *cmd, const char **pdir)
{
    if (cmd->store_dir) {
        *pdir = cmd->store_dir;
        return APR_SUCCESS;
    }
    if (cmd_read_config(cmd) == APR_SUCCESS) {
        *pdir = json_string_value(json_object_get(
            json_object_get(cmd->config, "server"), "store"));
        return APR_SUCCESS;
    }
    cmd->refused = cmd->err;
    base_err_clear(&cmd->err);
    if (find_without_httpd(cmd, pdir, &cmd->refused) == APR_SUCCESS) {
        /* Asked once: what follows needs no other answer. */
        cmd->store_dir = *pdir;
    }
    return cmd->err.status;
}
