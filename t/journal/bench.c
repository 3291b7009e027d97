/*
 * bench.c: what a change costs: fsyncs and time, for one file and for many.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "harness.h"

/* fsyncs that three modified files and a new one may cost (they cost as
 * many as there are files in two copies each, and eight). */
#define SMALL_MAX 17

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static const char *name_of(int i)
{
    return apr_psprintf(scene_pool, "sites/%d.conf", i);
}

/* 25 lines, as a virtual host has. */
static const char *text_of(int i, const char *what)
{
    char *text = apr_psprintf(scene_pool, "# %d %s\n", i, what);
    int line;

    for (line = 0; line < 25; line++) {
        text = apr_pstrcat(scene_pool, text, "    SomeDirective argument\n",
                           NULL);
    }
    return text;
}

static void fail(const acme_err_t *err)
{
    fprintf(stderr, "the bench fails: %s\n", err->message);
    exit(1);
}

/* Calls that the last change made. */
static int calls;

/* Modify modified files of sites/ and ports.conf, make new ones, commit. */
static double change(int modified, int new, int *pfsyncs)
{
    acme_err_t err = { 0 };
    journal_t *journal;
    journal_txn_t *txn;
    unsigned long id;
    double start;
    int i;

    scene_fresh();
    scene_empty();
    mkdir(scene_conf, 0755);
    mkdir(conf_path("sites"), 0755);
    for (i = 0; i < modified; i++) {
        put_text(i ? name_of(i) : "ports.conf", text_of(i, "old"));
    }
    if (scene_recover(&journal, JOURNAL_DRIFT_REFUSE, &err) != APR_SUCCESS) {
        fail(&err);
    }
    start = now();
    hook_start();
    hook.real_sync = 1;
    journal_begin(&txn, journal, JOURNAL_PERMANENT, 0, &err, scene_pool);
    for (i = 0; i < modified + new && err.status == APR_SUCCESS; i++) {
        stage(txn, i < modified ? JOURNAL_MODIFY : JOURNAL_CREATE,
              i ? name_of(i) : "ports.conf", text_of(i, "new"), &err);
    }
    if (err.status == APR_SUCCESS) {
        journal_note(txn, "a note", &err);
        journal_save(txn, NULL, NULL, &err, scene_pool);
    }
    if (err.status == APR_SUCCESS) {
        journal_commit(&id, txn, "a title", &err, scene_pool);
    }
    hook_stop();
    if (err.status != APR_SUCCESS) {
        fail(&err);
    }
    *pfsyncs = hook.fsyncs;
    calls = hook.calls;
    return now() - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The median of nine. @return the calls */
static int measure(int modified, int new, int *pfsyncs)
{
    double times[9];
    int i;

    for (i = 0; i < 9; i++) {
        times[i] = change(modified, new, pfsyncs);
    }
    qsort(times, 9, sizeof(double), compare);
    printf("# %3d modified, %d new: %4d fsyncs, %5d calls, %8.2f ms\n",
           modified, new, *pfsyncs, calls, times[4]);
    return calls;
}

static int say(int number, int good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", number, what);
    return good;
}

int bench_run(void)
{
    int small, one, ten, hundred, calls_10, calls_100, good;

    measure(3, 1, &small);
    measure(1, 0, &one);
    calls_10 = measure(10, 0, &ten);
    calls_100 = measure(100, 0, &hundred);
    good = say(1, small <= SMALL_MAX, "three files and a new one cost at "
               "most 17 fsyncs");
    good &= say(2, hundred - ten == 2 * 90, "each file more costs two");
    good &= say(3, calls_100 <= 10 * calls_10, "ten times the files cost at "
                "most ten times the calls");
    printf("1..3\n");
    return !good;
}
