/*
 * dir: directories that nobody else gets into, and their removal without
 * ever following a link out of them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"

/* The directory itself is level 1. */
#define REMOVE_LEVELS 4

/* open(2) of a directory relative to at, again when a signal came first. */
static int dir_open(int at, const char *name, int flags)
{
    int fd;

    do {
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    } while (fd == -1 && errno == EINTR);
    return fd;
}

apr_status_t base_dir_sync(const char *path, acme_err_t *err)
{
    int fd = dir_open(AT_FDCWD, path, 0);
    apr_status_t rv = APR_SUCCESS;

    if (fd == -1) {
        return base_err_path(err, errno, "open the directory", path);
    }
    /* EINVAL: a file system without fsync for directories has no need */
    if (fsync(fd) == -1 && errno != EINVAL) {
        rv = base_err_path(err, errno, "sync the directory", path);
    }
    close(fd);
    return rv;
}

static apr_status_t dir_refuse(acme_err_t *err, const char *path,
                               const char *why)
{
    return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                        "cannot use the directory %s: %s", path, why);
}

/* Owner and mode of a directory that was there before. */
static apr_status_t dir_check(int fd, const char *path, int mode,
                              acme_err_t *err, apr_pool_t *scratch_pool)
{
    struct stat st;
    const char *why;

    if (fstat(fd, &st) == -1) {
        return base_err_path(err, errno, "look at the directory", path);
    }
    if (st.st_uid != geteuid()) {
        why = apr_psprintf(scratch_pool, "it belongs to user %lu: if that is "
                           "a mistake, chown %lu %s",
                           (unsigned long)st.st_uid,
                           (unsigned long)geteuid(), path);
        return dir_refuse(err, path, why);
    }
    if ((int)(st.st_mode & 0777) != mode) {
        why = apr_psprintf(scratch_pool, "its mode is %04o: chmod %04o %s",
                           (unsigned)(st.st_mode & 0777), (unsigned)mode,
                           path);
        return dir_refuse(err, path, why);
    }
    return APR_SUCCESS;
}

/* A new directory: the exact mode whatever the umask, then to the disk. */
static apr_status_t dir_finish(int fd, const char *path, int mode,
                               acme_err_t *err, apr_pool_t *scratch_pool)
{
    apr_status_t rv;

    if (fchmod(fd, (mode_t)mode) == -1) {
        rv = base_err_path(err, errno, "set the mode of", path);
    }
    else {
        rv = base_dir_sync(base_path_dir(path, scratch_pool), err);
    }
    if (rv != APR_SUCCESS && rmdir(path) == -1) {
        base_err_append(err, "and %s stays behind: remove it", path);
    }
    return rv;
}

/* mkdir(2) of what its owner can open, whatever the umask. */
static int dir_new(const char *path, int mode)
{
    mode_t mask = umask(0077);
    int made = mkdir(path, (mode_t)mode & 0700) == 0;
    int error = errno;

    umask(mask);
    errno = error;
    return made;
}

apr_status_t base_dir_make(const char *path, int mode, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    int made = dir_new(path, mode), fd;
    apr_status_t rv;

    if (!made && errno != EEXIST) {
        return base_err_path(err, errno, "make the directory", path);
    }
    fd = dir_open(AT_FDCWD, path, O_NOFOLLOW);
    if (fd == -1) {
        return errno == ENOTDIR || errno == ELOOP
               ? base_err_set(err, APR_ENOTDIR, BASE_EXIT_FAILED,
                              "cannot use the directory %s: it is a file or "
                              "a symbolic link: name a directory itself",
                              path)
               : base_err_path(err, errno, "open the directory", path);
    }
    rv = made ? dir_finish(fd, path, mode, err, scratch_pool)
              : dir_check(fd, path, mode, err, scratch_pool);
    close(fd);
    return rv;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names behind fd, which this takes. @return the system's error */
static apr_status_t names_read(apr_array_header_t **pnames, int fd,
                               apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 16, sizeof(char *));
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    apr_status_t rv;

    if (!dir) {
        rv = errno;
        close(fd);
        return rv;
    }
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            APR_ARRAY_PUSH(names, char *) = apr_pstrdup(pool, entry->d_name);
        }
    }
    rv = errno;
    closedir(dir);
    qsort(names->elts, (size_t)names->nelts, sizeof(char *), name_compare);
    *pnames = names;
    return rv;
}

apr_status_t base_dir_list(apr_array_header_t **pnames, const char *path,
                           acme_err_t *err, apr_pool_t *result_pool)
{
    int fd = dir_open(AT_FDCWD, path, 0);
    apr_status_t rv = fd == -1 ? errno
                               : names_read(pnames, fd, result_pool);

    if (rv != APR_SUCCESS) {
        return base_err_path(err, rv, "list the directory", path);
    }
    return APR_SUCCESS;
}

static apr_status_t remove_tree(int at, const char *name, const char *path,
                                int level, acme_err_t *err,
                                apr_pool_t *pool);

/* One entry of the directory at; path is its name for people. */
static apr_status_t remove_entry(int at, const char *name, const char *path,
                                 int level, acme_err_t *err,
                                 apr_pool_t *pool)
{
    struct stat st;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        return errno == ENOENT ? APR_SUCCESS
                               : base_err_path(err, errno, "remove", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return remove_tree(at, name, path, level + 1, err, pool);
    }
    if (unlinkat(at, name, 0) == -1 && errno != ENOENT) {
        return base_err_path(err, errno, "remove", path);
    }
    return APR_SUCCESS;
}

/* What is in the directory behind fd, which stays open. */
static apr_status_t remove_content(int fd, const char *path, int level,
                                   acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *names;
    const char *name;
    apr_status_t rv;
    int i, list = dir_open(fd, ".", 0);

    rv = list == -1 ? errno : names_read(&names, list, pool);
    if (rv != APR_SUCCESS) {
        return base_err_path(err, rv, "list the directory", path);
    }
    for (i = 0; i < names->nelts && rv == APR_SUCCESS; i++) {
        name = APR_ARRAY_IDX(names, i, char *);
        rv = remove_entry(fd, name, apr_pstrcat(pool, path, "/", name,
                                                NULL), level, err, pool);
    }
    return rv;
}

static apr_status_t remove_tree(int at, const char *name, const char *path,
                                int level, acme_err_t *err, apr_pool_t *pool)
{
    apr_status_t rv;
    int fd;

    if (level > REMOVE_LEVELS) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot remove %s: it is nested deeper than we "
                            "make directories: look what it is and remove it "
                            "by hand", path);
    }
    fd = dir_open(at, name, O_NOFOLLOW);
    if (fd == -1) {
        return errno == ENOENT ? APR_SUCCESS
                               : base_err_path(err, errno, "remove", path);
    }
    rv = remove_content(fd, path, level, err, pool);
    close(fd);
    if (rv == APR_SUCCESS && unlinkat(at, name, AT_REMOVEDIR) == -1
        && errno != ENOENT) {
        rv = base_err_path(err, errno, "remove", path);
    }
    return rv;
}

apr_status_t base_dir_remove(const char *path, acme_err_t *err,
                             apr_pool_t *scratch_pool)
{
    struct stat st;
    apr_status_t rv;

    if (lstat(path, &st) == -1 && errno == ENOENT) {
        return APR_SUCCESS;
    }
    rv = remove_tree(AT_FDCWD, path, path, 1, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return base_dir_sync(base_path_dir(path, scratch_pool), err);
}
