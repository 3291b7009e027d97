/*
 * file: files and symbolic links that are whole at every moment.
 *
 * A write goes to a temporary in the same directory and takes its place by
 * one rename, which POSIX makes atomic:
 *
 *     .NAME.tmp-RANDOM   open(O_EXCL) -> write -> fsync -> close
 *     NAME               rename       -> fsync of the directory
 *
 * A process that dies in between leaves the old NAME and perhaps a dot-file.
 * fsync is never tried twice: after a failure the kernel may have dropped
 * the pages, and a second call would report success for lost data.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"
#include "base/internal.h"

/* open(2), again when a signal came first. @return -1 with errno set */
static int file_open(const char *path, int flags, int mode)
{
    int fd;

    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    } while (fd == -1 && errno == EINTR);
    return fd;
}

/* Up to len bytes, fewer only at the end of the file. */
static apr_status_t read_full(int fd, char *data, apr_size_t len,
                              apr_size_t *pgot)
{
    apr_size_t got = 0;
    ssize_t n = 1;

    while (got < len && n != 0) {
        n = read(fd, data + got, len - got);
        if (n == -1 && errno != EINTR) {
            return errno;
        }
        got += n > 0 ? (apr_size_t)n : 0;
    }
    *pgot = got;
    return APR_SUCCESS;
}

apr_status_t base_fd_write(int fd, const char *data, apr_size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, data, len);
        if (n == -1 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            data += n;
            len -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

/* A file's bytes, to be wiped before their pool gives them away. */
typedef struct content_t {
    char *data;
    apr_size_t size;
} content_t;

static apr_status_t content_wipe(void *data)
{
    content_t *content = data;

    explicit_bzero(content->data, content->size);
    return APR_SUCCESS;
}

static char *content_make(apr_size_t size, apr_pool_t *pool)
{
    content_t *content = apr_palloc(pool, sizeof(*content));

    content->data = apr_pcalloc(pool, size);
    content->size = size;
    apr_pool_cleanup_register(pool, content, content_wipe,
                              apr_pool_cleanup_null);
    return content->data;
}

static apr_status_t refuse(acme_err_t *err, const char *what,
                           const char *path, const char *why)
{
    return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED, "cannot %s %s: %s",
                        what, path, why);
}

/* The size of the regular file behind fd, checked. */
static apr_status_t file_size(apr_size_t *psize, int fd, const char *path,
                              apr_size_t max, acme_err_t *err)
{
    struct stat st;

    if (fstat(fd, &st) == -1) {
        return base_err_path(err, errno, "read", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(err, "read", path, "it is not a regular file: put the "
                      "file itself there");
    }
    if ((apr_uint64_t)st.st_size > max) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot read %s: it is larger than the %lu bytes "
                            "that are accepted: check what it is", path,
                            (unsigned long)max);
    }
    *psize = (apr_size_t)st.st_size;
    return APR_SUCCESS;
}

apr_status_t base_fd_read(char **pdata, apr_size_t *plen, int fd,
                          const char *path, apr_size_t max, acme_err_t *err,
                          apr_pool_t *result_pool)
{
    apr_size_t size = 0, got = 0;
    char *data;
    apr_status_t rv = file_size(&size, fd, path, max, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    data = content_make(size + 1, result_pool);
    rv = read_full(fd, data, size + 1, &got);
    if (rv != APR_SUCCESS) {
        return base_err_path(err, rv, "read", path);
    }
    if (got > size) {
        return refuse(err, "read", path, "it grew meanwhile: try again when "
                      "its writer has ended");
    }
    data[got] = '\0';
    *pdata = data;
    *plen = got;
    return APR_SUCCESS;
}

apr_status_t base_file_read(char **pdata, apr_size_t *plen, const char *path,
                            apr_size_t max, acme_err_t *err,
                            apr_pool_t *result_pool)
{
    /* O_NONBLOCK: a FIFO that somebody put there must not stop us */
    int fd = file_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    apr_status_t rv;

    if (fd == -1) {
        return errno == ELOOP
               ? refuse(err, "read", path, "it is a symbolic link: put the "
                        "file itself there")
               : base_err_path(err, errno, "read", path);
    }
    rv = base_fd_read(pdata, plen, fd, path, max, err, result_pool);
    close(fd);
    return rv;
}

/* fchmod because open's mode passes through the umask. */
static apr_status_t fill(int fd, const char *data, apr_size_t len, int mode,
                         int sync)
{
    apr_status_t rv;

    if (fchmod(fd, (mode_t)mode) == -1) {
        return errno;
    }
    rv = base_fd_write(fd, data, len);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return sync && fsync(fd) == -1 ? errno : APR_SUCCESS;
}

/* Remove what this call made; a failure goes behind the first error. */
static void undo(const char *path, acme_err_t *err)
{
    char text[128];

    if (unlink(path) == -1 && errno != ENOENT) {
        base_strerror(errno, text, sizeof(text));
        base_err_append(err, "and %s stays behind: %s: remove it", path,
                        text);
    }
}

static apr_status_t file_make(const char *path, const char *data,
                              apr_size_t len, int mode, int sync,
                              acme_err_t *err)
{
    int fd = file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                       mode & 0600);
    apr_status_t rv;

    if (fd == -1) {
        return base_err_path(err, errno, "create", path);
    }
    rv = fill(fd, data, len, mode, sync);
    /* after fsync nothing is left for close to lose */
    if (close(fd) == -1 && rv == APR_SUCCESS && errno != EINTR) {
        rv = errno;
    }
    if (rv != APR_SUCCESS) {
        base_err_path(err, rv, "write", path);
        undo(path, err);
    }
    return rv;
}

apr_status_t base_file_create(const char *path, const char *data,
                              apr_size_t len, int mode, acme_err_t *err)
{
    return file_make(path, data, len, mode, 1, err);
}

apr_status_t base_file_put(const char *path, const char *data,
                           apr_size_t len, int mode, acme_err_t *err)
{
    return file_make(path, data, len, mode, 0, err);
}

const char *base_path_dir(const char *path, apr_pool_t *pool)
{
    apr_size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    if (len == 0) {
        return ".";
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    return apr_pstrmemdup(pool, path, len);
}

/* DIR/.NAME.tmp-RANDOM; a dot-file, which httpd's Include passes over. */
static apr_status_t temp_path(const char **ptemp, const char *path,
                              acme_err_t *err, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    apr_uint64_t random;
    apr_status_t rv;

    if (*name == '\0') {
        return refuse(err, "write", path, "it names a directory: give a "
                      "file's name");
    }
    rv = apr_generate_random_bytes((unsigned char *)&random, sizeof(random));
    if (rv != APR_SUCCESS) {
        return base_err_path(err, rv, "find a temporary name for", path);
    }
    *ptemp = apr_psprintf(pool, "%.*s.%s.tmp-%016" APR_UINT64_T_HEX_FMT,
                          (int)(name - path), path, name, random);
    return APR_SUCCESS;
}

/* The temporary takes path's place, or goes. */
static apr_status_t replace(const char *temp, const char *path,
                            acme_err_t *err, apr_pool_t *scratch_pool)
{
    apr_status_t rv;

    if (rename(temp, path) == -1) {
        rv = base_err_path(err, errno, "replace", path);
        undo(temp, err);
        return rv;
    }
    return base_dir_sync(base_path_dir(path, scratch_pool), err);
}

apr_status_t base_file_write(const char *path, const char *data,
                             apr_size_t len, int mode, acme_err_t *err,
                             apr_pool_t *scratch_pool)
{
    const char *temp;
    apr_status_t rv = temp_path(&temp, path, err, scratch_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = base_file_create(temp, data, len, mode, err);
    if (rv != APR_SUCCESS) {
        base_err_wrap(err, "cannot write %s", path);
        return rv;
    }
    return replace(temp, path, err, scratch_pool);
}

apr_status_t base_file_remove(const char *path, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    if (unlink(path) == -1) {
        return errno == ENOENT ? APR_SUCCESS
                               : base_err_path(err, errno, "remove", path);
    }
    return base_dir_sync(base_path_dir(path, scratch_pool), err);
}

apr_status_t base_file_rename(const char *from, const char *to,
                              acme_err_t *err, apr_pool_t *scratch_pool)
{
    if (rename(from, to) == -1) {
        return base_err_path(err, errno,
                             apr_psprintf(scratch_pool, "rename %s to", from),
                             to);
    }
    return base_dir_sync(base_path_dir(to, scratch_pool), err);
}

apr_status_t base_link_switch(const char *path, const char *target,
                              acme_err_t *err, apr_pool_t *scratch_pool)
{
    struct stat st;
    const char *temp;
    apr_status_t rv;

    if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode)) {
        return refuse(err, "switch", path, "it is not a symbolic link: move "
                      "it away");
    }
    rv = temp_path(&temp, path, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (symlink(target, temp) == -1) {
        return base_err_path(err, errno, "make the link", path);
    }
    return replace(temp, path, err, scratch_pool);
}

apr_status_t base_link_read(const char **ptarget, const char *path,
                            acme_err_t *err, apr_pool_t *result_pool)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target));

    if (n == -1 && errno == EINVAL) {
        return refuse(err, "read the link", path, "it is not a symbolic "
                      "link: move it away");
    }
    if (n == -1 || n == (ssize_t)sizeof(target)) {
        return base_err_path(err, n == -1 ? errno : ENAMETOOLONG,
                             "read the link", path);
    }
    *ptarget = apr_pstrmemdup(result_pool, target, (apr_size_t)n);
    return APR_SUCCESS;
}
