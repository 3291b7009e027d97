/*
 * lock.c: one writer at a time, by an open-file-description lock. Whether
 * the lock is held is the kernel's answer; the line in the file is only
 * for people.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"

#define POLL_INTERVAL (50 * 1000)

struct base_lock_t {
    apr_pool_t *pool;
    int fd;
};

static apr_status_t lock_cleanup(void *data)
{
    base_lock_t *lock = data;

    if (lock->fd >= 0) {
        close(lock->fd);
        lock->fd = -1;
    }
    return APR_SUCCESS;
}

void base_lock_release(base_lock_t *lock)
{
    apr_pool_cleanup_run(lock->pool, lock, lock_cleanup);
}

/** Try until the lock is ours or wait µs are over. @return errno or 0 */
static int lock_within(int fd, apr_interval_time_t wait)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + wait;
    struct flock fl;

    memset(&fl, 0, sizeof(fl));
    fl.l_type = F_WRLCK;
    fl.l_whence = SEEK_SET;
    for (;;) {
        if (fcntl(fd, F_OFD_SETLK, &fl) == 0) {
            return 0;
        }
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return errno;
        }
        if (clock->mono(clock) >= until) {
            return EBUSY;
        }
        apr_sleep(POLL_INTERVAL);
    }
}

static apr_status_t say_busy(int fd, const char *path, acme_err_t *err)
{
    char holder[200];
    ssize_t len = pread(fd, holder, sizeof(holder) - 1, 0);

    holder[len > 0 ? len : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return base_err_set(err, APR_EBUSY, BASE_EXIT_BUSY,
                        "%s is held by %s; try again when it is done", path,
                        holder[0] ? holder : "another process");
}

apr_status_t base_lock_take(base_lock_t **plock, const char *path,
                            const char *holder, apr_interval_time_t wait,
                            acme_err_t *err, apr_pool_t *result_pool)
{
    base_lock_t *lock = apr_pcalloc(result_pool, sizeof(*lock));
    char *line = apr_pstrcat(result_pool, holder, "\n", NULL);
    char buf[200];
    int error;

    lock->pool = result_pool;
    lock->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock->fd < 0) {
        error = errno;
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot open the lock %s: %s", path,
                            base_strerror(error, buf, sizeof(buf)));
    }
    apr_pool_cleanup_register(result_pool, lock, lock_cleanup,
                              apr_pool_cleanup_null);
    error = lock_within(lock->fd, wait);
    if (error) {
        if (error == EBUSY) {
            say_busy(lock->fd, path, err);
        }
        else {
            base_err_set(err, error, BASE_EXIT_FAILED,
                         "cannot lock %s: %s", path,
                         base_strerror(error, buf, sizeof(buf)));
        }
        base_lock_release(lock);
        return err->status;
    }
    /* Only for people: a full disk must not keep the lock from us. */
    if (ftruncate(lock->fd, 0) == 0
        && pwrite(lock->fd, line, strlen(line), 0) < 0) {
        base_log(BASE_LOG_DEBUG, "%s does not name its holder", path);
    }
    *plock = lock;
    return APR_SUCCESS;
}
