/*
 * program.c: see program.h.
 */
#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_errno.h>
#include <apr_strings.h>

static const char *system_fault(int error, apr_pool_t *p)
{
    char buf[256];

    return apr_pstrdup(p, apr_strerror(error, buf, sizeof(buf)));
}

/* Can only root, and who asks, write what st tells of? In a directory with
 * the sticky bit only the owner of an entry can replace it. */
static int is_private(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid()) {
        return 0;
    }
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)) {
        return 1;
    }
    return !(st->st_mode & S_IWOTH)
           && (!(st->st_mode & S_IWGRP) || st->st_gid == 0);
}

/* What is wrong about one directory on the way to the program. */
static const char *directory_fault(const char *dir, apr_pool_t *p)
{
    struct stat st;

    if (stat(dir, &st) != 0) {
        return apr_pstrcat(p, dir, ": ", system_fault(errno, p), NULL);
    }
    if (!is_private(&st)) {
        return apr_psprintf(p, "others than root can replace it, as they "
                            "can write %s: chown root, chmod go-w that "
                            "directory", dir);
    }
    if (geteuid() == 0 && !(st.st_mode & S_IXOTH)) {
        return apr_psprintf(p, "the unprivileged user that runs it cannot "
                            "reach it through %s: chmod o+x that directory, "
                            "or put the program elsewhere", dir);
    }
    return NULL;
}

/* The same of all directories above path, which is absolute and clean. */
static const char *way_fault(const char *path, apr_pool_t *p)
{
    char *dir = apr_pstrdup(p, path);
    const char *fault = NULL;
    char *slash;

    while (!fault && (slash = strrchr(dir, '/')) != NULL) {
        *slash = '\0';
        fault = directory_fault(*dir ? dir : "/", p);
    }
    return fault;
}

static const char *file_fault(const char *path, apr_pool_t *p)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return system_fault(errno, p);
    }
    if (!S_ISREG(st.st_mode)) {
        return "it is not a regular file";
    }
    if (!is_private(&st)) {
        return apr_psprintf(p, "others than root can write it: chown root, "
                            "chmod go-w %s", path);
    }
    if (geteuid() == 0 ? !(st.st_mode & S_IXOTH)
                       : access(path, X_OK) != 0) {
        return apr_psprintf(p, "the unprivileged user that runs it may not "
                            "execute it: chmod +x %s", path);
    }
    return NULL;
}

const char *acme_program_fault(const char *path, apr_pool_t *p)
{
    const char *slash = strrchr(path, '/');
    const char *dir = slash > path ? apr_pstrmemdup(p, path, slash - path)
                                   : "/";
    char real[PATH_MAX];
    char real_dir[PATH_MAX];
    const char *fault;

    if (!realpath(path, real)) {
        return system_fault(errno, p);
    }
    fault = file_fault(real, p);
    if (!fault) {
        fault = way_fault(real, p);
    }
    /* Where path is a link: who can replace the link itself? */
    if (!fault && !realpath(dir, real_dir)) {
        fault = system_fault(errno, p);
    }
    if (!fault) {
        fault = directory_fault(real_dir, p);
    }
    return fault ? fault : way_fault(real_dir, p);
}
