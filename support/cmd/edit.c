/*
 * edit.c: one change of the configuration, from the first look to the
 * checkpoint. The verbs that edit say what; here is how.
 *
 *     begin   what a killed run left is undone; httpd tells what it reads;
 *       |     store and journal are locked; the plan is empty
 *       v
 *     test    the plan is finished and staged; httpd reads and starts it
 *       |     where nobody else sees it; it is what was planned --plan--> end
 *       v
 *     early   only where the httpd that runs cannot answer challenges yet:
 *       |     TEMPORARY save, graceful restart
 *       v
 *     (the verb orders certificates, as the tested configuration says)
 *       |
 *       v
 *     apply   what was early is undone; PERMANENT save; one graceful
 *       |     restart; the validator asks
 *       v
 *     checkpoint
 *
 * Whatever fails puts all files back and tells httpd, if it has loaded them
 * (abandon). From the first live change to the checkpoint the store is
 * marked (cmd_undone_mark): who finds a killed run puts the files back and
 * tells httpd, whether or not that run got as far as to tell it itself.
 *
 * Where this process may make no mount namespace, "test" saves PERMANENTly
 * and tests the live files, and "apply" goes on from there.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** Notes of a checkpoint; the journal takes more. */
#define NOTES_MAX 500

/** Checkpoints that are kept: so many, and all that are younger. */
#define KEEP_NEWEST 100
#define KEEP_AGE apr_time_from_sec(365 * 24 * 3600)

/* ------------------------------------------------------------------- plan */

/** A signal ends the run between two steps (edit_begin.c). */
static apr_status_t must_go_on(cmd_t *cmd)
{
    return worker_stopped()
           ? base_err_set(&cmd->err, APR_EINTR, BASE_EXIT_FAILED,
                          "stopped by a signal")
           : APR_SUCCESS;
}

apr_status_t cmd_edit_plan(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;

    /* What an earlier plan has staged or saved goes. httpd may go on with
     * what it has loaded of it: the store's mark tells. */
    if (edit->txn && journal_revert(NULL, edit->txn, &cmd->err, cmd->pool,
                                    cmd->pool) != APR_SUCCESS) {
        return cmd->err.status;
    }
    edit->txn = NULL;
    edit->temporary = 0;
    edit->saved = 0;
    return configurator_plan(&edit->plan, edit->configurator, &cmd->err,
                             cmd->pool);
}

void cmd_edit_refused(cmd_edit_t *edit)
{
    const char *paste = edit->plan ? configurator_paste(edit->plan) : NULL;

    if (paste) {
        json_object_set_new(edit->cmd->result, "paste",
                            json_string_nocheck(paste));
    }
}

/* ------------------------------------------------------------------- tell */

static json_t *sentences(const apr_array_header_t *array, apr_pool_t *pool)
{
    json_t *list = json_array();
    int i;

    for (i = 0; array && i < array->nelts; i++) {
        const char *text = APR_ARRAY_IDX(array, i, const char *);
        apr_size_t size = 4 * strlen(text) + 8;

        json_array_append_new(list, json_string(
            base_clean(apr_palloc(pool, size), size, text)));
    }
    return list;
}

/** The files of the planned changes, for the result. */
static json_t *files_of(const cmd_edit_t *edit)
{
    const apr_array_header_t *changes = edit->planned.changes;
    apr_array_header_t *files = apr_array_make(edit->cmd->pool,
                                               changes->nelts + 1,
                                               sizeof(journal_file_t));
    int i;

    for (i = 0; i < changes->nelts; i++) {
        const journal_change_t *change = &APR_ARRAY_IDX(changes, i,
                                                        journal_change_t);
        journal_file_t file = { change->path, change->op, NULL, NULL };

        APR_ARRAY_PUSH(files, journal_file_t) = file;
    }
    return cmd_files_json(files, edit->cmd->pool);
}

static void tell_plan(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;

    json_object_set_new(cmd->result, "steps",
                        sentences(edit->planned.steps, cmd->pool));
    json_object_set_new(cmd->result, "warnings",
                        sentences(edit->planned.warnings, cmd->pool));
}

/** Add the "diff" of what is staged. */
static apr_status_t tell_diff(cmd_edit_t *edit, json_t *result)
{
    cmd_t *cmd = edit->cmd;
    const char *diff;

    if (journal_staged_diff(&diff, edit->txn, &cmd->err, cmd->pool)
        == APR_SUCCESS) {
        json_object_set_new(result, "diff", json_string_nocheck(diff));
    }
    return cmd->err.status;
}

/* ------------------------------------------------------------------- test */

/** Where the test's process leaves what httpd said. */
typedef struct look_t {
    cmd_edit_t *edit;
    int fd;
} look_t;

static apr_status_t keep(int fd, const char *text, apr_size_t len,
                         acme_err_t *err)
{
    apr_size_t done = 0;
    ssize_t n = 0;

    while (done < len && n >= 0) {
        n = pwrite(fd, text + done, len - done, (off_t)done);
        done += n > 0 ? (apr_size_t)n : 0;
    }
    return n < 0 || ftruncate(fd, (off_t)len) == -1
           ? base_err_path(err, errno, "keep", "the document of httpd")
           : APR_SUCCESS;
}

/** httpd reads and starts the changed configuration. It has to load mod_acme
 *  by itself, unless it did not and nothing was planned that needs it. */
static apr_status_t look(void *baton, acme_err_t *err, apr_pool_t *pool)
{
    const look_t *look = baton;
    httpd_args_t args = look->edit->cmd->httpd;
    const char *text;
    apr_size_t len;
    apr_status_t rv;

    args.start_check = 1;
    args.module = NULL;
    rv = httpd_dump_with(&text, &len, &args, look->edit->cmd->httpd.module,
                         err, pool);
    return rv == APR_SUCCESS ? keep(look->fd, text, len, err) : rv;
}

/** The document that the test's process left. */
static apr_status_t read_after(cmd_edit_t *edit, int fd)
{
    cmd_t *cmd = edit->cmd;
    off_t len = lseek(fd, 0, SEEK_END);
    char *text;

    if (len < 0 || len > HTTPD_DUMP_MAX) {
        return base_err_path(&cmd->err, len < 0 ? errno : EFBIG, "read",
                             "the document of httpd");
    }
    text = apr_palloc(cmd->pool, (apr_size_t)len + 1);
    if (pread(fd, text, (apr_size_t)len, 0) != len) {
        return base_err_path(&cmd->err, EIO, "read",
                             "the document of httpd");
    }
    text[len] = '\0';
    edit->after_text = text;
    edit->after_len = (apr_size_t)len;
    return cmd_config_parse(cmd, &edit->after, text, (apr_size_t)len);
}

/** Begin a transaction of these changes. */
static apr_status_t stage(cmd_edit_t *edit, journal_kind_t kind,
                          const apr_array_header_t *changes)
{
    const apr_array_header_t *steps = edit->planned.steps;
    cmd_t *cmd = edit->cmd;
    apr_status_t rv;
    int i;

    rv = journal_begin(&edit->txn, edit->journal, kind,
                       cmd->clock->wall(cmd->clock), &cmd->err, cmd->pool);
    for (i = 0; rv == APR_SUCCESS && i < changes->nelts; i++) {
        rv = journal_stage(edit->txn, &APR_ARRAY_IDX(changes, i,
                                                     journal_change_t),
                           &cmd->err);
    }
    for (i = 0; rv == APR_SUCCESS && i < steps->nelts && i < NOTES_MAX; i++) {
        rv = journal_note(edit->txn, APR_ARRAY_IDX(steps, i, const char *),
                          &cmd->err);
    }
    return rv;
}

/** From now on files are changed. */
static apr_status_t save(cmd_edit_t *edit, journal_test_fn *test,
                         void *baton)
{
    cmd_t *cmd = edit->cmd;

    if (!edit->touched) {
        edit->touched = cmd->clock->wall(cmd->clock);
    }
    cmd_undone_mark(cmd);
    return journal_save(edit->txn, test, baton, &cmd->err, cmd->pool);
}

/** Let httpd read what is staged, in a namespace or, where none may be
 *  made, live. */
static apr_status_t try_staged(cmd_edit_t *edit, int fd)
{
    cmd_t *cmd = edit->cmd;
    look_t baton = { edit, fd };
    acme_err_t err = { 0 };
    apr_status_t rv = journal_preview(edit->txn, look, &baton, &err,
                                      cmd->pool);

    if (rv != APR_ENOTIMPL) {
        cmd->err = err;
    }
    else if (cmd->options.plan) {
        cmd_note(cmd, "httpd was not asked whether it accepts this: %s",
                 err.message);
        return APR_SUCCESS;
    }
    else if (save(edit, look, &baton) == APR_SUCCESS) {
        edit->saved = 1;
    }
    return cmd->err.status == APR_SUCCESS ? read_after(edit, fd)
                                          : cmd->err.status;
}

static apr_status_t test_staged(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    apr_status_t rv;
    int fd;

    if (edit->untestable) {
        cmd_note(cmd, "httpd was not asked whether it accepts this: the "
                 "certificate's files are not there yet");
        return APR_SUCCESS;
    }
    fd = memfd_create("acmectl", MFD_CLOEXEC);
    if (fd == -1) {
        return base_err_path(&cmd->err, errno, "make", "a file in memory");
    }
    display_progress(cmd->display, "httpd", "testing the changes");
    rv = try_staged(edit, fd);
    close(fd);
    if (rv == APR_SUCCESS && edit->after) {
        rv = configurator_expect(edit->plan, edit->after, &cmd->err,
                                 cmd->pool);
    }
    return rv == APR_SUCCESS ? rv
           : base_err_wrap(&cmd->err, "the changes were not made, for they "
                           "do not pass the test");
}

apr_status_t cmd_edit_test(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;

    edit->after = NULL;
    if (configurator_finish(&edit->planned, edit->plan, &cmd->err, cmd->pool)
        != APR_SUCCESS) {
        cmd_edit_refused(edit);
        return cmd->err.status;
    }
    tell_plan(edit);
    if (edit->planned.changes->nelts == 0) {
        edit->after = edit->before;
        edit->after_text = cmd->config_text;
        edit->after_len = cmd->config_len;
        return APR_SUCCESS;
    }
    if (stage(edit, JOURNAL_PERMANENT, edit->planned.changes) != APR_SUCCESS
        || (cmd->options.plan
            && tell_diff(edit, cmd->result) != APR_SUCCESS)) {
        return cmd->err.status;
    }
    if (cmd->options.plan) {
        json_object_set_new(cmd->result, "files", files_of(edit));
    }
    return test_staged(edit);
}

/* ---------------------------------------------------------------- confirm */

apr_status_t cmd_edit_confirm(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    int agreed = 0;
    json_t *part;

    /* What is saved already cannot be shown as staged. */
    if (!display_can_ask(cmd->display) || edit->saved
        || edit->planned.changes->nelts == 0) {
        return APR_SUCCESS;
    }
    part = base_json_own(json_object(), cmd->pool);
    json_object_set(part, "steps", json_object_get(cmd->result, "steps"));
    json_object_set(part, "warnings", json_object_get(cmd->result,
                                                      "warnings"));
    if (tell_diff(edit, part) != APR_SUCCESS) {
        return cmd->err.status;
    }
    display_show(cmd->display, "What is to be changed", part);
    if (display_yesno(cmd->display, &agreed, "Make these changes?", 1,
                      "--yes", &cmd->err) == APR_SUCCESS && !agreed) {
        base_err_set(&cmd->err, ECANCELED, BASE_EXIT_FAILED,
                     "cancelled; nothing was changed");
    }
    return cmd->err.status;
}

/* ---------------------------------------------------------------- restart */

/** Who finds this run killed knows what httpd may have loaded: not all of it
 *  can be taken away by a restart (journal.c). */
static apr_status_t keep_loaded(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;

    if (!edit->saved || !edit->after_text) {
        return APR_SUCCESS;
    }
    return store_config_write(cmd->store, edit->after_text, edit->after_len,
                              &cmd->err, cmd->pool);
}

/** @param tested  1: this very configuration was tested just now */
static apr_status_t restart(cmd_edit_t *edit, int tested)
{
    cmd_t *cmd = edit->cmd;
    apr_status_t rv = APR_SUCCESS;

    if (edit->touched) {
        rv = journal_reloading(edit->txn, &cmd->err, cmd->pool);
    }
    if (rv != APR_SUCCESS || must_go_on(cmd) != APR_SUCCESS
        || keep_loaded(edit) != APR_SUCCESS) {
        return cmd->err.status;
    }
    edit->told = 1;
    display_progress(cmd->display, "httpd", "restarting gracefully");
    cmd->httpd.tested = tested;
    rv = cmd_activate(cmd);
    cmd->httpd.tested = 0;
    cmd->live = NULL;
    cmd->live_failed = 0;
    return rv;
}

/* ------------------------------------------------------------------ early */

static apr_status_t configtest(void *baton, acme_err_t *err,
                               apr_pool_t *pool)
{
    httpd_args_t args = ((cmd_t *)baton)->httpd;

    args.module = NULL;
    return httpd_configtest(&args, err, pool);
}

/** Make live, for a while, what challenges need. */
static apr_status_t save_early(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    apr_status_t rv;

    rv = journal_revert(NULL, edit->txn, &cmd->err, cmd->pool, cmd->pool);
    if (rv == APR_SUCCESS) {
        rv = stage(edit, JOURNAL_TEMPORARY, edit->planned.early);
    }
    if (rv == APR_SUCCESS) {
        rv = save(edit, configtest, cmd);
    }
    edit->temporary = rv == APR_SUCCESS;
    return rv;
}

/** 1 if the httpd that runs answers challenges: it has loaded mod_acme, from
 *  its configuration or in this run, and made a live segment. One alone may
 *  be left from earlier. */
static int can_answer(const cmd_edit_t *edit)
{
    int has_module = json_is_true(json_object_get(json_object_get(
        edit->before, "modules"), "acme"));

    return (has_module || edit->told) && cmd_live_writer(edit->cmd);
}

apr_status_t cmd_edit_early(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;

    if (!edit->running || can_answer(edit)) {
        return APR_SUCCESS;
    }
    if (!edit->saved && edit->planned.early
        && edit->planned.early->nelts > 0
        && save_early(edit) != APR_SUCCESS) {
        return base_err_wrap(&cmd->err, "httpd could not be prepared to "
                             "answer challenges");
    }
    if (restart(edit, edit->saved || edit->temporary) != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (!can_answer(edit)) {
        return base_err_set(&cmd->err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "httpd was restarted with mod_acme, and has no "
                            "live segment to answer challenges from; its "
                            "error log says why");
    }
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------ apply */

/** The files as planned, live. */
static apr_status_t save_all(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;

    if (edit->saved || edit->planned.changes->nelts == 0) {
        return APR_SUCCESS;
    }
    if (edit->temporary) {
        if (journal_revert(NULL, edit->txn, &cmd->err, cmd->pool, cmd->pool)
            != APR_SUCCESS
            || stage(edit, JOURNAL_PERMANENT, edit->planned.changes)
               != APR_SUCCESS) {
            return cmd->err.status;
        }
        edit->temporary = 0;
    }
    display_progress(cmd->display, "httpd", "changing its configuration");
    if (save(edit, NULL, NULL) != APR_SUCCESS) {
        return cmd->err.status;
    }
    edit->saved = 1;
    return APR_SUCCESS;
}

static apr_status_t ask_validator(cmd_edit_t *edit,
                                  const apr_array_header_t *targets)
{
    cmd_t *cmd = edit->cmd;
    const validator_check_t *failed;

    if (cmd_checks_run(cmd, targets, &failed) != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (failed) {
        cmd_check_failed(cmd, failed);
    }
    return cmd->err.status;
}

/** Restart httpd and see that it does what was meant, if it runs. */
static apr_status_t activate(cmd_edit_t *edit,
                             const apr_array_header_t *targets)
{
    cmd_t *cmd = edit->cmd;

    if (!edit->running) {
        cmd_note(cmd, "httpd does not run: it was not started, and nothing "
                 "was validated");
        return APR_SUCCESS;
    }
    /* An order takes its time, in which others edit, and listen. */
    if (configurator_ports(edit->before, edit->after, &cmd->err, cmd->pool)
        != APR_SUCCESS || restart(edit, !edit->ordered) != APR_SUCCESS) {
        return cmd->err.status;
    }
    cmd_orders_activated(cmd);
    return ask_validator(edit, targets);
}

/** The change is a checkpoint, and the mark of an unfinished one is gone. */
static apr_status_t commit(cmd_edit_t *edit, const char *title)
{
    acme_err_t ignored = { 0 };
    cmd_t *cmd = edit->cmd;
    unsigned long id = 0;
    int pruned;

    if (journal_commit(&id, edit->txn, title, &cmd->err, cmd->pool)
        != APR_SUCCESS) {
        return cmd->err.status;
    }
    edit->over = 1;
    cmd_undone_none(cmd);
    json_object_set_new(cmd->result, "checkpoint",
                        json_integer((json_int_t)id));
    json_object_set_new(cmd->result, "files", files_of(edit));
    json_object_set_new(cmd->result, "changed", json_true());
    store_config_write(cmd->store, edit->after_text, edit->after_len,
                       &ignored, cmd->pool);
    base_err_clear(&ignored);
    if (journal_prune(&pruned, edit->journal, KEEP_NEWEST, KEEP_AGE,
                      cmd->clock->wall(cmd->clock), &ignored, cmd->pool)
        != APR_SUCCESS) {
        cmd_note(cmd, "%s", ignored.message);
    }
    return APR_SUCCESS;
}

/** 1 if something is new: files, or certificates that wait for httpd. */
static int is_needed(const cmd_edit_t *edit)
{
    return edit->planned.changes->nelts > 0
           || (edit->cmd->held && edit->cmd->held->nelts > 0);
}

apr_status_t cmd_edit_apply(cmd_edit_t *edit, const char *title,
                            const apr_array_header_t *targets)
{
    cmd_t *cmd = edit->cmd;

    cmd->config = edit->after;
    cmd->running = NULL;
    if (!is_needed(edit)) {
        return APR_SUCCESS;
    }
    if (edit->running) {
        cmd_checks_before(cmd, targets);
    }
    if (edit->planned.changes->nelts == 0) {
        return activate(edit, targets);
    }
    if (must_go_on(cmd) != APR_SUCCESS || save_all(edit) != APR_SUCCESS
        || activate(edit, targets) != APR_SUCCESS
        || must_go_on(cmd) != APR_SUCCESS) {
        return cmd->err.status;
    }
    return commit(edit, title);
}

/* ---------------------------------------------------------------- abandon */

/** httpd's word, where it has to hear that files are as they were. */
static apr_status_t tell_undone(cmd_edit_t *edit, const journal_undo_t *undo,
                                acme_err_t *err)
{
    cmd_t *cmd = edit->cmd;

    if (!cmd->undone.marked) {
        return APR_SUCCESS;
    }
    /* what httpd may have loaded */
    cmd->config = edit->told && edit->after ? edit->after : edit->before;
    cmd_undone_add(cmd, undo, edit->touched);
    cmd->undone.loaded |= edit->told;
    return cmd_undone_reload(cmd, err);
}

/** @return why files could not be put back, or httpd not be told */
static apr_status_t undo(cmd_edit_t *edit, acme_err_t *err)
{
    apr_pool_t *pool = edit->cmd->pool;
    journal_undo_t undo = { 0, 0, NULL, NULL };

    undo.files = apr_array_make(pool, 1, sizeof(journal_file_t));
    undo.conflicts = apr_array_make(pool, 1, sizeof(journal_file_t));
    if (edit->txn
        && journal_revert(&undo, edit->txn, err, pool, pool) != APR_SUCCESS) {
        return err->status;
    }
    return tell_undone(edit, &undo, err);
}

void cmd_edit_end(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    int changed = json_is_true(json_object_get(cmd->result, "changed"));
    acme_err_t err = { 0 };

    if (edit->over) {
        return;
    }
    edit->over = 1;
    if (edit->touched) {
        display_progress(cmd->display, "httpd", "putting its files back");
    }
    if (undo(edit, &err) != APR_SUCCESS) {
        base_err_append(&cmd->err, "and undoing it failed: %s",
                        err.message);
        base_err_set(&cmd->err, err.status, err.exit, "%s", err.message);
        cmd->err.exit = err.exit;
        return;
    }
    json_object_set_new(cmd->result, "changed", json_boolean(changed));
    if (edit->touched) {
        base_err_append(&cmd->err, "all files are as they were");
    }
}
