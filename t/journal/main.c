/*
 * main.c: harness [--fast] [PART...]: TAP, with points tried and violations.
 *         harness --bench: fsyncs and time
 *         harness --make|--run|--check DIR SCENE [STATUS]: one run in steps,
 *                 for t/journal/strace
 *
 * Parts: the disturbances' names, "property", "seeded"; none: all of them.
 * SCENE in the environment: this scene alone.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static int tests;
static int failed;

static void ok(int good, const char *what, const count_t *count)
{
    tests++;
    failed += !good;
    printf("%sok %d - %s: %ld points, %ld violations\n", good ? "" : "not ",
           tests, what, count->points, count->violations);
    fflush(stdout);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *only;         /* one scene */

/* Scenes in which the editor's file is not the one that is being edited by
 * hand already. */
static int fits(const disturbance_t *disturbance, const scene_t *scene)
{
    if (only && strcmp(only, scene->name) != 0) {
        return 0;
    }
    return (disturbance->run != edit_calls
            && disturbance->run != edit_and_kill)
           || strcmp(scene->name, "permanent") == 0
           || strcmp(scene->name, "temporary") == 0
           || strcmp(scene->name, "rollback") == 0
           || strcmp(scene->name, "twice") == 0;
}

static void disturb(const disturbance_t *disturbance)
{
    count_t all = { 0, 0 }, count;
    const scene_t *scene;
    double start = now();

    for (scene = scenes; scene->name; scene++) {
        if (!fits(disturbance, scene)) {
            continue;
        }
        scene_make(scene);
        count = disturbance->run(scene);
        printf("# %-8s %-10s %7ld points, %ld violations\n",
               disturbance->name, scene->name, count.points,
               count.violations);
        fflush(stdout);
        all.points += count.points;
        all.violations += count.violations;
    }
    ok(all.violations == 0 && all.points > 0, disturbance->what, &all);
    printf("# %s took %.1f s\n", disturbance->name, now() - start);
}

/* 1 if the disturbance that is to notice the bug does. */
static int is_noticed(int bug, count_t *count)
{
    const disturbance_t *disturbance = disturbances;
    const scene_t *scene;
    count_t one = { 0, 0 };

    while (strcmp(disturbance->name, seed_noticed_by(bug)) != 0) {
        disturbance++;
    }
    for (scene = scenes; scene->name && one.violations == 0; scene++) {
        if (fits(disturbance, scene)) {
            scene_make(scene);
            one = disturbance->run(scene);
            count->points += one.points;
            count->violations += one.violations;
        }
    }
    return one.violations > 0;
}

static void seeded(void)
{
    effort_t kept = effort;
    const char *why;
    char what[200];
    count_t count;
    int bug, noticed;

    effort.first_only = 1;
    for (bug = 1; seed_name(bug); bug++) {
        memset(&count, 0, sizeof(count));
        why = seed_equivalent(bug);
        /* where nothing is to be found a sample has to do */
        effort.step = why ? 5 : kept.step;
        effort.states = why ? 256 : kept.states;
        harness_bug = bug;
        harness_quiet = 1;
        noticed = is_noticed(bug, &count);
        harness_bug = harness_quiet = 0;
        snprintf(what, sizeof(what), "seeded: %s: %s by %s", seed_name(bug),
                 noticed ? "noticed" : why ? "not noticed, and cannot be,"
                 : "not noticed", seed_noticed_by(bug));
        ok(noticed == !why, what, &count);
        if (why) {
            printf("# equivalent: %s\n", why);
        }
    }
    effort = kept;
}

static int wanted(int argc, char **argv, const char *name)
{
    int i, named = 0;

    for (i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            named = 1;
            if (strcmp(argv[i], name) == 0) {
                return 1;
            }
        }
    }
    return !named;
}

/* One run in steps: make the scene in DIR/s and keep its states' trees as
 * files beside it; run it; recover and compare. */
static int step_make(const scene_t *scene, const char *dir)
{
    char path[400];
    FILE *file;
    int i;

    scene_make(scene);
    scene_reset();
    for (i = 0; i < scene_state_count; i++) {
        snprintf(path, sizeof(path), "%s/state.%d", dir, i);
        file = fopen(path, "wb");
        if (!file || fwrite(&scene_states[i].checkpoints, sizeof(int), 1,
                            file) != 1
            || fwrite(scene_states[i].tree, scene_states[i].len, 1, file)
               != 1) {
            return 2;
        }
        fclose(file);
    }
    return 0;
}

static void read_states(const char *dir)
{
    static char text[1 << 18];
    char path[400];
    FILE *file;
    int i;

    scene_state_count = 0;
    for (i = 0; i < STATES_MAX; i++) {
        snprintf(path, sizeof(path), "%s/state.%d", dir, i);
        file = fopen(path, "rb");
        if (!file) {
            return;
        }
        if (fread(&scene_states[i].checkpoints, sizeof(int), 1, file) != 1) {
            exit(2);
        }
        scene_states[i].len = fread(text, 1, sizeof(text), file);
        scene_states[i].tree = malloc(scene_states[i].len + 1);
        memcpy(scene_states[i].tree, text, scene_states[i].len);
        scene_state_count++;
        fclose(file);
    }
}

static int step_check(const scene_t *scene, const char *dir, int status)
{
    acme_err_t err = { 0 };
    journal_t *journal;
    int state;

    read_states(dir);
    if (scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err) != APR_SUCCESS) {
        fprintf(stderr, "# %s\n", err.message);
        return 1;
    }
    state = scene_state();
    if (status == 0) {
        return state != scene->last;
    }
    return !(state == scene->first || state == scene->last
             || (scene->changes && state >= 0));
}

static int step(int argc, char **argv)
{
    acme_err_t err = { 0 };
    const scene_t *scene = scenes;
    char dir[256];

    while (scene->name && strcmp(scene->name, argv[3]) != 0) {
        scene++;
    }
    snprintf(dir, sizeof(dir), "%s/s", argv[2]);
    mkdir(dir, 0700);
    scene_at(dir);
    if (!scene->name) {
        return 2;
    }
    if (strcmp(argv[1], "--make") == 0) {
        return step_make(scene, argv[2]);
    }
    if (strcmp(argv[1], "--run") == 0) {
        return scene->run(&err) != APR_SUCCESS;
    }
    return argc < 5 || step_check(scene, argv[2],
                                  (int)strtol(argv[4], NULL, 10));
}

int main(int argc, char **argv)
{
    const disturbance_t *disturbance;
    count_t count;

    if (argc > 1 && strcmp(argv[1], "--fast") == 0) {
        effort.step = 11;
        effort.states = 12;
        effort.sequences = 300;
    }
    if (argc > 3 && strncmp(argv[1], "--", 2) == 0
        && strcmp(argv[1], "--fast") != 0) {
        return step(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        scene_init(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        failed = bench_run();
        scene_end();
        return failed;
    }
    only = getenv("SCENE");
    scene_init(NULL);
    for (disturbance = disturbances; disturbance->name; disturbance++) {
        if (wanted(argc, argv, disturbance->name)) {
            disturb(disturbance);
        }
    }
    if (wanted(argc, argv, "property")) {
        count = property_run();
        ok(count.violations == 0 && count.points > 0, "random sequences of "
           "save, commit, edit, rollback and crash agree with a model",
           &count);
    }
    if (wanted(argc, argv, "seeded")) {
        seeded();
    }
    scene_end();
    printf("1..%d\n", tests);
    return failed ? 1 : 0;
}
