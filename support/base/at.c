/*
 * at: files that belong to somebody else, changed by name within an open
 * directory.
 *
 * A directory is opened one component at a time and no symbolic link is
 * followed, so that whoever renames directories meanwhile cannot lead us
 * elsewhere. A file that takes another's place has its owner, mode and every
 * extended attribute (ACLs and labels are such) before it is seen.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* renameat2, statx */
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"
#include "base/internal.h"

/* Linux gives no more, xattr(7). */
#define XATTR_LIST_SIZE (64 * 1024)
#define XATTR_VALUE_SIZE (64 * 1024)

static const char *at_path(const base_at_t *at, const char *name, char *buf,
                           apr_size_t size)
{
    snprintf(buf, size, "%s/%s", at->path[1] ? at->path : "", name);
    return buf;
}

/* base_err_path for a name in a directory. */
static apr_status_t at_fails(acme_err_t *err, apr_status_t status,
                             const char *what, const base_at_t *at,
                             const char *name)
{
    char path[PATH_MAX];

    return base_err_path(err, status, what,
                         at_path(at, name, path, sizeof(path)));
}

static int at_openat(int fd, const char *name, int flags, int mode)
{
    int opened;

    do {
        opened = openat(fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                        mode);
    } while (opened == -1 && errno == EINTR);
    return opened;
}

static apr_status_t at_close(void *data)
{
    base_at_t *at = data;

    close(at->fd);
    at->fd = -1;
    return APR_SUCCESS;
}

/* Walk from the root. @return the descriptor, or -1 with errno set */
static int at_walk(const char *path)
{
    char name[NAME_MAX + 1];
    apr_size_t len;
    int fd = at_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0), next;

    for (path += strspn(path, "/"); fd != -1 && *path;
         path += len, path += strspn(path, "/")) {
        len = strcspn(path, "/");
        if (len > NAME_MAX) {
            close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        next = at_openat(fd, name, O_RDONLY | O_DIRECTORY, 0);
        close(fd);
        fd = next;
    }
    return fd;
}

apr_status_t base_at_open(base_at_t **pat, const char *path,
                          acme_err_t *err, apr_pool_t *result_pool)
{
    base_at_t *at = apr_palloc(result_pool, sizeof(*at));

    at->path = apr_pstrdup(result_pool, path);
    at->fd = at_walk(path);
    if (at->fd == -1) {
        return base_err_path(err, errno == ELOOP ? ENOTDIR : errno,
                             "open the directory", path);
    }
    apr_pool_cleanup_register(result_pool, at, at_close,
                              apr_pool_cleanup_null);
    *pat = at;
    return APR_SUCCESS;
}

apr_status_t base_at_stat(struct stat *st, const base_at_t *at,
                          const char *name, acme_err_t *err)
{
    if (fstatat(at->fd, name, st, AT_SYMLINK_NOFOLLOW) == -1) {
        return at_fails(err, errno, "look at", at, name);
    }
    return APR_SUCCESS;
}

apr_status_t base_path_real(const char **preal, const char *path,
                            acme_err_t *err, apr_pool_t *result_pool)
{
    char real[PATH_MAX];

    if (!realpath(path, real)) {
        return base_err_path(err, errno, "find", path);
    }
    *preal = apr_pstrdup(result_pool, real);
    return APR_SUCCESS;
}

/* ----------------------------------------------------------- attributes */

/* One attribute's value. @return -1 with errno set */
static ssize_t xattr_get(int fd, const char *name, char **pvalue,
                         apr_pool_t *pool)
{
    ssize_t len = fgetxattr(fd, name, NULL, 0);

    if (len < 0 || len > XATTR_VALUE_SIZE) {
        errno = len < 0 ? errno : E2BIG;
        return -1;
    }
    *pvalue = apr_pcalloc(pool, (apr_size_t)len + 1);
    return fgetxattr(fd, name, *pvalue, (size_t)len);
}

/* All of fd's names, one behind the other. @return -1 with errno set; a
 * file system without attributes has none */
static ssize_t xattr_names(int fd, char **pnames, apr_pool_t *pool)
{
    ssize_t len;

    *pnames = apr_pcalloc(pool, XATTR_LIST_SIZE + 1);
    len = flistxattr(fd, *pnames, XATTR_LIST_SIZE);
    return len == -1 && errno == ENOTSUP ? 0 : len;
}

static apr_status_t xattrs_read(apr_array_header_t *xattrs, int fd,
                                apr_pool_t *pool)
{
    base_xattr_t *xattr;
    char *names, *name, *value;
    ssize_t len = xattr_names(fd, &names, pool), got;

    if (len == -1) {
        return errno;
    }
    for (name = names; name < names + len; name += strlen(name) + 1) {
        got = xattr_get(fd, name, &value, pool);
        if (got == -1) {
            return errno;
        }
        xattr = apr_array_push(xattrs);
        xattr->name = name;
        xattr->value = value;
        xattr->len = (apr_size_t)got;
    }
    return APR_SUCCESS;
}

static apr_status_t attrs_read(base_attrs_t *attrs, int fd, apr_pool_t *pool)
{
    struct stat st;

    if (fstat(fd, &st) == -1) {
        return errno;
    }
    attrs->mode = (int)(st.st_mode & 07777);
    attrs->uid = st.st_uid;
    attrs->gid = st.st_gid;
    attrs->inode = (apr_uint64_t)st.st_ino;
    attrs->xattrs = apr_array_make(pool, 2, sizeof(base_xattr_t));
    return xattrs_read(attrs->xattrs, fd, pool);
}

static const base_xattr_t *xattr_find(const apr_array_header_t *xattrs,
                                      const char *name)
{
    const base_xattr_t *xattr;
    int i;

    for (i = 0; i < xattrs->nelts; i++) {
        xattr = &APR_ARRAY_IDX(xattrs, i, base_xattr_t);
        if (strcmp(xattr->name, name) == 0) {
            return xattr;
        }
    }
    return NULL;
}

/* What the new file got from its directory and the old one does not have; a
 * label that the system insists on stays. */
static apr_status_t xattrs_drop(int fd, const apr_array_header_t *have,
                                const apr_array_header_t *wanted)
{
    const char *name;
    int i;

    for (i = 0; i < have->nelts; i++) {
        name = APR_ARRAY_IDX(have, i, base_xattr_t).name;
        if (!xattr_find(wanted, name) && fremovexattr(fd, name) == -1
            && strncmp(name, "security.", 9) != 0) {
            return errno;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t xattrs_set(int fd, const apr_array_header_t *have,
                               const apr_array_header_t *wanted)
{
    const base_xattr_t *old, *xattr;
    int i;

    for (i = 0; i < wanted->nelts; i++) {
        xattr = &APR_ARRAY_IDX(wanted, i, base_xattr_t);
        old = xattr_find(have, xattr->name);
        if (old && old->len == xattr->len
            && memcmp(old->value, xattr->value, old->len) == 0) {
            continue;
        }
        if (fsetxattr(fd, xattr->name, xattr->value, xattr->len, 0) == -1) {
            return errno;
        }
    }
    return APR_SUCCESS;
}

/* chown first, for it takes capabilities and set-id bits away; an ACL
 * before the mode, which has the last word on its mask. */
static apr_status_t attrs_set(int fd, const base_attrs_t *attrs,
                              apr_pool_t *pool)
{
    base_attrs_t have;
    apr_status_t rv = attrs_read(&have, fd, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if ((have.uid != attrs->uid || have.gid != attrs->gid)
        && fchown(fd, attrs->uid, attrs->gid) == -1) {
        return errno;
    }
    if (attrs->xattrs) {
        rv = xattrs_drop(fd, have.xattrs, attrs->xattrs);
        if (rv == APR_SUCCESS) {
            rv = xattrs_set(fd, have.xattrs, attrs->xattrs);
        }
    }
    if (rv == APR_SUCCESS && fchmod(fd, (mode_t)attrs->mode) == -1) {
        rv = errno;
    }
    return rv;
}

/* -------------------------------------------------------- read and make */

apr_status_t base_at_read(char **pdata, apr_size_t *plen,
                          base_attrs_t *attrs, const base_at_t *at,
                          const char *name, apr_size_t max, acme_err_t *err,
                          apr_pool_t *result_pool)
{
    char path[PATH_MAX];
    int fd = at_openat(at->fd, name, O_RDONLY | O_NONBLOCK, 0);
    apr_status_t rv;

    at_path(at, name, path, sizeof(path));
    if (fd == -1) {
        return base_err_path(err, errno, "read", path);
    }
    rv = base_fd_read(pdata, plen, fd, path, max, err, result_pool);
    if (rv == APR_SUCCESS && attrs) {
        rv = attrs_read(attrs, fd, result_pool);
        if (rv != APR_SUCCESS) {
            base_err_path(err, rv, "read the attributes of", path);
        }
    }
    close(fd);
    return rv;
}

/* Remove what this call made; a failure goes behind the first error. */
static void at_undo(const base_at_t *at, const char *name, acme_err_t *err)
{
    if (unlinkat(at->fd, name, 0) == -1 && errno != ENOENT) {
        base_err_append(err, "and %s/%s stays behind", at->path, name);
    }
}

apr_status_t base_at_create(const base_at_t *at, const char *name,
                            const char *data, apr_size_t len,
                            const base_attrs_t *attrs, acme_err_t *err,
                            apr_pool_t *scratch_pool)
{
    int fd = at_openat(at->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    apr_status_t rv;

    if (fd == -1) {
        return at_fails(err, errno, "create", at, name);
    }
    rv = base_fd_write(fd, data, len);
    if (rv == APR_SUCCESS) {
        rv = attrs_set(fd, attrs, scratch_pool);
    }
    if (rv == APR_SUCCESS && fsync(fd) == -1) {
        rv = errno;
    }
    if (close(fd) == -1 && rv == APR_SUCCESS && errno != EINTR) {
        rv = errno;
    }
    if (rv != APR_SUCCESS) {
        at_fails(err, rv, "write", at, name);
        at_undo(at, name, err);
    }
    return rv;
}

apr_status_t base_at_mkdir(const base_at_t *at, const char *name,
                           const base_attrs_t *attrs, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    apr_status_t rv;
    int fd;

    if (mkdirat(at->fd, name, 0700) == -1) {
        return at_fails(err, errno, "make the directory", at, name);
    }
    fd = at_openat(at->fd, name, O_RDONLY | O_DIRECTORY, 0);
    rv = fd == -1 ? errno : attrs_set(fd, attrs, scratch_pool);
    if (rv == APR_SUCCESS && fsync(fd) == -1 && errno != EINVAL) {
        rv = errno;
    }
    if (fd != -1) {
        close(fd);
    }
    if (rv != APR_SUCCESS) {
        at_fails(err, rv, "make the directory", at, name);
        if (unlinkat(at->fd, name, AT_REMOVEDIR) == -1) {
            base_err_append(err, "and it stays behind");
        }
    }
    return rv;
}

apr_status_t base_at_symlink(const base_at_t *at, const char *name,
                             const char *target, acme_err_t *err)
{
    if (symlinkat(target, at->fd, name) == -1) {
        return at_fails(err, errno, "make the link", at, name);
    }
    return APR_SUCCESS;
}

apr_status_t base_at_readlink(const char **ptarget, const base_at_t *at,
                              const char *name, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(at->fd, name, target, sizeof(target));

    if (n == -1 || n == (ssize_t)sizeof(target)) {
        return at_fails(err, n == -1 ? errno : ENAMETOOLONG,
                        "read the link", at, name);
    }
    *ptarget = apr_pstrmemdup(result_pool, target, (apr_size_t)n);
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- rename */

/* 1 if renameat2 failed because this kernel or file system lacks flags. */
static int lacks_flags(void)
{
    return errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
}

apr_status_t base_at_exchange(const base_at_t *from, const char *name,
                              const base_at_t *to, const char *target,
                              acme_err_t *err)
{
    if (renameat2(from->fd, name, to->fd, target, RENAME_EXCHANGE) == 0) {
        return APR_SUCCESS;
    }
    if (lacks_flags()) {
        return APR_ENOTIMPL;
    }
    return at_fails(err, errno, "replace", to, target);
}

apr_status_t base_at_replace(const base_at_t *from, const char *name,
                             const base_at_t *to, const char *target,
                             acme_err_t *err)
{
    if (renameat(from->fd, name, to->fd, target) == -1) {
        return at_fails(err, errno, "replace", to, target);
    }
    return APR_SUCCESS;
}

apr_status_t base_at_move(const base_at_t *from, const char *name,
                          const base_at_t *to, const char *target,
                          acme_err_t *err)
{
    if (renameat2(from->fd, name, to->fd, target, RENAME_NOREPLACE) == 0) {
        return APR_SUCCESS;
    }
    if (!lacks_flags()) {
        return at_fails(err, errno, "create", to, target);
    }
    /* link(2) never replaces either; it does not do directories */
    if (linkat(from->fd, name, to->fd, target, 0) == -1) {
        return at_fails(err, errno, "create", to, target);
    }
    if (unlinkat(from->fd, name, 0) == -1) {
        return at_fails(err, errno, "remove", from, name);
    }
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- remove */

apr_status_t base_at_remove(const base_at_t *at, const char *name,
                            acme_err_t *err)
{
    if (unlinkat(at->fd, name, 0) == -1 && errno != ENOENT) {
        return at_fails(err, errno, "remove", at, name);
    }
    return APR_SUCCESS;
}

apr_status_t base_at_rmdir(const base_at_t *at, const char *name,
                           acme_err_t *err)
{
    if (unlinkat(at->fd, name, AT_REMOVEDIR) == -1 && errno != ENOENT) {
        return at_fails(err, errno, "remove the directory", at, name);
    }
    return APR_SUCCESS;
}

apr_status_t base_at_sync(const base_at_t *at, acme_err_t *err)
{
    /* EINVAL: a file system without fsync for directories has no need */
    if (fsync(at->fd) == -1 && errno != EINVAL) {
        return base_err_path(err, errno, "sync the directory", at->path);
    }
    return APR_SUCCESS;
}

apr_status_t base_at_sync_file(const base_at_t *at, const char *name,
                               acme_err_t *err)
{
    int fd = at_openat(at->fd, name, O_RDONLY | O_NONBLOCK, 0);
    apr_status_t rv = fd == -1 || fsync(fd) == -1 ? errno : APR_SUCCESS;

    if (fd != -1) {
        close(fd);
    }
    if (rv != APR_SUCCESS) {
        return at_fails(err, rv, "sync", at, name);
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- may I */

/* ioctl_iflags(2); a file system without flags has none. */
static const char *fixed_reason(int fd)
{
    int flags = 0;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == -1) {
        return NULL;
    }
    return flags & FS_IMMUTABLE_FL ? "it is immutable (chattr -i)"
           : flags & FS_APPEND_FL ? "it is append-only (chattr -a)" : NULL;
}

/* statx(2): mounted over by itself, so rename would say EBUSY. */
static const char *mount_reason(const base_at_t *at, const char *name)
{
    struct statx sx;

    memset(&sx, 0, sizeof(sx));
    if (statx(at->fd, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx) == 0
        && sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
        return "it is a mount point by itself: change the file that is "
               "mounted there";
    }
    return NULL;
}

const char *base_at_fixed(const base_at_t *at, const char *name)
{
    const char *why;
    int fd;

    if (!name) {
        return fixed_reason(at->fd);
    }
    fd = at_openat(at->fd, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd == -1) {
        return NULL;
    }
    why = fixed_reason(fd);
    close(fd);
    return why ? why : mount_reason(at, name);
}

apr_status_t base_at_room(const base_at_t *at, apr_uint64_t size,
                          acme_err_t *err)
{
    struct statvfs vfs;

    if (faccessat(at->fd, ".", W_OK | X_OK, AT_EACCESS) == -1) {
        return base_err_path(err, errno, "write in", at->path);
    }
    if (fstatvfs(at->fd, &vfs) == -1) {
        return base_err_path(err, errno, "look at the room of", at->path);
    }
    if (vfs.f_flag & ST_RDONLY) {
        return base_err_path(err, EROFS, "write in", at->path);
    }
    if ((apr_uint64_t)vfs.f_bfree * vfs.f_frsize < size) {
        return base_err_path(err, ENOSPC, "write in", at->path);
    }
    return APR_SUCCESS;
}
