/*
 * property.c: random sequences of save, commit, end, edit, rollback and
 * crash, against a model that is a few strings: what each file holds, and
 * for each checkpoint what its files were before and after.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "harness.h"

#define FILES 4
#define STEPS 8
#define CPS_MAX 40
#define TEXT_MAX 64

/* A file's content; "" is no file. */
typedef char text_t[TEXT_MAX];

/* What one change did to each file; the same before and after: nothing. */
typedef struct point_t {
    text_t before[FILES];
    text_t after[FILES];
} point_t;

typedef struct world_t {
    text_t files[FILES];
    point_t points[CPS_MAX];
    int count;
} world_t;

static const char *const names[FILES] = { "a.conf", "b.conf", "c.conf",
                                          "new.conf" };
static world_t world;
static uint64_t seed;
static unsigned serial;
static count_t count;

static unsigned any(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % n;
}

static void fresh(text_t text)
{
    snprintf(text, TEXT_MAX, "# content %u\n", ++serial);
}

/* ------------------------------------------------------------- the world */

static int files_are(const world_t *wanted)
{
    const char *text;
    int i;

    for (i = 0; i < FILES; i++) {
        text = get_text(names[i]);
        if (strcmp(text ? text : "", wanted->files[i]) != 0) {
            return 0;
        }
    }
    return 1;
}

static int checkpoints_are(const world_t *wanted)
{
    acme_err_t err = { 0 };
    apr_array_header_t *list;
    journal_t *journal;

    return journal_open(&journal, scene_journal, 0, &err, scene_pool)
           == APR_SUCCESS
           && journal_list(&list, journal, &err, scene_pool) == APR_SUCCESS
           && list->nelts == wanted->count;
}

static int is_world(const world_t *wanted)
{
    return files_are(wanted) && checkpoints_are(wanted);
}

static int stray_files(void)
{
    acme_err_t err = { 0 };
    apr_array_header_t *list;
    int i, n = 0;

    if (base_dir_list(&list, scene_conf, &err, scene_pool) != APR_SUCCESS) {
        return 1;
    }
    for (i = 0; i < list->nelts; i++) {
        n += APR_ARRAY_IDX(list, i, char *)[0] == '.';
    }
    return n;
}

static void wrong(const char *what)
{
    if (count.violations++ < 3) {
        fprintf(stderr, "# property, sequence %ld: %s\n", count.points,
                what);
    }
}

/* --------------------------------------------------------------- actions */

/* A change that is planned: new contents, "" for untouched. */
static text_t plan[FILES];
static int plan_commits;

static void choose_plan(void)
{
    int i;

    for (i = 0; i < FILES; i++) {
        plan[i][0] = '\0';
        if (any(2)) {
            fresh(plan[i]);
        }
    }
    plan_commits = any(3) != 0;
}

static apr_status_t do_change(acme_err_t *err)
{
    journal_t *journal;
    journal_txn_t *txn;
    unsigned long id;
    int i;
    apr_status_t rv = scene_recover(&journal, JOURNAL_DRIFT_REFUSE, err);

    rv = rv ? rv : journal_begin(&txn, journal, plan_commits
                                 ? JOURNAL_PERMANENT : JOURNAL_TEMPORARY, 0,
                                 err, scene_pool);
    for (i = 0; i < FILES && rv == APR_SUCCESS; i++) {
        if (plan[i][0]) {
            rv = stage(txn, world.files[i][0] ? JOURNAL_MODIFY
                       : JOURNAL_CREATE, names[i], plan[i], err);
        }
    }
    rv = rv ? rv : journal_save(txn, NULL, NULL, err, scene_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return plan_commits ? journal_commit(&id, txn, "a change", err,
                                         scene_pool)
           : journal_revert(NULL, txn, err, scene_pool, scene_pool);
}

/* What the plan makes of the world, when it gets through. */
static void after_change(world_t *next)
{
    point_t *point = &next->points[next->count];
    int i, touched = 0;

    memcpy(point->before, next->files, sizeof(point->before));
    memcpy(point->after, next->files, sizeof(point->after));
    for (i = 0; i < FILES; i++) {
        if (plan[i][0]) {
            memcpy(point->after[i], plan[i], TEXT_MAX);
            touched = 1;
        }
    }
    if (plan_commits && touched) {
        memcpy(next->files, point->after, sizeof(next->files));
        next->count++;
    }
}

static int rollback_count;
static journal_drift_t rollback_drift;

static apr_status_t do_rollback(acme_err_t *err)
{
    journal_rollback_t how = { rollback_count, 0, rollback_drift, 0, NULL,
                               NULL, NULL };
    journal_undo_t undo;
    journal_t *journal;
    apr_status_t rv = scene_recover(&journal, JOURNAL_DRIFT_REFUSE, err);

    return rv ? rv : journal_rollback(&undo, journal, &how, err, scene_pool,
                                      scene_pool);
}

/* One checkpoint less. @return 0 if an edit is in the way */
static int undo_point(world_t *next)
{
    point_t *point = &next->points[next->count - 1];
    int i;

    for (i = 0; i < FILES; i++) {
        if (strcmp(point->before[i], point->after[i]) == 0) {
            continue;
        }
        if (rollback_drift == JOURNAL_DRIFT_REFUSE
            && strcmp(next->files[i], point->after[i]) != 0
            && strcmp(next->files[i], point->before[i]) != 0) {
            return 0;
        }
        memcpy(next->files[i], point->before[i], TEXT_MAX);
    }
    next->count--;
    return 1;
}

/* ---------------------------------------------------------------- crashes */

/* Run in a child that dies at some call, or not. @return 1 if it died */
static int crash(apr_status_t (*what)(acme_err_t *err), int at,
                 apr_status_t *prv)
{
    acme_err_t err = { 0 };
    int status = 0;
    pid_t pid;

    if (!at) {
        scene_fresh();
        *prv = what(&err);
        scene_fresh();
        return 0;
    }
    pid = fork();
    if (pid == 0) {
        hook_start();
        hook.kill_at = at;
        _exit(what(&err) == APR_SUCCESS ? 0 : 1);
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
        continue;
    }
    *prv = WEXITSTATUS(status) == 0 ? APR_SUCCESS : APR_EGENERAL;
    return WEXITSTATUS(status) == 137;
}

/* What is left after a crash: one of the worlds from to to. */
static void settle(const world_t *from, const world_t *to)
{
    acme_err_t err = { 0 };
    journal_t *journal;

    scene_fresh();
    if (scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err) != APR_SUCCESS) {
        wrong(err.message);
    }
    scene_fresh();
    for (; from <= to; from++) {
        if (is_world(from)) {
            world = *from;
            return;
        }
    }
    wrong("after a crash the files are as they never were");
}

static void step_change(int at)
{
    world_t worlds[2] = { world, world };
    apr_status_t rv;

    choose_plan();
    after_change(&worlds[1]);
    if (crash(do_change, at, &rv)) {
        settle(worlds, worlds + 1);
        return;
    }
    if (rv != APR_SUCCESS) {
        wrong("a change fails");
    }
    world = worlds[1];
}

static void step_rollback(int at)
{
    world_t worlds[4];
    int i, possible = 1;
    apr_status_t rv;

    rollback_count = (int)any(3) + 1;
    rollback_drift = any(2) ? JOURNAL_DRIFT_REFUSE : JOURNAL_DRIFT_FORCE;
    worlds[0] = world;
    for (i = 1; i <= rollback_count && possible; i++) {
        worlds[i] = worlds[i - 1];
        possible = worlds[i].count > 0 && undo_point(&worlds[i]);
    }
    if (crash(do_rollback, at, &rv)) {
        settle(worlds, worlds + (possible ? rollback_count : 0));
        return;
    }
    if ((rv == APR_SUCCESS) != possible) {
        wrong(possible ? "a rollback is refused"
              : "a rollback that has to be refused is done");
    }
    world = worlds[possible ? rollback_count : 0];
}

static void step_edit(void)
{
    unsigned i = any(FILES);

    scene_fresh();
    fresh(world.files[i]);
    if (any(2)) {
        put_text("editor~", world.files[i]);
        rename(conf_path("editor~"), conf_path(names[i]));
    }
    else {
        put_text(names[i], world.files[i]);
    }
}

/* -------------------------------------------------------------- sequences */

static void start(void)
{
    acme_err_t err = { 0 };
    journal_t *journal;
    int i;

    scene_fresh();
    scene_empty();
    mkdir(scene_conf, 0755);
    memset(&world, 0, sizeof(world));
    for (i = 0; i < FILES - 1; i++) {
        fresh(world.files[i]);
        put_text(names[i], world.files[i]);
    }
    if (scene_open(&journal, &err) != APR_SUCCESS) {
        wrong(err.message);
    }
    scene_fresh();
}

static void sequence(void)
{
    int i, at;

    start();
    for (i = 0; i < STEPS; i++) {
        at = any(3) == 0 ? (int)any(350) + 1 : 0;
        switch (any(4)) {
        case 0:
            step_edit();
            break;
        case 1:
            step_rollback(at);
            break;
        default:
            step_change(at);
            break;
        }
        scene_fresh();
        if (!is_world(&world)) {
            wrong("the files or checkpoints are not what the model says");
            return;
        }
        if (stray_files()) {
            wrong("a temporary is left over");
            return;
        }
    }
}

count_t property_run(void)
{
    hook_stop();
    seed = 0x9e3779b97f4a7c15ull;
    for (count.points = 0; count.points < effort.sequences;
         count.points++) {
        sequence();
    }
    return count;
}
