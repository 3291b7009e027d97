/*
 * preview.c: the configuration as it would be, at the paths where it would
 * be, for one child process only.
 *
 *     fork
 *       unshare(CLONE_NEWNS), all mounts private
 *       a tmpfs over JOURNAL/trash holds what is staged
 *       an existing file:  the new content is mounted on it (bind)
 *       a new or vanished name:  its folder is built again in the tmpfs,
 *                every other entry bound from the real one, and mounted on
 *                the folder
 *       test
 *     the error record comes back through a pipe
 *
 * Nothing of this is seen outside, and all of it is gone with the child.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* unshare */
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "journal/internal.h"

/* What the child has to say. */
typedef struct verdict_t {
    int impossible;         /* 1: this process may make no namespace */
    acme_err_t err;
} verdict_t;

/* Whom to ask. */
typedef struct try_t {
    journal_test_fn *test;
    void *baton;
} try_t;

typedef struct stage_t {
    const char *tmp;        /* the tmpfs */
    dev_t dev;              /* its device */
    int count;              /* names used in it */
    apr_pool_t *pool;
} stage_t;

static apr_status_t stage_fails(acme_err_t *err, const char *what,
                                const char *path)
{
    return base_err_path(err, errno, what, path);
}

static const char *stage_name(stage_t *stage)
{
    return apr_psprintf(stage->pool, "%s/%d", stage->tmp, stage->count++);
}

/* A new file, with the owner and mode that it would have; no attributes
 * that a tmpfs may not know. */
static apr_status_t put_file(const char *path, const journal_pre_t *pre,
                             acme_err_t *err, apr_pool_t *pool)
{
    base_attrs_t attrs = { 0600, geteuid(), getegid(), 0, NULL };
    base_at_t *at;
    apr_status_t rv = base_at_open(&at, base_path_dir(path, pool), err, pool);

    if (pre->attrs) {
        attrs = *pre->attrs;
        attrs.xattrs = NULL;
    }
    return rv == APR_SUCCESS
           ? base_at_create(at, journal_name(path), pre->data, pre->len,
                            &attrs, err, pool) : rv;
}

/* ------------------------------------------------------------- replicas */

/* One entry of a real folder in its replica. */
static apr_status_t replicate_entry(const char *from, const char *to,
                                    acme_err_t *err, apr_pool_t *pool)
{
    const char *target;
    struct stat st;
    apr_status_t rv;
    int fd;

    if (lstat(from, &st) == -1) {
        return errno == ENOENT ? APR_SUCCESS
                               : stage_fails(err, "look at", from);
    }
    if (S_ISLNK(st.st_mode)) {
        rv = base_link_read(&target, from, err, pool);
        if (rv == APR_SUCCESS && symlink(target, to) == -1) {
            rv = stage_fails(err, "stage", from);
        }
        return rv;
    }
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(to, 0700) == -1) {
            return stage_fails(err, "stage", from);
        }
    }
    else {
        fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd == -1) {
            return stage_fails(err, "stage", from);
        }
        close(fd);
    }
    return mount(from, to, NULL, MS_BIND | MS_REC, NULL) == -1
           ? stage_fails(err, "stage", from) : APR_SUCCESS;
}

/* Build dir again in the tmpfs and move that over it: as a mount of its own,
 * so that what is mounted in it is mounted in one place only. */
static apr_status_t replicate(stage_t *stage, const char *dir,
                              acme_err_t *err)
{
    const char *copy = stage_name(stage), *name;
    apr_array_header_t *names;
    struct stat st;
    apr_status_t rv = base_dir_list(&names, dir, err, stage->pool);
    int i;

    if (rv == APR_SUCCESS
        && (stat(dir, &st) == -1 || mkdir(copy, 0700) == -1
            || chown(copy, st.st_uid, st.st_gid) == -1
            || chmod(copy, st.st_mode & 07777) == -1
            || mount(copy, copy, NULL, MS_BIND, NULL) == -1)) {
        rv = stage_fails(err, "stage", dir);
    }
    for (i = 0; rv == APR_SUCCESS && i < names->nelts; i++) {
        name = APR_ARRAY_IDX(names, i, char *);
        rv = replicate_entry(journal_path(dir, name, stage->pool),
                             journal_path(copy, name, stage->pool), err,
                             stage->pool);
    }
    if (rv == APR_SUCCESS
        && mount(copy, dir, NULL, MS_MOVE, NULL) == -1) {
        rv = stage_fails(err, "stage", dir);
    }
    return rv;
}

static int is_regular(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int is_directory(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Real folders in which names come or go, outer ones first. */
static apr_array_header_t *folders(const apr_array_header_t *pres,
                                   apr_pool_t *pool)
{
    apr_array_header_t *dirs = apr_array_make(pool, 4, sizeof(char *));
    const journal_pre_t *pre;
    const char *dir;
    int i;

    for (i = 0; i < pres->nelts; i++) {
        pre = &APR_ARRAY_IDX(pres, i, journal_pre_t);
        dir = base_path_dir(pre->real, pool);
        if (!(journal_state_is_file(pre->state) && is_regular(pre->real))
            && is_directory(dir)) {
            APR_ARRAY_PUSH(dirs, const char *) = dir;
        }
    }
    qsort(dirs->elts, (size_t)dirs->nelts, sizeof(char *), compare_paths);
    return dirs;
}

static apr_status_t replicate_all(stage_t *stage,
                                  const apr_array_header_t *pres,
                                  acme_err_t *err)
{
    apr_array_header_t *dirs = folders(pres, stage->pool);
    const char *dir, *last = "";
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < dirs->nelts && rv == APR_SUCCESS; i++) {
        dir = APR_ARRAY_IDX(dirs, i, const char *);
        if (strcmp(dir, last) != 0) {
            rv = replicate(stage, dir, err);
        }
        last = dir;
    }
    return rv;
}

/* ---------------------------------------------------------------- names */

/* Out of a replica: what was bound there, and its mount point. */
static apr_status_t take_away(const char *path, acme_err_t *err)
{
    struct stat st;

    if (lstat(path, &st) == -1) {
        return errno == ENOENT ? APR_SUCCESS
                               : stage_fails(err, "stage", path);
    }
    if (!S_ISLNK(st.st_mode)) {
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    }
    if ((S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path)) == -1) {
        return stage_fails(err, "stage", path);
    }
    return APR_SUCCESS;
}

static apr_status_t put_over(stage_t *stage, const journal_pre_t *pre,
                             acme_err_t *err)
{
    const char *copy = stage_name(stage);
    apr_status_t rv = put_file(copy, pre, err, stage->pool);

    if (rv == APR_SUCCESS
        && mount(copy, pre->real, NULL, MS_BIND, NULL) == -1) {
        rv = stage_fails(err, "stage", pre->real);
    }
    return rv;
}

/* Names come and go in the tmpfs alone: the live folder is one mount away,
 * and an error on the way here must not lead into it. */
static apr_status_t must_be_replica(const stage_t *stage, const char *path,
                                    acme_err_t *err)
{
    struct stat st;

    if (stat(base_path_dir(path, stage->pool), &st) == -1) {
        return stage_fails(err, "stage", path);
    }
    if (st.st_dev != stage->dev) {
        return base_err_path(err, EXDEV, "stage", path);
    }
    return APR_SUCCESS;
}

static apr_status_t put_name(stage_t *stage, const journal_pre_t *pre,
                             acme_err_t *err)
{
    int is_file = journal_state_is_file(pre->state);
    apr_status_t rv;

    if (is_file && is_regular(pre->real)) {
        return put_over(stage, pre, err);
    }
    if (strcmp(pre->state, JOURNAL_DIR) == 0 && is_directory(pre->real)) {
        return APR_SUCCESS;
    }
    rv = must_be_replica(stage, pre->real, err);
    if (rv == APR_SUCCESS) {
        rv = take_away(pre->real, err);
    }
    if (rv != APR_SUCCESS || strcmp(pre->state, JOURNAL_ABSENT) == 0) {
        return rv;
    }
    if (is_file) {
        return put_file(pre->real, pre, err, stage->pool);
    }
    if (strncmp(pre->state, "link:", 5) == 0) {
        rv = symlink(pre->state + 5, pre->real);
    }
    else {
        rv = mkdir(pre->real, 0755);
    }
    return rv == 0 ? APR_SUCCESS : stage_fails(err, "stage", pre->real);
}

/* ---------------------------------------------------------------- child */

/* @return APR_ENOTIMPL with nothing in err if it may not be done */
static apr_status_t enter(stage_t *stage, acme_err_t *err)
{
    struct stat st;

    if (unshare(CLONE_NEWNS) == -1
        || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1
        || mount("tmpfs", stage->tmp, "tmpfs", MS_NOSUID | MS_NODEV,
                 "mode=0700") == -1) {
        return APR_ENOTIMPL;
    }
    if (stat(stage->tmp, &st) == -1) {
        return stage_fails(err, "look at", stage->tmp);
    }
    stage->dev = st.st_dev;
    return APR_SUCCESS;
}

static void run_child(verdict_t *verdict, journal_t *journal,
                      const apr_array_header_t *pres,
                      const try_t *try, apr_pool_t *pool)
{
    stage_t stage = { journal->trash, 0, 1, pool };
    apr_status_t rv = enter(&stage, &verdict->err);
    int i;

    if (rv == APR_ENOTIMPL) {
        verdict->impossible = 1;
        return;
    }
    if (rv == APR_SUCCESS) {
        rv = replicate_all(&stage, pres, &verdict->err);
    }
    for (i = 0; i < pres->nelts && rv == APR_SUCCESS; i++) {
        rv = put_name(&stage, &APR_ARRAY_IDX(pres, i, journal_pre_t),
                      &verdict->err);
    }
    if (rv == EPERM || rv == EACCES) {
        /* a container may allow the namespace and forbid the mounts */
        verdict->impossible = 1;
    }
    if (rv == APR_SUCCESS) {
        rv = try->test(try->baton, &verdict->err, pool);
        if (rv != APR_SUCCESS) {
            base_err_set(&verdict->err, rv, BASE_EXIT_FAILED,
                         "the test of the configuration failed");
        }
    }
}

/* Never returns. The lock is the parent's: this copy of it is closed. */
static void child(int fd, pid_t parent, journal_t *journal,
                  const apr_array_header_t *pres, const try_t *try,
                  apr_pool_t *pool)
{
    verdict_t verdict;
    ssize_t n;

    memset(&verdict, 0, sizeof(verdict));
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);               /* it died before it could be told */
    }
    if (journal->lock) {
        base_lock_release(journal->lock);
    }
    run_child(&verdict, journal, pres, try, pool);
    n = write(fd, &verdict, sizeof(verdict));
    _exit(n == (ssize_t)sizeof(verdict) ? 0 : 1);
}

/* --------------------------------------------------------------- parent */

/* All of verdict or less, when the child died. */
static apr_size_t hear(int fd, verdict_t *verdict)
{
    struct pollfd pfd = { fd, POLLIN, 0 };
    apr_size_t got = 0;
    ssize_t n = 1;

    while (got < sizeof(*verdict) && n != 0) {
        base_tick_poll(&pfd, 1, -1);
        n = read(fd, (char *)verdict + got, sizeof(*verdict) - got);
        if (n == -1 && errno != EINTR) {
            break;
        }
        got += n > 0 ? (apr_size_t)n : 0;
    }
    return got;
}

static apr_status_t judge(const verdict_t *verdict, apr_size_t got,
                          acme_err_t *err)
{
    if (got != sizeof(*verdict)) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "the process that tested the configuration "
                            "died: run the command again");
    }
    if (verdict->impossible) {
        return base_err_set(err, APR_ENOTIMPL, BASE_EXIT_FAILED,
                            "cannot test the configuration before it is "
                            "live: this process may make no mount namespace: "
                            "run it as root");
    }
    if (verdict->err.status != APR_SUCCESS) {
        *err = verdict->err;
    }
    return verdict->err.status;
}

apr_status_t journal_preview_run(journal_t *journal,
                                 const apr_array_header_t *pres,
                                 journal_test_fn *test, void *baton,
                                 acme_err_t *err, apr_pool_t *scratch_pool)
{
    try_t try = { test, baton };
    verdict_t verdict;
    apr_size_t got;
    int fds[2];
    pid_t parent = getpid(), pid;

    memset(&verdict, 0, sizeof(verdict));
    if (pipe2(fds, O_CLOEXEC) == -1) {
        return base_err_path(err, errno, "test the files of",
                             journal->dir);
    }
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(fds[1], parent, journal, pres, &try, scratch_pool);
    }
    close(fds[1]);
    if (pid == -1) {
        close(fds[0]);
        return base_err_path(err, EAGAIN, "test the files of",
                             journal->dir);
    }
    got = hear(fds[0], &verdict);
    close(fds[0]);
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {
        continue;
    }
    return judge(&verdict, got, err);
}
