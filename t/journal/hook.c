/*
 * hook.c: see hook.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hook.h"

hook_t hook;

void hook_start(void)
{
    memset(&hook, 0, sizeof(hook));
    hook.on = 1;
}

void hook_stop(void)
{
    hook.on = 0;
}

const char *hook_path(char *buf, int fd, const char *name)
{
    char link[64];
    ssize_t n = 0;

    if (name && *name == '/') {
        snprintf(buf, 4096, "%s", name);
        return buf;
    }
    if (fd == AT_FDCWD) {
        n = 0;
    }
    else {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = syscall(SYS_readlinkat, AT_FDCWD, link, buf, (size_t)3000);
        n = n < 0 ? 0 : n;
    }
    snprintf(buf + n, (size_t)(4096 - n), "%s%s", name ? "/" : "",
             name ? name : "");
    return buf;
}

/* Errors that a call of this kind may have. */
static int may_fail(hook_call_t call)
{
    return hook.fail_errno == EIO || call != HOOK_READS;
}

/* @return 0 to go on; -1 with errno set; 1 to pretend success */
static int before(hook_call_t call, int fd, const char *name, int to,
                  const char *target, int flags)
{
    char path[4096], second[4096];

    if (!hook.on) {
        return 0;
    }
    hook.calls++;
    hook.fsyncs += call == HOOK_FSYNCS;
    if (hook.calls == hook.edit_at && hook.edit) {
        hook.on = 0;
        hook.edit();
        hook.on = 1;
    }
    if (hook.calls == hook.kill_at) {
        if (hook.jump && hook.jumps == getpid()) {
            longjmp(*hook.jump, 1);
        }
        _exit(137);
    }
    if (hook.fail_at && may_fail(call)
        && (hook.calls == hook.fail_at
            || (hook.fail_always && hook.calls > hook.fail_at))) {
        errno = hook.fail_errno;
        return -1;
    }
    if (hook.bug && call != HOOK_READS) {
        hook_path(path, fd, name);
        return seed_before(call, path,
                           target ? hook_path(second, to, target) : NULL,
                           flags) == SEED_SKIP;
    }
    return 0;
}

static void after(hook_call_t call, int fd, const char *name, int to,
                  const char *target)
{
    char path[4096], second[4096];

    if (hook.on && hook.bug) {
        hook_path(path, fd, name);
        seed_after(call, path, target ? hook_path(second, to, target)
                                      : NULL);
    }
}

static int logs(void)
{
    return hook.on && hook.log;
}

/* ----------------------------------------------------------------- open */

int openat(int dirfd, const char *name, int flags, ...)
{
    hook_call_t call = flags & O_CREAT ? HOOK_CREATES : HOOK_READS;
    char path[4096], buf[4096];
    const char *opened = name;
    struct stat st;
    int fd, mode = 0, is_new;
    va_list ap;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
    }
    if (before(call, dirfd, name, 0, NULL, flags) != 0) {
        return -1;
    }
    if (hook.on && hook.bug && call == HOOK_READS) {
        opened = seed_open(hook_path(path, dirfd, name), buf);
        opened = strcmp(opened, path) == 0 ? name : opened;
    }
    is_new = call == HOOK_CREATES && logs()
             && syscall(SYS_newfstatat, dirfd, name, &st,
                        AT_SYMLINK_NOFOLLOW) == -1;
    fd = (int)syscall(SYS_openat, dirfd, opened, flags, mode);
    if (fd != -1 && is_new) {
        model_created(fd, dirfd, name);
    }
    return fd;
}

int open(const char *path, int flags, ...)
{
    int mode = 0;
    va_list ap;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

/* ----------------------------------------------------- through descriptors */

ssize_t read(int fd, void *data, size_t len)
{
    if (before(HOOK_READS, fd, NULL, 0, NULL, 0) != 0) {
        return -1;
    }
    return syscall(SYS_read, fd, data, len);
}

ssize_t write(int fd, const void *data, size_t len)
{
    int rc = before(HOOK_WRITES, fd, NULL, 0, NULL, 0);
    ssize_t n;

    if (rc != 0) {
        /* a disk that fills up takes some of it first */
        if (rc == -1 && errno == ENOSPC && len > 1) {
            n = syscall(SYS_write, fd, data, len / 2);
            errno = ENOSPC;
        }
        return rc == 1 ? (ssize_t)len : -1;
    }
    n = syscall(SYS_write, fd, data, len);
    if (n > 0 && logs()) {
        model_wrote(fd, data, (size_t)n);
    }
    return n;
}

int fsync(int fd)
{
    int rc = before(HOOK_FSYNCS, fd, NULL, 0, NULL, 0);

    if (rc != 0) {
        return rc == 1 ? 0 : -1;
    }
    /* the disk is the model's; a real one would only take time */
    if (logs()) {
        model_synced(fd);
    }
    after(HOOK_FSYNCS, fd, NULL, 0, NULL);
    return hook.real_sync ? (int)syscall(SYS_fsync, fd) : 0;
}

static int attribute(int fd, int rc)
{
    if (rc == 0 && logs()) {
        model_attributes(fd);
    }
    return rc;
}

int fchmod(int fd, mode_t mode)
{
    int rc = before(HOOK_ATTRIBUTES, fd, NULL, 0, NULL, 1);

    return rc != 0 ? rc - (rc == 1)
           : attribute(fd, (int)syscall(SYS_fchmod, fd, mode));
}

int fchown(int fd, uid_t uid, gid_t gid)
{
    int rc = before(HOOK_ATTRIBUTES, fd, NULL, 0, NULL, 2);

    return rc != 0 ? rc - (rc == 1)
           : attribute(fd, (int)syscall(SYS_fchown, fd, uid, gid));
}

int fsetxattr(int fd, const char *name, const void *value, size_t len,
              int flags)
{
    int rc = before(HOOK_ATTRIBUTES, fd, NULL, 0, NULL, 3);

    return rc != 0 ? rc - (rc == 1)
           : attribute(fd, (int)syscall(SYS_fsetxattr, fd, name, value, len,
                                        flags));
}

int fremovexattr(int fd, const char *name)
{
    int rc = before(HOOK_ATTRIBUTES, fd, NULL, 0, NULL, 4);

    return rc != 0 ? rc - (rc == 1)
           : attribute(fd, (int)syscall(SYS_fremovexattr, fd, name));
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
    return before(HOOK_READS, fd, NULL, 0, NULL, 0) != 0 ? -1
           : syscall(SYS_fgetxattr, fd, name, value, size);
}

ssize_t flistxattr(int fd, char *list, size_t size)
{
    return before(HOOK_READS, fd, NULL, 0, NULL, 0) != 0 ? -1
           : syscall(SYS_flistxattr, fd, list, size);
}

int fstat(int fd, struct stat *st)
{
    return before(HOOK_READS, fd, NULL, 0, NULL, 0) != 0 ? -1
           : (int)syscall(SYS_fstat, fd, st);
}

/* -------------------------------------------------------------- by names */

int fstatat(int fd, const char *name, struct stat *st, int flags)
{
    return before(HOOK_READS, fd, name, 0, NULL, 0) != 0 ? -1
           : (int)syscall(SYS_newfstatat, fd, name, st, flags);
}

int lstat(const char *path, struct stat *st)
{
    return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int access(const char *path, int mode)
{
    return before(HOOK_READS, AT_FDCWD, path, 0, NULL, 0) != 0 ? -1
           : (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

ssize_t readlinkat(int fd, const char *name, char *buf, size_t size)
{
    return before(HOOK_READS, fd, name, 0, NULL, 0) != 0 ? -1
           : syscall(SYS_readlinkat, fd, name, buf, size);
}

int renameat2(int from, const char *name, int to, const char *target,
              unsigned flags)
{
    int rc = before(HOOK_RENAMES, from, name, to, target, (int)flags);

    if (rc != 0) {
        return rc == 1 ? 0 : -1;
    }
    if (hook.on && hook.no_flags && flags != 0) {
        errno = EINVAL;
        return -1;
    }
    rc = (int)syscall(SYS_renameat2, from, name, to, target, flags);
    if (rc == 0) {
        if (logs()) {
            model_renamed(from, name, to, target,
                          (flags & RENAME_EXCHANGE) != 0);
        }
        after(HOOK_RENAMES, from, name, to, target);
    }
    return rc;
}

int renameat(int from, const char *name, int to, const char *target)
{
    return renameat2(from, name, to, target, 0);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    int rc = before(HOOK_REMOVES, fd, name, 0, NULL, flags);

    if (rc != 0) {
        return rc == 1 ? 0 : -1;
    }
    rc = (int)syscall(SYS_unlinkat, fd, name, flags);
    if (rc == 0 && logs()) {
        model_renamed(fd, name, -1, NULL, 0);
    }
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

static int made(int fd, const char *name, int rc, int is_new)
{
    if (rc == 0 && logs()) {
        model_made(fd, name, is_new);
    }
    return rc;
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    int rc = before(HOOK_MAKES, fd, name, 0, NULL, 0);

    return rc != 0 ? rc - (rc == 1)
           : made(fd, name, (int)syscall(SYS_mkdirat, fd, name, mode),
                  1);
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int symlinkat(const char *target, int fd, const char *name)
{
    int rc = before(HOOK_MAKES, fd, name, 0, NULL, 0);

    return rc != 0 ? rc - (rc == 1)
           : made(fd, name, (int)syscall(SYS_symlinkat, target, fd, name),
                  1);
}

int linkat(int from, const char *name, int to, const char *target, int flags)
{
    int rc = before(HOOK_MAKES, to, target, 0, NULL, 0);

    return rc != 0 ? rc - (rc == 1)
           : made(to, target, (int)syscall(SYS_linkat, from, name, to,
                                           target, flags), 0);
}
