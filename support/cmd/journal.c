/*
 * journal.c: the journal as verbs use it: find it, hold it, finish what a
 * killed run left, and let httpd know.
 */
#include <string.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "cmd/internal.h"

/* ------------------------------------------------------------------- open */

const char *cmd_holder(const cmd_t *cmd)
{
    return apr_psprintf(cmd->pool, "acmectl %s, pid %d", cmd->verb,
                        (int)getpid());
}

/** The store, for reading; NULL if httpd's configuration names one that is
 *  not there yet. */
static apr_status_t find_store(cmd_t *cmd, store_t **pstore)
{
    int named = cmd->store_dir != NULL;
    const char *dir = NULL;

    *pstore = NULL;
    if (cmd_find_store(cmd, &dir) != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (APR_STATUS_IS_ENOENT(store_open(pstore, dir, 0, &cmd->err,
                                        cmd->pool)) && !named) {
        base_err_clear(&cmd->err);
        *pstore = NULL;
    }
    return cmd->err.status;
}

apr_status_t cmd_journal_open(cmd_t *cmd, journal_t **pjournal)
{
    store_t *store;

    *pjournal = NULL;
    if (find_store(cmd, &store) != APR_SUCCESS || !store) {
        return cmd->err.status;
    }
    cmd->journal_store = store;
    if (APR_STATUS_IS_ENOENT(journal_open(
            pjournal, apr_pstrcat(cmd->pool, store_dir(store), "/journal",
                                  NULL), 0, &cmd->err, cmd->pool))) {
        base_err_clear(&cmd->err);
        *pjournal = NULL;
    }
    return cmd->err.status;
}

/* ----------------------------------------------------------------- result */

/* Strings of the journal are bytes: names of files, lines of files. What is
 * no UTF-8 is dealt with where it is shown. */
static json_t *bytes_json(const char *text)
{
    return text ? json_string_nocheck(text) : json_null();
}

static json_t *file_json(const journal_file_t *file)
{
    json_t *object = json_object();

    json_object_set_new(object, "path", bytes_json(file->path));
    json_object_set_new(object, "op", json_string(journal_op_name(file->op)));
    if (file->aside) {
        json_object_set_new(object, "aside", bytes_json(file->aside));
    }
    if (file->diff) {
        json_object_set_new(object, "diff", bytes_json(file->diff));
    }
    return object;
}

json_t *cmd_files_json(const apr_array_header_t *files, apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);
    json_t *array = json_array();
    json_t *object;
    int i;

    for (i = 0; files && i < files->nelts; i++) {
        const journal_file_t *file = &APR_ARRAY_IDX(files, i,
                                                    journal_file_t);

        object = apr_hash_get(seen, file->path, APR_HASH_KEY_STRING);
        if (object) {
            json_object_set_new(object, "op", json_string(
                journal_op_name(file->op)));
            continue;
        }
        object = file_json(file);
        apr_hash_set(seen, file->path, APR_HASH_KEY_STRING, object);
        json_array_append_new(array, object);
    }
    return array;
}

json_t *cmd_checkpoint_json(const journal_checkpoint_t *checkpoint,
                            apr_pool_t *pool)
{
    json_t *object = json_object();
    json_t *notes = json_array();
    int i;

    for (i = 0; i < checkpoint->notes->nelts; i++) {
        json_array_append_new(notes, bytes_json(APR_ARRAY_IDX(
            checkpoint->notes, i, const char *)));
    }
    json_object_set_new(object, "id",
                        json_integer((json_int_t)checkpoint->id));
    json_object_set_new(object, "title", bytes_json(checkpoint->title));
    json_object_set_new(object, "created", checkpoint->created
                        ? json_string(base_time_text(checkpoint->created,
                                                     pool))
                        : json_null());
    json_object_set_new(object, "notes", notes);
    json_object_set_new(object, "files",
                        cmd_files_json(checkpoint->files, pool));
    if (checkpoint->damaged) {
        json_object_set_new(object, "damaged",
                            bytes_json(checkpoint->damaged));
    }
    return object;
}

apr_status_t cmd_journal_json(cmd_t *cmd)
{
    journal_status_t status = { 0 };
    journal_t *journal;
    json_t *object;

    if (cmd_journal_open(cmd, &journal) != APR_SUCCESS
        || (journal && journal_status(&status, journal, &cmd->err, cmd->pool)
                       != APR_SUCCESS)) {
        return cmd->err.status;
    }
    object = json_pack("{s:i, s:b, s:b}", "checkpoints", status.checkpoints,
                       "active", status.active, "interrupted",
                       status.active && !status.holder);
    json_object_set_new(object, "kind", status.active && status.kind[0]
                        ? json_string(status.kind) : json_null());
    json_object_set_new(object, "holder", bytes_json(status.holder));
    json_object_set_new(cmd->result, "journal", object);
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------ httpd */

static const char *text_of(const json_t *server, const char *member)
{
    return json_string_value(json_object_get(server, member));
}

/** What is known of the server whose files were put back: it answered
 *  before, or earlier, or answers now. Where an earlier run put them back,
 *  what answered in this one is not what httpd has loaded. NULL where err
 *  says why not. */
static const json_t *known_server(cmd_t *cmd, httpd_args_t *args,
                                  acme_err_t *err)
{
    const json_t *now = json_object_get(cmd->config, "server");
    const json_t *server = cmd->undone.earlier ? NULL : now;

    if (!server && cmd->journal_store) {
        server = cmd_kept_server(cmd, cmd->journal_store);
        server = server ? server : now;
        if (server && !args->config) {
            args->config = text_of(server, "config");
        }
        if (server && !args->root) {
            args->root = text_of(server, "root");
        }
    }
    if (!server) {
        if (cmd_read_config(cmd) != APR_SUCCESS) {
            *err = cmd->err;
            base_err_clear(&cmd->err);
            return NULL;
        }
        server = json_object_get(cmd->config, "server");
    }
    args->server = text_of(server, "binary");
    return server;
}

/** The document of the files as they are now, with mod_acme brought along if
 *  need be; NULL where httpd does not tell. */
static json_t *look_again(const cmd_t *cmd, const httpd_args_t *args)
{
    httpd_args_t bring = *args;
    acme_err_t ignored = { 0 };
    json_t *config = NULL;
    const char *text;
    apr_size_t len;

    if (httpd_dump_with(&text, &len, &bring, cmd->module, &ignored,
                        cmd->pool) == APR_SUCCESS) {
        base_json_parse(&config, text, len, HTTPD_DUMP_MAX, "the document",
                        &ignored, cmd->pool);
    }
    return config;
}

/** 1 if mod_ssl would end httpd: it keeps the SSLStaplingCache that it has
 *  loaded for ever, and stops where it cannot make it again (2.4.71). */
static int would_end(const cmd_t *cmd, const json_t *server,
                     const httpd_args_t *args)
{
    return json_is_true(json_object_get(server, "stapling_cache"))
        && json_is_false(json_object_get(json_object_get(
               look_again(cmd, args), "server"), "stapling_cache"));
}

/** 1 if httpd has read its files since an earlier run put them all back:
 *  that run could not restart it, so it was stopped and started. */
static int has_started_since(const cmd_t *cmd, const char *pid_file)
{
    return cmd->undone.restored
        && httpd_settled(pid_file, cmd->undone.earlier);
}

/**
 * Restart httpd gracefully if it runs and has loaded what was undone.
 *
 * @param loaded  1: it certainly has; 0: if it started after since (µs UTC)
 */
static apr_status_t reload(cmd_t *cmd, int loaded, apr_time_t since,
                           acme_err_t *err)
{
    httpd_args_t args = cmd->httpd;
    const json_t *server = known_server(cmd, &args, err);
    const char *pid_file = text_of(server, "pid_file");
    acme_err_t stopped = { 0 };
    pid_t pid;

    if (!server && APR_STATUS_IS_ENOENT(err->status)) {
        cmd_note(cmd, "no httpd was told: %s", err->message);
        base_err_clear(err);
        return APR_SUCCESS;
    }
    if (!server) {
        return base_err_wrap(err, "the files are as before, but whether a "
                             "running httpd has to be reloaded cannot be "
                             "known");
    }
    if (httpd_running(&pid, pid_file, args.server, &stopped, cmd->pool)
        != APR_SUCCESS) {
        cmd_note(cmd, "httpd does not run, and was not started");
        return APR_SUCCESS;
    }
    if (!loaded && !httpd_settled(pid_file, since)) {
        return APR_SUCCESS;
    }
    if (has_started_since(cmd, pid_file)) {
        if (cmd->undone.files == 0) {
            return APR_SUCCESS;
        }
    }
    else if (would_end(cmd, server, &args)) {
        /* The mark gets today's time: a start after it ends this. */
        store_reload_due(cmd->journal_store, 1, &stopped, cmd->pool);
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_HTTPD,
                            "the files are as before, but httpd runs on with "
                            "what it had loaded: they have no "
                            "SSLStaplingCache any more, and mod_ssl ends "
                            "httpd at a graceful restart that takes it away; "
                            "stop httpd and start it");
    }
    display_progress(cmd->display, "httpd", "restarting gracefully");
    /* Not by the live segment: what was put back may lack mod_acme. */
    if (httpd_graceful(&args, pid_file, NULL, NULL, CMD_GRACEFUL_DEADLINE,
                       err, cmd->pool) != APR_SUCCESS) {
        return base_err_wrap(err, "the files are as before, but httpd runs "
                             "on with what it had loaded");
    }
    cmd_note(cmd, "httpd was restarted gracefully");
    return APR_SUCCESS;
}

void cmd_undone_mark(cmd_t *cmd)
{
    acme_err_t ignored = { 0 };

    if (cmd->undone.marked) {
        return;
    }
    /* A mark that is there already: an earlier run was killed, or could not
     * restart httpd. */
    cmd->undone.earlier = store_reload_since(cmd->journal_store,
                                             &cmd->undone.restored,
                                             cmd->pool);
    cmd->undone.loaded |= cmd->undone.earlier != 0;
    cmd->undone.marked = 1;
    if (!cmd->undone.earlier) {
        store_reload_due(cmd->journal_store, 0, &ignored, cmd->pool);
    }
}

void cmd_undone_add(cmd_t *cmd, const journal_undo_t *undo,
                    apr_time_t since)
{
    cmd_undone_t *undone = &cmd->undone;

    if (undo->count > 0 || undo->files->nelts > 0) {
        json_object_set_new(cmd->result, "changed", json_true());
        undone->since = undone->files && undone->since < since
                        ? undone->since : since;
    }
    undone->files += undo->files->nelts;
    undone->loaded |= undo->reload;
}

apr_status_t cmd_undone_reload(cmd_t *cmd, acme_err_t *err)
{
    cmd_undone_t *undone = &cmd->undone;
    acme_err_t ignored = { 0 };

    if ((undone->files > 0 || undone->loaded)
        && reload(cmd, undone->loaded, undone->since, err) != APR_SUCCESS) {
        return err->status;
    }
    store_reload_done(cmd->journal_store, &ignored, cmd->pool);
    memset(undone, 0, sizeof(*undone));
    /* What was read is of the files as they were. */
    cmd->config = NULL;
    return APR_SUCCESS;
}

void cmd_undone_none(cmd_t *cmd)
{
    acme_err_t ignored = { 0 };

    if (cmd->undone.marked) {
        store_reload_done(cmd->journal_store, &ignored, cmd->pool);
        memset(&cmd->undone, 0, sizeof(cmd->undone));
    }
}

/* ---------------------------------------------------------------- recover */

static void tell_recovered(cmd_t *cmd, const journal_undo_t *undo)
{
    json_t *recovered = json_pack("{s:i}", "count", undo->count);

    json_object_set_new(recovered, "files",
                        cmd_files_json(undo->files, cmd->pool));
    json_object_set_new(recovered, "conflicts",
                        cmd_files_json(undo->conflicts, cmd->pool));
    json_object_set_new(cmd->result, "recovered", recovered);
    if (undo->count > 0) {
        base_log(BASE_LOG_NOTICE, "an interrupted change was undone: %d "
                 "file%s put back", undo->files->nelts,
                 undo->files->nelts == 1 ? "" : "s");
    }
}

apr_status_t cmd_journal_recover(cmd_t *cmd, journal_t *journal,
                                 journal_drift_t drift, int *pcount,
                                 acme_err_t *err)
{
    journal_status_t status;
    journal_undo_t undo;
    apr_status_t rv;

    *pcount = 0;
    rv = journal_status(&status, journal, err, cmd->pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (status.active || store_reload_is_due(cmd->journal_store, cmd->pool)) {
        cmd_undone_mark(cmd);
    }
    rv = journal_recover(&undo, journal, drift, err, cmd->pool, cmd->pool);
    if (status.active) {
        tell_recovered(cmd, &undo);
        cmd_undone_add(cmd, &undo, status.begun);
    }
    if (undo.conflicts->nelts > 0) {
        base_err_append(err, "acmectl recover takes --merge, --force or "
                        "--keep");
    }
    *pcount = undo.count;
    return rv;
}

apr_status_t cmd_journal_take(cmd_t *cmd, journal_t *journal)
{
    return journal_lock(journal, cmd_holder(cmd), cmd->options.wait,
                        &cmd->err, cmd->pool);
}

/* ---------------------------------------------- first act of other verbs */

int cmd_journal_interrupted(cmd_t *cmd, journal_t **pjournal)
{
    acme_err_t saved = cmd->err;
    journal_status_t status = { 0 };
    int interrupted;

    base_err_clear(&cmd->err);
    interrupted = cmd_journal_open(cmd, pjournal) == APR_SUCCESS && *pjournal
        && journal_status(&status, *pjournal, &cmd->err, cmd->pool)
           == APR_SUCCESS
        && !status.holder
        && (status.active
            || store_reload_is_due(cmd->journal_store, cmd->pool));
    cmd->err = saved;
    return interrupted;
}

int cmd_journal_settle(cmd_t *cmd, journal_t *journal)
{
    acme_err_t err = { 0 };
    apr_pool_t *pool;
    int count = 0;

    /* The lock is let go at once: what follows changes no configuration. */
    apr_pool_create(&pool, cmd->pool);
    if (journal_lock(journal, cmd_holder(cmd), 0, &err, pool)
        == APR_SUCCESS
        && (cmd_journal_recover(cmd, journal, JOURNAL_DRIFT_REFUSE, &count,
                                &err) != APR_SUCCESS
            || cmd_undone_reload(cmd, &err) != APR_SUCCESS)) {
        /* Certificates must not wait until somebody has looked at files. */
        cmd_note(cmd, "%s", err.message);
        if (cmd->resident || strcmp(cmd->log_target, "stderr") != 0) {
            base_log(BASE_LOG_ERROR, "%s", err.message);
        }
    }
    apr_pool_destroy(pool);
    /* What was read is of the files as they were. */
    cmd->config = NULL;
    base_err_clear(&cmd->refused);
    return count > 0;
}

apr_status_t cmd_begin(cmd_t *cmd)
{
    const char *named = cmd->store_dir;
    journal_t *journal;

    if (cmd_journal_interrupted(cmd, &journal)) {
        cmd_journal_settle(cmd, journal);
    }
    cmd->store_dir = named;
    return cmd_read_config_once(cmd);
}

apr_status_t cmd_read_config_once(cmd_t *cmd)
{
    if (cmd->refused.status != APR_SUCCESS) {
        /* Where the store may be is of no use now. */
        json_object_del(cmd->result, "notes");
        cmd->err = cmd->refused;
        return cmd->err.status;
    }
    return cmd_read_config(cmd);
}
