/*
 * scenes.c: the runs that are disturbed: a permanent change of three files,
 * a new one and a link; a temporary one; the commit alone; two saves of one
 * file in a new folder; two checkpoints rolled back; a rollback that merges
 * an edit; one that sets it aside.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <apr_strings.h>

#include "scene.h"

#define OLD_A "Listen 80\n# a\n# b\n# c\n# d\n# e\n# f\n# g\nInclude x\n"
#define NEW_A "Listen 80\nListen 443\n# a\n# b\n# c\n# d\n# e\n# f\n# g\n" \
              "Include x\n"
#define OLD_B "<VirtualHost *:80>\nServerName b\n</VirtualHost>\n"
#define NEW_B OLD_B "<VirtualHost *:443>\nServerName b\n</VirtualHost>\n"
#define OLD_C "# nothing\n"
#define NEW_C "SSLEngine on\nSSLProtocol all\n"
#define NEW_D "<VirtualHost *:443>\nServerName d\n</VirtualHost>\n"

const char *scene_new_ports(void)
{
    return NEW_A;
}

static void must(apr_status_t rv, const acme_err_t *err)
{
    if (rv != APR_SUCCESS) {
        fprintf(stderr, "the scene cannot be set up: %s\n", err->message);
        exit(2);
    }
}

/* Three files, of one other owner, with an attribute, through a link. */
static void make_conf(void)
{
    mkdir(scene_conf, 0755);
    mkdir(conf_path("sites-available"), 0755);
    mkdir(conf_path("sites-enabled"), 0755);
    put_text("ports.conf", OLD_A);
    put_text("sites-available/b.conf", OLD_B);
    put_text("sites-available/c.conf", OLD_C);
    chmod(conf_path("sites-available/b.conf"), 0640);
    if (chown(conf_path("sites-available/b.conf"), 33, 4) == -1
        || symlink("../sites-available/b.conf",
                   conf_path("sites-enabled/b.conf")) == -1) {
        perror("the scene");
        exit(2);
    }
    setxattr(conf_path("sites-available/c.conf"), "user.note", "kept", 4, 0);
}

/* The transaction of the scenes in this process. */
static journal_txn_t *txn;

static apr_status_t begin(journal_kind_t kind, acme_err_t *err)
{
    journal_t *journal;
    apr_status_t rv;

    txn = NULL;
    rv = scene_recover(&journal, JOURNAL_DRIFT_REFUSE, err);
    return rv == APR_SUCCESS ? journal_begin(&txn, journal, kind,
                                             apr_time_from_sec(1700000000),
                                             err, scene_pool) : rv;
}

/* A caller that cannot go on gives up the change. */
static apr_status_t give_up(apr_status_t rv, acme_err_t *err)
{
    acme_err_t second = { 0 };

    if (rv != APR_SUCCESS && txn
        && journal_revert(NULL, txn, &second, scene_pool, scene_pool)
           != APR_SUCCESS) {
        err->exit = BASE_EXIT_JOURNAL;
    }
    return rv;
}

/* The edit was computed from a content, so it fits no other one. */
static apr_status_t stage_ports(const char *from, const char *to,
                                acme_err_t *err)
{
    journal_change_t change = { JOURNAL_MODIFY, JOURNAL_STEP_PORTS,
                                conf_path("ports.conf"), to, strlen(to),
                                from, strlen(from), NULL, 0, 0 };

    return journal_stage(txn, &change, err);
}

static apr_status_t save_all(acme_err_t *err)
{
    apr_status_t rv = stage_ports(OLD_A, NEW_A, err);

    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_MODIFY, "sites-enabled/b.conf", NEW_B, err);
    }
    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_MODIFY, "sites-available/c.conf", NEW_C,
                   err);
    }
    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_CREATE, "sites-available/d.conf", NEW_D,
                   err);
    }
    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_SYMLINK, "sites-enabled/d.conf",
                   "../sites-available/d.conf", err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_note(txn, "TLS for b and d", err);
    }
    return rv == APR_SUCCESS ? journal_save(txn, NULL, NULL, err, scene_pool)
                             : rv;
}

static apr_status_t commit(acme_err_t *err)
{
    unsigned long id;
    apr_status_t rv = journal_commit(&id, txn, "secure b and d", err,
                                     scene_pool);

    return rv == APR_SUCCESS && id == 0 ? APR_EGENERAL : rv;
}

/* ------------------------------------------------------------- permanent */

static apr_status_t run_permanent(acme_err_t *err)
{
    apr_status_t rv = begin(JOURNAL_PERMANENT, err);

    if (rv == APR_SUCCESS) {
        rv = save_all(err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_reloading(txn, err, scene_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = commit(err);
    }
    return give_up(rv, err);
}

/* A journal that is there already: its making is base's own. */
static void make_journal(void)
{
    acme_err_t err = { 0 };
    journal_t *journal;

    must(scene_open(&journal, &err), &err);
}

static void setup_permanent(void)
{
    acme_err_t err = { 0 };

    make_conf();
    make_journal();
    scene_fresh();
    must(run_permanent(&err), &err);
    scene_expect(1, 1);
    scene_fresh();
    scene_empty();
    make_conf();
    make_journal();
    scene_expect(0, 0);
}

/* ------------------------------------------------------------- temporary */

static void setup_temporary(void)
{
    make_conf();
    make_journal();
    scene_expect(0, 0);
}

static apr_status_t run_temporary(acme_err_t *err)
{
    apr_status_t rv = begin(JOURNAL_TEMPORARY, err);

    if (rv == APR_SUCCESS) {
        rv = save_all(err);
    }
    return rv == APR_SUCCESS ? journal_revert(NULL, txn, err, scene_pool,
                                              scene_pool) : rv;
}

/* ---------------------------------------------------------------- commit */

static apr_status_t prepare_commit(acme_err_t *err)
{
    apr_status_t rv = begin(JOURNAL_PERMANENT, err);

    return rv == APR_SUCCESS ? save_all(err) : rv;
}

/* ----------------------------------------------------------------- twice */

static apr_status_t run_twice(acme_err_t *err)
{
    apr_status_t rv = begin(JOURNAL_PERMANENT, err);

    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_CREATE, "sites-available/d.conf", "one\n",
                   err);
    }
    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_MKDIR, "acme.d", NULL, err);
    }
    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_CREATE, "acme.d/e.conf", "e\n", err);
    }
    if (rv == APR_SUCCESS) {
        rv = stage_ports(OLD_A, NEW_A, err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_save(txn, NULL, NULL, err, scene_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = stage(txn, JOURNAL_MODIFY, "sites-available/d.conf", "two\n",
                   err);
        rv = rv ? rv : stage(txn, JOURNAL_MODIFY, "acme.d/e.conf", "ee\n",
                             err);
        rv = rv ? rv : stage_ports(NEW_A, NEW_A "Listen 8443\n", err);
        rv = rv ? rv : journal_save(txn, NULL, NULL, err, scene_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = commit(err);
    }
    return give_up(rv, err);
}

static void setup_twice(void)
{
    acme_err_t err = { 0 };

    make_conf();
    make_journal();
    scene_fresh();
    must(run_twice(&err), &err);
    scene_expect(1, 1);
    scene_fresh();
    scene_empty();
    make_conf();
    make_journal();
    scene_expect(0, 0);
}

/* -------------------------------------------------------------- rollback */

static apr_status_t change_once(const char *name, const char *text,
                                const char *new, acme_err_t *err)
{
    apr_status_t rv = begin(JOURNAL_PERMANENT, err);

    rv = rv ? rv : stage(txn, JOURNAL_MODIFY, name, text, err);
    rv = rv ? rv : stage(txn, JOURNAL_CREATE, new, "new\n", err);
    rv = rv ? rv : journal_save(txn, NULL, NULL, err, scene_pool);
    return rv ? rv : commit(err);
}

static void setup_rollback(void)
{
    acme_err_t err = { 0 };

    make_conf();
    make_journal();
    scene_expect(0, 0);
    scene_fresh();
    must(change_once("ports.conf", NEW_A, "x.conf", &err), &err);
    scene_expect(1, 1);
    scene_fresh();
    must(change_once("ports.conf", NEW_A "# more\n", "y.conf", &err), &err);
    scene_expect(2, 2);
}

static apr_status_t roll_back(int count, journal_drift_t drift,
                              acme_err_t *err)
{
    journal_rollback_t how = { count, 0, drift, 0, accept_all, NULL, NULL };
    journal_undo_t undo;
    journal_t *journal;
    apr_status_t rv = scene_recover(&journal, JOURNAL_DRIFT_REFUSE, err);

    return rv == APR_SUCCESS ? journal_rollback(&undo, journal, &how, err,
                                                scene_pool, scene_pool) : rv;
}

static apr_status_t run_rollback(acme_err_t *err)
{
    return roll_back(2, JOURNAL_DRIFT_REFUSE, err);
}

/* ----------------------------------------------------------- with an edit */

static void setup_edited(journal_drift_t drift)
{
    acme_err_t err = { 0 };

    make_conf();
    make_journal();
    scene_fresh();
    must(change_once("ports.conf", NEW_A, "x.conf", &err), &err);
    put_text("ports.conf", NEW_A "# by hand\n");
    scene_expect(1, 1);
    scene_fresh();
    must(roll_back(1, drift, &err), &err);
    scene_expect(0, 0);
    scene_fresh();
    scene_empty();
    make_conf();
    make_journal();
    scene_fresh();
    must(change_once("ports.conf", NEW_A, "x.conf", &err), &err);
    put_text("ports.conf", NEW_A "# by hand\n");
}

static void setup_merge(void)
{
    setup_edited(JOURNAL_DRIFT_MERGE);
}

static apr_status_t run_merge(acme_err_t *err)
{
    return roll_back(1, JOURNAL_DRIFT_MERGE, err);
}

static void setup_force(void)
{
    setup_edited(JOURNAL_DRIFT_FORCE);
}

static apr_status_t run_force(acme_err_t *err)
{
    return roll_back(1, JOURNAL_DRIFT_FORCE, err);
}

const scene_t scenes[] = {
    { "permanent", setup_permanent, NULL, run_permanent, 0, 1, 0 },
    { "temporary", setup_temporary, NULL, run_temporary, 0, 0, 0 },
    { "commit", setup_permanent, prepare_commit, commit, 0, 1, 0 },
    { "twice", setup_twice, NULL, run_twice, 0, 1, 0 },
    { "rollback", setup_rollback, NULL, run_rollback, 2, 0, 1 },
    { "merge", setup_merge, NULL, run_merge, 1, 0, 0 },
    { "force", setup_force, NULL, run_force, 1, 0, 0 },
    { NULL, NULL, NULL, NULL, 0, 0, 0 }
};
