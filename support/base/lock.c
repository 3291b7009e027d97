/*
 * lock: one process at a time.
 *
 * Open file description locks go with the descriptor, not with the process:
 * a second open of the same file by the same process is refused as well, and
 * closing another descriptor of the file releases nothing. A forked child
 * shares the description, so only the process that took the lock may unlock
 * it; the child just closes its copy.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* F_OFD_SETLK */
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"

#define HOLDER_MAX 256
#define POLL_EVERY apr_time_from_msec(20)

struct base_lock_t {
    int fd;                     /* -1 once released */
    pid_t owner;
    int was_left;
    apr_pool_t *pool;
};

/* fcntl on the whole file. @return APR_EBUSY if another one holds it */
static apr_status_t lock_try(int fd, short type)
{
    struct flock range;
    int rc;

    memset(&range, 0, sizeof(range));
    range.l_type = type;
    range.l_whence = SEEK_SET;
    do {
        rc = fcntl(fd, F_OFD_SETLK, &range);
    } while (rc == -1 && errno == EINTR);
    if (rc == 0) {
        return APR_SUCCESS;
    }
    return errno == EAGAIN || errno == EACCES ? APR_EBUSY : errno;
}

/* Nothing notifies of a freed lock without a signal, so ask again. */
static apr_status_t lock_wait(int fd, apr_interval_time_t wait)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t deadline = clock->mono(clock) + wait;
    apr_interval_time_t left;
    apr_status_t rv;

    while ((rv = lock_try(fd, F_WRLCK)) == APR_EBUSY) {
        left = deadline - clock->mono(clock);
        if (left <= 0) {
            break;
        }
        apr_sleep(left < POLL_EVERY ? left : POLL_EVERY);
        base_tick();
    }
    return rv;
}

static apr_status_t lock_open(int *pfd, const char *path, acme_err_t *err)
{
    struct stat st;
    int fd;

    do {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
                        | O_NONBLOCK | O_NOCTTY, 0600);
    } while (fd == -1 && errno == EINTR);
    if (fd == -1) {
        return base_err_path(err, errno, "open the lock", path);
    }
    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        close(fd);
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot lock %s: it is not a regular file: move "
                            "it away", path);
    }
    *pfd = fd;
    return APR_SUCCESS;
}

/* The line in the file; holder is HOLDER_MAX + 1 bytes. */
static void lock_read(int fd, char *holder)
{
    ssize_t n = pread(fd, holder, HOLDER_MAX, 0);

    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
}

static apr_status_t lock_busy(int fd, const char *path, acme_err_t *err)
{
    char holder[HOLDER_MAX + 1];

    lock_read(fd, holder);
    return base_err_set(err, APR_EBUSY, BASE_EXIT_BUSY,
                        "cannot lock %s: held by %s: try again when it has "
                        "ended", path,
                        holder[0] ? holder : "another process");
}

/* For people only: a lock without this line is as good a lock. */
static void lock_sign(int fd, const char *holder)
{
    char line[HOLDER_MAX];
    apr_size_t len;

    base_clean(line, sizeof(line) - 1, holder);
    len = strlen(line);
    line[len++] = '\n';
    if (ftruncate(fd, 0) == -1 || pwrite(fd, line, len, 0) == -1) {
        return;
    }
}

/* A holder that released the lock left an empty line. */
static int lock_holder_left(int fd)
{
    char first;

    return pread(fd, &first, 1, 0) == 1 && first != '\n';
}

static apr_status_t lock_cleanup(void *data)
{
    base_lock_t *lock = data;

    if (lock->owner == getpid()) {
        lock_sign(lock->fd, "");
        lock_try(lock->fd, F_UNLCK);
    }
    close(lock->fd);
    lock->fd = -1;
    return APR_SUCCESS;
}

apr_status_t base_lock_take(base_lock_t **plock, const char *path,
                            const char *holder, apr_interval_time_t wait,
                            acme_err_t *err, apr_pool_t *result_pool)
{
    base_lock_t *lock;
    int fd = -1;
    apr_status_t rv = lock_open(&fd, path, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = lock_wait(fd, wait);
    if (rv != APR_SUCCESS) {
        rv = rv == APR_EBUSY ? lock_busy(fd, path, err)
                             : base_err_path(err, rv, "lock", path);
        close(fd);
        return rv;
    }
    lock = apr_palloc(result_pool, sizeof(*lock));
    lock->was_left = lock_holder_left(fd);
    lock_sign(fd, holder);
    lock->fd = fd;
    lock->owner = getpid();
    lock->pool = result_pool;
    apr_pool_cleanup_register(result_pool, lock, lock_cleanup,
                              apr_pool_cleanup_null);
    *plock = lock;
    return APR_SUCCESS;
}

apr_status_t base_lock_holder(const char **pholder, const char *path,
                              apr_pool_t *result_pool)
{
    char holder[HOLDER_MAX + 1];
    struct flock range;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error;

    if (fd == -1) {
        return errno;
    }
    memset(&range, 0, sizeof(range));
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    error = fcntl(fd, F_OFD_GETLK, &range) == 0 ? 0 : errno;
    lock_read(fd, holder);
    close(fd);
    if (error) {
        return error;
    }
    *pholder = apr_pstrdup(result_pool, holder);
    return range.l_type == F_UNLCK ? APR_ENOENT : APR_SUCCESS;
}

void base_lock_release(base_lock_t *lock)
{
    if (lock->fd != -1) {
        apr_pool_cleanup_run(lock->pool, lock, lock_cleanup);
    }
}

int base_lock_was_left(const base_lock_t *lock)
{
    return lock->was_left;
}
