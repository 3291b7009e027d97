/*
 * journal_try.c: one change of configuration files through the journal, for
 * t/preview.t.
 *
 *     journal_try JOURNAL CHANGE... -- COMMAND [ARGUMENT...]
 *
 * CHANGE: "modify PATH TEXT", "create PATH TEXT" or "symlink PATH TARGET",
 * each three arguments. COMMAND tests the configuration. Prints the reason
 * when the change is refused; the exit status is acmectl's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

#include "journal/journal.h"

/* The first line that the command prints, on whichever descriptor. */
static apr_status_t run_command(void *baton, acme_err_t *err,
                                apr_pool_t *scratch_pool)
{
    char **command = baton, line[1000] = "";
    int fds[2], status;
    ssize_t n;
    pid_t pid;

    if (pipe(fds) == -1) {
        return base_err_set(err, errno, BASE_EXIT_FAILED, "no pipe");
    }
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        close(fds[0]);
        close(fds[1]);
        execvp(command[0], command);
        _exit(127);
    }
    close(fds[1]);
    n = read(fds[0], line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    while (read(fds[0], line + 900, 99) > 0) {
        continue;
    }
    close(fds[0]);
    if (waitpid(pid, &status, 0) == pid && status == 0) {
        return APR_SUCCESS;
    }
    return base_err_set(err, APR_EGENERAL, BASE_EXIT_HTTPD,
                        "httpd refuses: %.800s", line);
}

static apr_status_t stage(journal_txn_t *txn, char **word, acme_err_t *err)
{
    journal_change_t change;

    memset(&change, 0, sizeof(change));
    change.op = strcmp(word[0], "modify") == 0 ? JOURNAL_MODIFY
                : strcmp(word[0], "create") == 0 ? JOURNAL_CREATE
                : JOURNAL_SYMLINK;
    change.step = change.op == JOURNAL_SYMLINK ? JOURNAL_STEP_ENABLE
                                               : JOURNAL_STEP_HOSTS;
    change.path = word[1];
    change.data = word[2];
    change.len = strlen(word[2]);
    change.mode = 0644;
    return journal_stage(txn, &change, err);
}

static apr_status_t try_change(char **argv, acme_err_t *err,
                               apr_pool_t *pool)
{
    journal_t *journal;
    journal_txn_t *txn;
    journal_undo_t undo;
    unsigned long id;
    char **word = argv + 2;
    apr_status_t rv = journal_open(&journal, argv[1], 1, err, pool);

    rv = rv ? rv : journal_lock(journal, "journal_try", 0, err, pool);
    rv = rv ? rv : journal_recover(&undo, journal, JOURNAL_DRIFT_REFUSE, err,
                                   pool, pool);
    rv = rv ? rv : journal_begin(&txn, journal, JOURNAL_PERMANENT, 0, err,
                                 pool);
    for (; rv == APR_SUCCESS && *word && strcmp(*word, "--") != 0;
         word += 3) {
        rv = stage(txn, word, err);
    }
    rv = rv ? rv : journal_save(txn, run_command, word + 1, err, pool);
    return rv ? rv : journal_commit(&id, txn, "a try", err, pool);
}

int main(int argc, char **argv)
{
    acme_err_t err = { 0 };
    apr_pool_t *pool;

    if (argc < 4) {
        return BASE_EXIT_USAGE;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (try_change(argv, &err, pool) != APR_SUCCESS) {
        puts(err.message);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return (int)err.exit;
}
