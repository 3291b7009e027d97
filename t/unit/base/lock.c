/*
 * lock.c: tests of support/base/lock.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static const char *lock_path(void)
{
    return apr_pstrcat(pool, unit_dir(), "/lock", NULL);
}

static apr_status_t take(base_lock_t **plock, const char *path,
                         apr_interval_time_t wait)
{
    base_err_clear(&err);
    return base_lock_take(plock, path, "acmectl test, pid 1", wait, &err,
                          pool);
}

/* A process that takes the lock, says so, and holds it until it ends. */
static pid_t holder(const char *path, int *pstop)
{
    base_lock_t *lock;
    int ready[2], stop[2];
    char c;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(stop), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(stop[1]);
        if (base_lock_take(&lock, path, "the other\nline", 0, &err, pool)
            != APR_SUCCESS || write(ready[1], "r", 1) != 1) {
            _exit(1);
        }
        _exit(read(stop[0], &c, 1) == 1 ? 0 : 2);
    }
    close(stop[0]);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    close(ready[0]);
    *pstop = stop[1];
    return pid;
}

static void reap(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

/* A lock is taken once; the second to ask is told who has it. */
START_TEST(excludes)
{
    const char *path = lock_path();
    base_lock_t *lock, *second;
    struct stat st;

    unit_ok(take(&lock, path, 0));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    unit_fails(take(&second, path, 0), APR_EBUSY,
               "held by acmectl test, pid 1: try again");
    ck_assert_int_eq(err.exit, BASE_EXIT_BUSY);
}
END_TEST

/* A released lock is free, its file stays and names nobody. */
START_TEST(releases)
{
    const char *path = lock_path();
    base_lock_t *lock, *second;
    char *data;
    apr_size_t len;

    unit_ok(take(&lock, path, 0));
    ck_assert_int_eq(base_lock_was_left(lock), 0);
    base_lock_release(lock);
    base_lock_release(lock);
    unit_ok(base_file_read(&data, &len, path, 100, &err, pool));
    ck_assert_str_eq(data, "\n");
    unit_ok(take(&second, path, 0));
    ck_assert_int_eq(base_lock_was_left(second), 0);
    unit_fails(take(&lock, path, 0), APR_EBUSY, "acmectl test");
}
END_TEST

/* The end of its pool is the end of the lock. */
START_TEST(lives_in_pool)
{
    const char *path = lock_path();
    apr_pool_t *short_lived;
    base_lock_t *lock;

    apr_pool_create(&short_lived, pool);
    unit_ok(base_lock_take(&lock, path, "x", 0, &err, short_lived));
    apr_pool_destroy(short_lived);
    unit_ok(take(&lock, path, 0));
}
END_TEST

/* The lock of a killed process is free at once. */
START_TEST(dies_with_holder)
{
    const char *path = lock_path();
    base_lock_t *lock;
    int stop;
    pid_t pid = holder(path, &stop);

    /* one line for people, whatever the holder called itself */
    unit_fails(take(&lock, path, 0), APR_EBUSY,
               "held by the other\\x0Aline: try");
    kill(pid, SIGKILL);
    reap(pid);
    close(stop);
    unit_ok(take(&lock, path, 0));
    ck_assert_int_eq(base_lock_was_left(lock), 1);
}
END_TEST

/* Who waits gets the lock as soon as it is free. */
START_TEST(waits)
{
    const char *path = lock_path();
    base_lock_t *lock;
    apr_time_t start;
    int stop;
    pid_t pid = holder(path, &stop);

    ck_assert_int_eq(write(stop, "s", 1), 1);
    start = apr_time_now();
    unit_ok(take(&lock, path, apr_time_from_sec(30)));
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(20));
    close(stop);
    reap(pid);
}
END_TEST

/* Who waits in vain is told so after the time, not before. */
START_TEST(waits_in_vain)
{
    const char *path = lock_path();
    base_lock_t *lock, *second;
    apr_time_t start = apr_time_now();

    unit_ok(take(&lock, path, 0));
    unit_fails(take(&second, path, apr_time_from_msec(70)), APR_EBUSY,
               "held by");
    ck_assert_int_ge(apr_time_now() - start, apr_time_from_msec(65));
}
END_TEST

/* A forked child that lets go frees nothing of its parent's. */
START_TEST(outlives_child)
{
    const char *path = lock_path();
    base_lock_t *lock, *second;
    pid_t pid;

    unit_ok(take(&lock, path, 0));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        base_lock_release(lock);
        _exit(0);
    }
    reap(pid);
    unit_fails(take(&second, path, 0), APR_EBUSY, "held by acmectl test");
}
END_TEST

/* A parent that lets go frees the lock though a child has its copy. */
START_TEST(freed_despite_child)
{
    const char *path = lock_path();
    base_lock_t *lock, *second;
    int stop[2];
    char c;
    pid_t pid;

    unit_ok(take(&lock, path, 0));
    ck_assert_int_eq(pipe(stop), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(stop[1]);
        _exit(read(stop[0], &c, 1) == 0 ? 0 : 1);
    }
    close(stop[0]);
    base_lock_release(lock);
    unit_ok(take(&second, path, 0));
    close(stop[1]);
    reap(pid);
}
END_TEST

/* What somebody wrote into the file matters to nobody. */
START_TEST(ignores_content)
{
    const char *path = lock_path();
    char *big = apr_pcalloc(pool, 5001);
    base_lock_t *lock, *second;
    int fd;

    memset(big, 'y', 5000);
    unit_ok(base_file_create(path, big, 5000, 0600, &err));
    unit_ok(take(&lock, path, 0));
    fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, big, 5000), 5000);
    close(fd);
    unit_fails(take(&second, path, 0), APR_EBUSY, "held by yyyy");
    ck_assert_uint_lt(strlen(err.message), 600);
    ck_assert_int_eq(truncate(path, 0), 0);
    unit_fails(take(&second, path, 0), APR_EBUSY, "by another process");
}
END_TEST

/* What cannot be a lock file is refused at once. */
START_TEST(refuses)
{
    const char *path = lock_path(), *dir = base_path_dir(path, pool);
    base_lock_t *lock;

    unit_fails(take(&lock, dir, 0), EISDIR, "cannot open the lock");
    unit_fails(take(&lock, "/nonexistent/lock", 0), APR_ENOENT,
               "cannot open the lock /nonexistent/lock");
    unit_fails(take(&lock, "/dev/null", 0), APR_EINVAL,
               "it is not a regular file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    unit_fails(take(&lock, path, 0), APR_EINVAL, "not a regular file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("target", path), 0);
    unit_fails(take(&lock, path, 0), ELOOP, "check the symbolic links");
}
END_TEST

/* A lock's descriptor is not handed on to other programs. */
START_TEST(closed_on_exec)
{
    const char *path = lock_path();
    base_lock_t *lock;
    int fd = dup(0);

    close(fd);
    unit_ok(take(&lock, path, 0));
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    base_lock_release(lock);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* Who holds a lock can be asked without disturbing anybody. */
START_TEST(asked)
{
    const char *path = lock_path();
    const char *line = NULL;
    base_lock_t *lock;
    int stop;
    pid_t pid;

    ck_assert_int_eq(base_lock_holder(&line, path, pool), APR_ENOENT);
    pid = holder(path, &stop);
    ck_assert_int_eq(base_lock_holder(&line, path, pool), APR_SUCCESS);
    ck_assert_str_eq(line, "the other\\x0Aline");
    ck_assert_int_eq(take(&lock, path, 0), APR_EBUSY);
    close(stop);
    reap(pid);
    ck_assert_int_eq(base_lock_holder(&line, path, pool), APR_ENOENT);
    unit_ok(take(&lock, path, 0));
    /* Its own process asks by another descriptor, too. */
    ck_assert_int_eq(base_lock_holder(&line, path, pool), APR_SUCCESS);
    ck_assert_str_eq(line, "acmectl test, pid 1");
    base_lock_release(lock);
    ck_assert_int_eq(base_lock_holder(&line, path, pool), APR_ENOENT);
}
END_TEST

Suite *lock_suite(void)
{
    Suite *suite = suite_create("lock");
    TCase *tc = unit_case(suite, "lock");

    tcase_add_test(tc, asked);
    tcase_add_test(tc, excludes);
    tcase_add_test(tc, releases);
    tcase_add_test(tc, lives_in_pool);
    tcase_add_test(tc, dies_with_holder);
    tcase_add_test(tc, waits);
    tcase_add_test(tc, waits_in_vain);
    tcase_add_test(tc, outlives_child);
    tcase_add_test(tc, freed_despite_child);
    tcase_add_test(tc, ignores_content);
    tcase_add_test(tc, refuses);
    tcase_add_test(tc, closed_on_exec);
    return suite;
}
