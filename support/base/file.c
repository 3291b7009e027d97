/*
 * file.c: files and directories, atomically.
 *
 * Rules of this file: every descriptor is close-on-exec; EINTR is retried;
 * fsync never is (after a failed fsync the kernel may have dropped the
 * data, so the file is given up); a failure leaves no temporary behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "base/base.h"

#define REMOVE_DEPTH_MAX 4
#define TEMP_TRIES 16

/** What the operator can do about a system error. */
static const char *cure(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "; make room on that file system";
    case EROFS:
        return "; the file system is mounted read-only";
    case EACCES:
    case EPERM:
        return "; run acmectl as root, or mend the permissions";
    case ELOOP:
        return "; a symbolic link stands where a file is expected";
    default:
        return "";
    }
}

/** Record "cannot VERB PATH: reason; cure". */
static apr_status_t fail(acme_err_t *err, int error, const char *verb,
                         const char *path)
{
    char buf[200];

    return base_err_set(err, error, BASE_EXIT_FAILED, "cannot %s %s: %s%s",
                        verb, path, base_strerror(error, buf, sizeof(buf)),
                        cure(error));
}

static apr_status_t wipe(void *data)
{
    volatile char *p = data;

    while (*p) {
        *p++ = '\0';
    }
    return APR_SUCCESS;
}

/** read(2) len bytes or up to the end of the file. */
static int read_full(int fd, char *data, size_t len, size_t *pgot)
{
    *pgot = 0;
    while (*pgot < len) {
        ssize_t n = read(fd, data + *pgot, len - *pgot);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            break;
        }
        *pgot += (size_t)n;
    }
    return 0;
}

static int write_full(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static apr_status_t read_open_file(char **pdata, apr_size_t *plen, int fd,
                                   const char *path, apr_size_t max,
                                   acme_err_t *err, apr_pool_t *pool)
{
    struct stat st;
    int error;

    if (fstat(fd, &st) != 0) {
        return fail(err, errno, "read", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot read %s: it is not a regular file", path);
    }
    if (st.st_size < 0 || (apr_size_t)st.st_size > max) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot read %s: it is larger than %"
                            APR_SIZE_T_FMT " bytes", path, max);
    }
    *pdata = apr_pcalloc(pool, (apr_size_t)st.st_size + 1);
    apr_pool_cleanup_register(pool, *pdata, wipe, apr_pool_cleanup_null);
    error = read_full(fd, *pdata, (size_t)st.st_size, plen);
    return error ? fail(err, error, "read", path) : APR_SUCCESS;
}

apr_status_t base_file_read(char **pdata, apr_size_t *plen, const char *path,
                            apr_size_t max, acme_err_t *err,
                            apr_pool_t *result_pool)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
                        | O_NOCTTY);
    apr_status_t rv;

    if (fd < 0) {
        return fail(err, errno, "read", path);
    }
    rv = read_open_file(pdata, plen, fd, path, max, err, result_pool);
    close(fd);
    return rv;
}

/** Write, set the mode whatever the umask, fsync, close. @return errno */
static int fill(int fd, const char *data, size_t len, int mode)
{
    int error = write_full(fd, data, len);

    if (!error && fchmod(fd, (mode_t)mode) != 0) {
        error = errno;
    }
    if (!error && fsync(fd) != 0) {
        error = errno;
    }
    if (close(fd) != 0 && !error) {
        error = errno;
    }
    return error;
}

apr_status_t base_file_create(const char *path, const char *data,
                              apr_size_t len, int mode, acme_err_t *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  mode & 0700);
    int error;

    if (fd < 0) {
        return fail(err, errno, "create", path);
    }
    error = fill(fd, data, len, mode);
    if (error) {
        unlink(path);
        return fail(err, error, "write", path);
    }
    return APR_SUCCESS;
}

/** The directory part of path, "." if it has none. */
static const char *parent_of(const char *path, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');

    if (!slash) {
        return ".";
    }
    return slash == path ? "/" : apr_pstrndup(pool, path,
                                              (apr_size_t)(slash - path));
}

/** A name beside path that nobody uses and no "*" of httpd's includes. */
static const char *temp_name(const char *path, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');
    unsigned char random[8];
    char hex[17];
    int i;

    apr_generate_random_bytes(random, sizeof(random));
    for (i = 0; i < 8; i++) {
        snprintf(hex + 2 * i, 3, "%02x", random[i]);
    }
    return apr_psprintf(pool, "%s/.%s.tmp-%s", parent_of(path, pool),
                        slash ? slash + 1 : path, hex);
}

apr_status_t base_dir_sync(const char *path, acme_err_t *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = 0;

    if (fd < 0) {
        return fail(err, errno, "open", path);
    }
    if (fsync(fd) != 0) {
        error = errno;
    }
    close(fd);
    return error ? fail(err, error, "write", path) : APR_SUCCESS;
}

apr_status_t base_file_rename(const char *from, const char *to,
                              acme_err_t *err, apr_pool_t *scratch_pool)
{
    if (rename(from, to) != 0) {
        return fail(err, errno, "replace", to);
    }
    return base_dir_sync(parent_of(to, scratch_pool), err);
}

apr_status_t base_file_write(const char *path, const char *data,
                             apr_size_t len, int mode, acme_err_t *err,
                             apr_pool_t *scratch_pool)
{
    const char *temp = temp_name(path, scratch_pool);
    apr_status_t rv;

    rv = base_file_create(temp, data, len, mode, err);
    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "cannot write %s", path);
    }
    rv = base_file_rename(temp, path, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        unlink(temp);
    }
    return rv;
}

apr_status_t base_file_remove(const char *path, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    if (unlink(path) != 0) {
        return errno == ENOENT ? APR_SUCCESS : fail(err, errno, "remove",
                                                    path);
    }
    return base_dir_sync(parent_of(path, scratch_pool), err);
}

apr_status_t base_link_switch(const char *path, const char *target,
                              acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *temp = temp_name(path, scratch_pool);
    apr_status_t rv;

    if (symlink(target, temp) != 0) {
        return fail(err, errno, "link", path);
    }
    rv = base_file_rename(temp, path, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        unlink(temp);
    }
    return rv;
}

apr_status_t base_link_read(const char **ptarget, const char *path,
                            acme_err_t *err, apr_pool_t *result_pool)
{
    char target[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof(target));

    if (len < 0) {
        return fail(err, errno, "read the link", path);
    }
    *ptarget = apr_pstrmemdup(result_pool, target, (apr_size_t)len);
    return APR_SUCCESS;
}

/** Owner and mode of a directory that holds secrets. */
static apr_status_t check_private(const char *path, int mode,
                                  acme_err_t *err)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return fail(err, errno, "open", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s is not a directory; move it away", path);
    }
    if (st.st_uid != geteuid()) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "%s belongs to user %lu, not to user %lu who "
                            "runs acmectl; after a look at what is in it: "
                            "chown -R %lu %s", path,
                            (unsigned long)st.st_uid,
                            (unsigned long)geteuid(),
                            (unsigned long)geteuid(), path);
    }
    if ((st.st_mode & 07777 & ~(mode_t)mode) != 0) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "%s has mode %04o and lets others in; close it: "
                            "chmod %04o %s", path,
                            (unsigned)st.st_mode & 07777, (unsigned)mode,
                            path);
    }
    return APR_SUCCESS;
}

apr_status_t base_dir_make(const char *path, int mode, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    if (mkdir(path, (mode_t)mode & 0700) != 0) {
        return errno == EEXIST ? check_private(path, mode, err)
                               : fail(err, errno, "make the directory",
                                      path);
    }
    if (chmod(path, (mode_t)mode) != 0) {
        return fail(err, errno, "make the directory", path);
    }
    return base_dir_sync(parent_of(path, scratch_pool), err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

apr_status_t base_dir_list(apr_array_header_t **pnames, const char *path,
                           acme_err_t *err, apr_pool_t *result_pool)
{
    apr_finfo_t entry;
    apr_dir_t *dir;
    apr_status_t rv;

    *pnames = apr_array_make(result_pool, 16, sizeof(const char *));
    rv = apr_dir_open(&dir, path, result_pool);
    if (rv != APR_SUCCESS) {
        return fail(err, rv, "list", path);
    }
    while ((rv = apr_dir_read(&entry, APR_FINFO_NAME, dir)) == APR_SUCCESS) {
        if (strcmp(entry.name, ".") != 0 && strcmp(entry.name, "..") != 0) {
            APR_ARRAY_PUSH(*pnames, const char *) =
                apr_pstrdup(result_pool, entry.name);
        }
    }
    apr_dir_close(dir);
    if (!APR_STATUS_IS_ENOENT(rv)) {
        return fail(err, rv, "list", path);
    }
    qsort((*pnames)->elts, (size_t)(*pnames)->nelts, sizeof(const char *),
          compare_names);
    return APR_SUCCESS;
}

static apr_status_t remove_below(const char *path, int depth,
                                 acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *names;
    struct stat st;
    apr_status_t rv;
    int i;

    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? APR_SUCCESS : fail(err, errno, "remove",
                                                    path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return unlink(path) == 0 ? APR_SUCCESS : fail(err, errno, "remove",
                                                      path);
    }
    if (depth == 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot remove %s: it holds more directories "
                            "than acmectl makes; look at it and remove it "
                            "by hand", path);
    }
    rv = base_dir_list(&names, path, err, pool);
    for (i = 0; rv == APR_SUCCESS && i < names->nelts; i++) {
        rv = remove_below(apr_pstrcat(pool, path, "/",
                                      APR_ARRAY_IDX(names, i, const char *),
                                      NULL), depth - 1, err, pool);
    }
    if (rv == APR_SUCCESS && rmdir(path) != 0) {
        rv = fail(err, errno, "remove", path);
    }
    return rv;
}

apr_status_t base_dir_remove(const char *path, acme_err_t *err,
                             apr_pool_t *scratch_pool)
{
    return remove_below(path, REMOVE_DEPTH_MAX, err, scratch_pool);
}
