/*
 * disturb.c: the disturbances: death at a call, errors, loss of power, an
 * editor; each followed by a recovery and a comparison.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "model.h"

effort_t effort = { 1, 4096, 10000, 0 };
int harness_bug;
int harness_quiet;

/* What a child tells. */
typedef struct told_t {
    int calls;              /* seen in the action */
    int returned;           /* 1: the action ended by itself */
    apr_status_t status;
    int exit;
    char message[2100];
    count_t count;
} told_t;

static told_t *told;
static count_t count;
static const scene_t *current;

static void begin_count(const scene_t *scene)
{
    if (!told) {
        told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    memset(&count, 0, sizeof(count));
    current = scene;
}

static int enough(void)
{
    return effort.first_only && count.violations > 0;
}

static void violation(const char *where, int n, const char *what)
{
    count.violations++;
    if (!harness_quiet && count.violations <= 3) {
        fprintf(stderr, "# %s, %s %d: %s (status %d, exit %d: %s)\n",
                current->name, where, n, what, told->status, told->exit,
                told->message);
    }
}

/* ------------------------------------------------------------------- runs */

/* The action in a child with the hook as plan says. */
static void act(const hook_t *plan)
{
    acme_err_t err = { 0 };

    if (current->prepare && current->prepare(&err) != APR_SUCCESS) {
        fprintf(stderr, "%s: %s\n", current->name, err.message);
        _exit(3);
    }
    hook = *plan;
    hook.on = 1;
    hook.calls = 0;
    hook.bug = harness_bug;
    seed_reset();
    told->status = current->run(&err);
    hook_stop();
    told->calls = hook.calls;
    told->exit = err.exit;
    snprintf(told->message, sizeof(told->message), "%s", err.message);
    told->returned = 1;
}

/* @return 1 if the child died of our plan */
static int run_child(void (*what)(const hook_t *plan), const hook_t *plan)
{
    int status;
    pid_t pid;

    memset(told, 0, sizeof(*told));
    fflush(stdout);
    fflush(stderr);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        what(plan);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
        continue;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 137) {
        return 1;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        violation("the child", status, "ended in a way of its own");
    }
    return 0;
}

/* Recovery in this process. */
static int recover(const char *where, int n)
{
    acme_err_t err = { 0 };
    journal_t *journal;

    scene_fresh();
    if (scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err) != APR_SUCCESS) {
        scene_fresh();
        violation(where, n, err.message);
        return 0;
    }
    scene_fresh();
    return 1;
}

static int in_between(int state)
{
    int low = current->first < current->last ? current->first
                                             : current->last;

    return state == current->first || state == current->last
           || (current->changes && state >= low
               && state <= current->first + current->last - low);
}

/* After a recovery: one of the states; the last one once it was promised. */
static void compare(const char *where, int n, int promised)
{
    int state = scene_state();

    if (promised ? state == current->last : in_between(state)) {
        return;
    }
    violation(where, n, state == -1 ? "the files are as never before"
              : "a change that was acknowledged is lost");
    if (!harness_quiet && count.violations <= 3) {
        scene_explain(promised ? current->last : current->first);
    }
}

/* How many calls the undisturbed action makes. */
static int measure(void)
{
    hook_t plan = { 0 };

    scene_reset();
    run_child(act, &plan);
    if (told->status != APR_SUCCESS || !told->returned) {
        violation("undisturbed", 0, told->message);
    }
    compare("undisturbed", 0, 1);
    return told->calls;
}

/* ------------------------------------------------------------------- kill */

count_t kill_calls(const scene_t *scene)
{
    hook_t plan = { 0 };
    int n, calls;

    begin_count(scene);
    calls = measure();
    for (n = 1; n <= calls && !enough(); n += effort.step) {
        plan.kill_at = n;
        scene_reset();
        run_child(act, &plan);
        count.points++;
        if (recover("killed at call", n)) {
            compare("killed at call", n, 0);
        }
    }
    return count;
}

static void act_recovery(const hook_t *plan)
{
    acme_err_t err = { 0 };
    journal_t *journal;

    hook = *plan;
    hook.on = 1;
    hook.calls = 0;
    hook.bug = harness_bug;
    seed_reset();
    told->status = scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err);
    hook_stop();
    told->returned = 1;
    told->calls = hook.calls;
}

count_t kill_recovery(const scene_t *scene)
{
    hook_t plan = { 0 }, second = { 0 };
    int n, m, calls;

    begin_count(scene);
    calls = measure();
    for (n = 1; n <= calls && !enough(); n += 4 * effort.step - 3) {
        plan.kill_at = n;
        for (m = 1 + n % effort.step; !enough(); m += effort.step) {
            scene_reset();
            run_child(act, &plan);
            second.kill_at = m;
            scene_fresh();
            if (!run_child(act_recovery, &second)) {
                break;
            }
            count.points++;
            if (recover("killed, and its recovery at call", m)) {
                compare("killed, and its recovery at call", m, 0);
            }
        }
    }
    return count;
}

/* ----------------------------------------------------------------- errors */

static const int errors[] = { ENOSPC, EDQUOT, EIO, EROFS, EACCES };

/* The exit status tells the truth about what is on disk. */
static void check_failed(const char *where, int n)
{
    int armed;
    char active[400];

    snprintf(active, sizeof(active), "%s/active", scene_journal);
    armed = access(active, F_OK) == 0;
    if (told->status == APR_SUCCESS) {
        compare(where, n, 1);
    }
    else if (!told->message[0]) {
        violation(where, n, "a failure without a sentence");
    }
    else if (told->exit != BASE_EXIT_JOURNAL) {
        if (armed) {
            violation(where, n, "armed, and the exit status does not say it");
        }
        compare(where, n, 0);
    }
    if (recover(where, n)) {
        compare(where, n, told->status == APR_SUCCESS);
    }
}

static void fail_with(int error, int always, int calls)
{
    hook_t plan = { 0 };
    char where[80];
    int n;

    snprintf(where, sizeof(where), "%s %s at call", strerror(error),
             always ? "for ever" : "once");
    plan.fail_errno = error;
    plan.fail_always = always;
    for (n = 1 + error % effort.step; n <= calls && !enough();
         n += effort.step) {
        plan.fail_at = n;
        scene_reset();
        run_child(act, &plan);
        count.points++;
        check_failed(where, n);
    }
}

count_t fail_calls(const scene_t *scene)
{
    size_t i;
    int calls;

    begin_count(scene);
    calls = measure();
    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fail_with(errors[i], 0, calls);
        fail_with(errors[i], 1, calls);
    }
    return count;
}

/* ------------------------------------------------------------ loss of power */

static int acknowledged;        /* operations when the action returned */
static int settled;             /* the state when a recovery did; -1 */

static void check_state(int n)
{
    if (enough()) {
        return;
    }
    count.points++;
    if (!recover("power lost after operation", n)) {
        return;
    }
    if (n >= acknowledged && settled >= 0) {
        if (scene_state() != settled) {
            violation("power lost after operation", n, "what a recovery has "
                      "settled is undone");
        }
        return;
    }
    compare("power lost after operation", n, n >= acknowledged);
}

/* In a child: the action, recorded, then every loss of power. */
static void act_and_lose(const hook_t *plan)
{
    int n, last;

    alarm(3600);
    memset(&count, 0, sizeof(count));
    if (current->prepare) {
        acme_err_t err = { 0 };

        current->prepare(&err);
    }
    model_begin(scene_root);
    acknowledged = 1 << 30;
    settled = -1;
    {
        acme_err_t err = { 0 };

        hook_start();
        hook.log = 1;
        hook.bug = harness_bug;
        seed_reset();
        if (current->run(&err) == APR_SUCCESS) {
            acknowledged = model_count();
        }
        hook_stop();
    }
    scene_fresh();
    last = model_count();
    for (n = 0; n <= last && !enough(); n++) {
        model_states(n, effort.states, n >= acknowledged, check_state);
    }
    told->count = count;
}

count_t lose_power(const scene_t *scene)
{
    hook_t plan = { 0 };

    begin_count(scene);
    scene_reset();
    scene_fresh();
    run_child(act_and_lose, &plan);
    count.points += told->count.points;
    count.violations += told->count.violations;
    return count;
}

/* Killed at a call, recovered, and power is lost meanwhile: what the killed
 * run did not sync may vanish under recovery's hands. */
static void act_recover_lose(const hook_t *plan)
{
    acme_err_t err = { 0 };
    journal_t *journal;
    jmp_buf jump;
    int n, from, last, fd;

    alarm(3600);
    memset(&count, 0, sizeof(count));
    if (current->prepare) {
        current->prepare(&err);
    }
    model_begin(scene_root);
    hook_start();
    hook.log = 1;
    hook.bug = harness_bug;
    hook.kill_at = plan->kill_at;
    hook.jump = &jump;
    hook.jumps = getpid();
    seed_reset();
    if (setjmp(jump) == 0) {
        current->run(&err);
    }
    hook_stop();
    for (fd = 3; fd < 200; fd++) {
        close(fd);
    }
    from = model_count();
    base_err_clear(&err);
    scene_pool = NULL;
    scene_fresh();
    hook_start();
    hook.log = 1;
    hook.bug = harness_bug;
    acknowledged = 1 << 30;
    if (scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err) != APR_SUCCESS) {
        violation("killed at call", plan->kill_at, err.message);
    }
    hook_stop();
    scene_fresh();
    acknowledged = last = model_count();
    settled = scene_state();
    for (n = from; n <= last && !enough(); n++) {
        model_states(n, effort.states < 128 ? effort.states : 128, n >= last,
                     check_state);
    }
    told->count = count;
}

count_t lose_power_recovering(const scene_t *scene)
{
    hook_t plan = { 0 };
    int n, calls;

    begin_count(scene);
    calls = measure();
    for (n = 1; n <= calls && !enough(); n += effort.step) {
        plan.kill_at = n;
        scene_reset();
        scene_fresh();
        run_child(act_recover_lose, &plan);
        count.points += told->count.points;
        count.violations += told->count.violations;
    }
    return count;
}

/* ----------------------------------------------------------------- editor */

#define EDITED "# written by an editor\n"

/* As most editors do it: a new file takes the old one's place. */
static void edit_by_rename(void)
{
    put_text("new~", EDITED);
    rename(conf_path("new~"), conf_path("ports.conf"));
}

static void edit_in_place(void)
{
    put_text("ports.conf", EDITED);
}

/* The editor's text is in its place, or was set aside by order. */
static void check_edited(int n)
{
    const char *text;
    acme_err_t err = { 0 };
    journal_t *journal;

    scene_fresh();
    text = get_text("ports.conf");
    if (!text || strcmp(text, EDITED) != 0) {
        violation("an editor at call", n, "its text is lost");
    }
    if (told->status != APR_SUCCESS && told->exit != BASE_EXIT_JOURNAL) {
        put_text("ports.conf", "");
        if (access(conf_path("sites-available/d.conf"), F_OK) == 0) {
            violation("an editor at call", n, "not everything else was "
                      "undone");
        }
    }
    scene_fresh();
    if (scene_recover(&journal, JOURNAL_DRIFT_KEEP, &err) != APR_SUCCESS) {
        violation("an editor at call", n, err.message);
    }
    scene_fresh();
}

count_t edit_calls(const scene_t *scene)
{
    hook_t plan = { 0 };
    int n, calls, way;

    begin_count(scene);
    calls = measure();
    for (way = 0; way < 2; way++) {
        plan.edit = way ? edit_in_place : edit_by_rename;
        for (n = 1; n <= calls && !enough(); n += effort.step) {
            plan.edit_at = n;
            scene_reset();
            run_child(act, &plan);
            count.points++;
            check_edited(n);
        }
    }
    return count;
}

/* Killed a few calls behind the edit: what an exchange took out and nobody
 * could look at any more is the editor's text. */
static void check_edited_and_killed(int n)
{
    acme_err_t err = { 0 };
    journal_t *journal;
    const char *text;

    scene_fresh();
    scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err);
    scene_fresh();
    text = get_text("ports.conf");
    if (!text || strcmp(text, EDITED) != 0) {
        violation("an editor, and death, at call", n, "its text is lost");
    }
    base_err_clear(&err);
    if (scene_recover(&journal, JOURNAL_DRIFT_KEEP, &err) != APR_SUCCESS) {
        violation("an editor, and death, at call", n, err.message);
    }
    text = get_text("ports.conf");
    if (!text || strcmp(text, EDITED) != 0) {
        violation("an editor, and death, at call", n, "its text is lost by "
                  "keeping it");
    }
    scene_fresh();
}

count_t edit_and_kill(const scene_t *scene)
{
    static const int behind[] = { 0, 1, 2, 3, 4, 5, 6, 8, 10, 15 };
    hook_t plan = { 0 };
    int n, calls, way;
    size_t i;

    begin_count(scene);
    calls = measure();
    for (i = 0; i < 2 * sizeof(behind) / sizeof(behind[0]); i++) {
        way = (int)(i % 2);
        plan.edit = way ? edit_in_place : edit_by_rename;
        for (n = 1 + (int)i % effort.step; n <= calls && !enough();
             n += effort.step) {
            plan.edit_at = n;
            plan.kill_at = n + behind[i / 2];
            scene_reset();
            run_child(act, &plan);
            count.points++;
            check_edited_and_killed(n);
        }
    }
    return count;
}

/* -------------------------------------------------------------- no flags */

/* A file system without RENAME_EXCHANGE and RENAME_NOREPLACE. */
count_t lack_flags(const scene_t *scene)
{
    hook_t plan = { 0 };
    int n, calls;

    begin_count(scene);
    plan.no_flags = 1;
    scene_reset();
    run_child(act, &plan);
    calls = told->calls;
    compare("without flags", 0, 1);
    for (n = 1; n <= calls && !enough(); n += effort.step) {
        plan.kill_at = n;
        scene_reset();
        run_child(act, &plan);
        count.points++;
        hook.no_flags = 1;
        if (recover("without flags, killed at call", n)) {
            compare("without flags, killed at call", n, 0);
        }
        hook.no_flags = 0;
    }
    return count;
}

const disturbance_t disturbances[] = {
    { "kill", "killed at every call", kill_calls },
    { "rekill", "killed, and the recovery killed at every call",
      kill_recovery },
    { "errors", "every error at every call, once and for ever", fail_calls },
    { "power", "power lost after every operation", lose_power },
    { "repower", "killed, and power lost during the recovery",
      lose_power_recovering },
    { "editor", "an editor saves a file before every call", edit_calls },
    { "edkill", "an editor saves a file before every call, and death follows",
      edit_and_kill },
    { "flags", "killed at every call where renameat2 has no flags",
      lack_flags },
    { NULL, NULL, NULL }
};
