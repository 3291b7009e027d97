/*
 * child: what a child gives up that was forked, and how its parent reads
 * what it says.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"

/* What "nobody" is where it has no name: the kernel's overflow id. */
#define NOBODY 65534

/* Most reads of a pipe at a time, of this many bytes. */
#define READS_MAX 16
#define READ_SIZE 16384

void base_user_find(const char *user, uid_t *puid, gid_t *pgid)
{
    const struct passwd *pw = getpwnam(user);

    *puid = NOBODY;
    *pgid = NOBODY;
    if (pw && pw->pw_uid != 0) {
        *puid = pw->pw_uid;
        *pgid = pw->pw_gid;
    }
}

int base_user_become(uid_t uid, gid_t gid)
{
    if (geteuid() != 0) {
        return 0;
    }
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0
        || setresuid(uid, uid, uid) != 0) {
        return errno;
    }
    /* Believe it when it is seen. */
    return setuid(0) == 0 ? EPERM : 0;
}

int base_child_confine(pid_t parent)
{
    const struct rlimit none = { 0, 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0
        || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0
        || setrlimit(RLIMIT_CORE, &none) != 0
        || setrlimit(RLIMIT_FSIZE, &none) != 0) {
        return errno;
    }
    return getppid() == parent ? 0 : ESRCH;
}

void base_close_from(int first, int keep)
{
    long end = sysconf(_SC_OPEN_MAX);
    int fd;

#ifdef SYS_close_range
    if ((keep <= first
         || syscall(SYS_close_range, first, keep - 1, 0) == 0)
        && syscall(SYS_close_range, keep >= first ? keep + 1 : first, ~0U, 0)
           == 0) {
        return;
    }
#endif
    for (fd = first; fd < (end > 0 ? end : 65536); fd++) {
        if (fd != keep) {
            close(fd);
        }
    }
}

void base_signals_reset(void)
{
    sigset_t none;
    int sig;

    for (sig = 1; sig < 32; sig++) {
        signal(sig, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void base_children_keep(void)
{
    struct sigaction action;

    if (sigaction(SIGCHLD, NULL, &action) == 0
        && action.sa_handler == SIG_IGN) {
        signal(SIGCHLD, SIG_DFL);
    }
}

void base_pipe_drain(int *pfd, base_take_fn *take, void *baton)
{
    char buf[READ_SIZE];
    int reads;

    for (reads = 0; *pfd >= 0 && reads < READS_MAX; reads++) {
        ssize_t n = read(*pfd, buf, sizeof(buf));

        if (n > 0) {
            take(baton, buf, (apr_size_t)n);
        }
        else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(*pfd);
            *pfd = -1;
        }
        else if (errno == EAGAIN) {
            return;
        }
    }
}

apr_status_t base_fd_wait(int fd, short events, apr_time_t until)
{
    base_clock_t *clock = base_clock_system();
    struct pollfd pfd = { fd, events, 0 };
    int n;

    do {
        apr_interval_time_t left = until - clock->mono(clock);

        if (left <= 0) {
            return APR_TIMEUP;
        }
        /* Rounded up: an early end would only come back to wait again. */
        n = poll(&pfd, 1, left > apr_time_from_sec(60)
                          ? 60000 : (int)(left / 1000) + 1);
    } while (n == 0 || (n < 0 && errno == EINTR));
    return n > 0 ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
}
