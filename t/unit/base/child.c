/* What a forked child gives up, and how its parent reads what it says. Each
 * test that gives something up for good does so in a child. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static apr_time_t mono(void)
{
    return base_clock_system()->mono(base_clock_system());
}

/* Run fn in a child; it tells by its exit status what it saw. */
static int in_child(int (*fn)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        _exit(fn());
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A user is found by name; root and unknown ones count as nobody. */
START_TEST(find)
{
    const struct passwd *pw = getpwnam("nobody");
    uid_t uid = 0;
    gid_t gid = 0;

    base_user_find("nobody", &uid, &gid);
    ck_assert_uint_eq(uid, pw ? pw->pw_uid : 65534);
    ck_assert_uint_eq(gid, pw ? pw->pw_gid : 65534);
    base_user_find("root", &uid, &gid);
    ck_assert_uint_eq(uid, 65534);
    ck_assert_uint_eq(gid, 65534);
    base_user_find("there is no such user", &uid, &gid);
    ck_assert_uint_eq(uid, 65534);
}
END_TEST

static int become(void)
{
    gid_t groups[1];

    if (geteuid() != 0) {
        return base_user_become(4711, 4712) == 0 && geteuid() != 4711 ? 0 : 9;
    }
    if (base_user_become(4711, 4712) != 0) {
        return 1;
    }
    if (getuid() != 4711 || geteuid() != 4711 || getgid() != 4712
        || getegid() != 4712 || getgroups(0, groups) != 0) {
        return 2;
    }
    return setuid(0) == 0 || setgid(0) == 0 ? 3 : 0;
}

static int become_root(void)
{
    return geteuid() == 0 && base_user_become(0, 0) == 0;
}

/* The user is changed for good; who is not root stays who he is. Root is
 * not another user. */
START_TEST(become_another)
{
    ck_assert_int_eq(in_child(become), 0);
    ck_assert_int_eq(in_child(become_root), 0);
}
END_TEST

static int confined(void)
{
    pid_t parent = getppid();
    struct rlimit limit;

    if (base_child_confine(parent) != 0 || prctl(PR_GET_DUMPABLE) != 0
        || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return 1;
    }
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0
        || getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_max != 0) {
        return 2;
    }
    return base_child_confine(parent + 1) == ESRCH ? 0 : 3;
}

/* A child that is confined can become, trace and write nothing, and knows
 * when its parent is gone. */
START_TEST(confine)
{
    ck_assert_int_eq(in_child(confined), 0);
}
END_TEST

static int with_child(void)
{
    int ends[2];
    char buf;
    pid_t pid, self = getpid();

    if (pipe(ends) != 0 || (pid = fork()) < 0) {
        return 1;
    }
    if (pid == 0) {
        close(ends[0]);
        if (base_child_confine(self) == 0 && write(ends[1], "x", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ends[1]);
    if (read(ends[0], &buf, 1) != 1) {
        return 2;
    }
    return 0;
}

/* ... and ends with it. */
START_TEST(confine_ends)
{
    int ends[2];
    char buf;

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(in_child(with_child), 0);
    close(ends[1]);
    /* Open as long as the grandchild has it. */
    ck_assert_int_eq(base_fd_wait(ends[0], POLLIN, mono() + 5000000),
                     APR_SUCCESS);
    ck_assert_int_eq(read(ends[0], &buf, 1), 0);
}
END_TEST

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static int close_all(void)
{
    int fd = open("/dev/null", O_RDONLY);
    int high = fcntl(fd, F_DUPFD, 900);

    base_close_from(3, -1);
    return !is_open(2) || is_open(fd) || is_open(high);
}

static int close_but_one(void)
{
    int fd = open("/dev/null", O_RDONLY);
    int kept = fcntl(fd, F_DUPFD, 500);
    int high = fcntl(fd, F_DUPFD, 900);

    base_close_from(3, kept);
    return is_open(fd) || !is_open(kept) || is_open(high);
}

static int close_but_first(void)
{
    int kept = fcntl(2, F_DUPFD, 400);

    base_close_from(kept, kept);
    return !is_open(kept) || !is_open(2) || is_open(kept + 1);
}

/* Every descriptor is closed but the standard ones and the one to keep. */
START_TEST(close_from)
{
    ck_assert_int_eq(in_child(close_all), 0);
    ck_assert_int_eq(in_child(close_but_one), 0);
    ck_assert_int_eq(in_child(close_but_first), 0);
}
END_TEST

static int reset_signals(void)
{
    sigset_t set;

    signal(SIGTERM, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    base_signals_reset();
    if (signal(SIGTERM, SIG_DFL) != SIG_DFL) {
        return 1;
    }
    sigprocmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGUSR1) ? 2 : 0;
}

/* No signal stays ignored, none blocked. */
START_TEST(signals_reset)
{
    ck_assert_int_eq(in_child(reset_signals), 0);
}
END_TEST

static int keep_children(void)
{
    pid_t pid;
    int status;

    signal(SIGCHLD, SIG_IGN);
    base_children_keep();
    pid = fork();
    if (pid == 0) {
        _exit(7);
    }
    return waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7;
}

static void on_child(int sig)
{
    (void)sig;
}

static int keep_handler(void)
{
    signal(SIGCHLD, on_child);
    base_children_keep();
    return signal(SIGCHLD, SIG_DFL) != on_child;
}

/* A child can be waited for even where SIGCHLD was ignored; a handler is
 * left alone. */
START_TEST(children_keep)
{
    ck_assert_int_eq(in_child(keep_children), 0);
    ck_assert_int_eq(in_child(keep_handler), 0);
}
END_TEST

/* What a pipe gave, and in how many pieces. */
typedef struct heard_t {
    apr_size_t len;
    int pieces;
    char data[64];
} heard_t;

static void hear(void *baton, const char *data, apr_size_t len)
{
    heard_t *heard = baton;

    ck_assert_uint_gt(len, 0);
    if (heard->len + len < sizeof(heard->data)) {
        memcpy(heard->data + heard->len, data, len);
    }
    heard->len += len;
    heard->pieces++;
}

static void pipe_make(int ends[2])
{
    ck_assert_int_eq(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

/* What is there is read, nothing is waited for, and the pipe stays open
 * while somebody may write. */
START_TEST(drain_what_is_there)
{
    heard_t heard = { 0 };
    int ends[2];

    pipe_make(ends);
    base_pipe_drain(&ends[0], hear, &heard);
    ck_assert_int_eq(heard.pieces, 0);
    ck_assert_int_eq(write(ends[1], "a\0b", 3), 3);
    base_pipe_drain(&ends[0], hear, &heard);
    ck_assert_uint_eq(heard.len, 3);
    ck_assert(memcmp(heard.data, "a\0b", 3) == 0);
    ck_assert_int_ge(ends[0], 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* At its end the pipe is closed, behind the last bytes; then there is
 * nothing to read any more. */
START_TEST(drain_the_end)
{
    heard_t heard = { 0 };
    int ends[2], fd;

    pipe_make(ends);
    fd = ends[0];
    ck_assert_int_eq(write(ends[1], "end", 3), 3);
    close(ends[1]);
    base_pipe_drain(&ends[0], hear, &heard);
    ck_assert_str_eq(heard.data, "end");
    ck_assert_int_eq(ends[0], -1);
    ck_assert(!is_open(fd));
    base_pipe_drain(&ends[0], hear, &heard);
    ck_assert_uint_eq(heard.len, 3);
}
END_TEST

/* What cannot be read is closed, too. */
START_TEST(drain_what_fails)
{
    heard_t heard = { 0 };
    int fd = open("/", O_RDONLY), was = fd;

    base_pipe_drain(&fd, hear, &heard);
    ck_assert_int_eq(fd, -1);
    ck_assert(!is_open(was));
    ck_assert_int_eq(heard.pieces, 0);
}
END_TEST

/* A flood does not hold the caller: a call reads 256 KiB at most. */
START_TEST(drain_a_flood)
{
    heard_t heard = { 0 };
    int fd = open("/dev/zero", O_RDONLY);

    base_pipe_drain(&fd, hear, &heard);
    ck_assert_uint_eq(heard.len, 256 * 1024);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

/* A wait ends when there is something to read, when the other end is gone,
 * and else when its time is up, not before. */
START_TEST(fd_wait)
{
    apr_time_t until = mono() + 30000;
    int ends[2];

    pipe_make(ends);
    ck_assert_int_eq(base_fd_wait(ends[0], POLLIN, until), APR_TIMEUP);
    ck_assert_int_ge(mono(), until);
    ck_assert_int_eq(base_fd_wait(ends[0], POLLIN, 0), APR_TIMEUP);
    ck_assert_int_eq(base_fd_wait(ends[1], POLLOUT, mono() + 1000000),
                     APR_SUCCESS);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(base_fd_wait(ends[0], POLLIN, mono() + 1000000),
                     APR_SUCCESS);
    close(ends[0]);
    ck_assert_int_eq(base_fd_wait(ends[1], POLLOUT, mono() + 1000000),
                     APR_SUCCESS);
    close(ends[1]);
}
END_TEST

static void on_alarm(int sig)
{
    (void)sig;
}

/* A signal does not end a wait. */
START_TEST(fd_wait_signalled)
{
    struct sigaction action = { .sa_handler = on_alarm };
    apr_time_t until = mono() + 60000;
    int ends[2];

    pipe_make(ends);
    sigaction(SIGALRM, &action, NULL);
    ualarm(10000, 10000);
    ck_assert_int_eq(base_fd_wait(ends[0], POLLIN, until), APR_TIMEUP);
    ualarm(0, 0);
    ck_assert_int_ge(mono(), until);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

Suite *child_suite(void);
Suite *child_suite(void)
{
    Suite *suite = suite_create("child");
    TCase *tc = unit_case(suite, "child");

    tcase_add_test(tc, find);
    tcase_add_test(tc, become_another);
    tcase_add_test(tc, confine);
    tcase_add_test(tc, confine_ends);
    tcase_add_test(tc, close_from);
    tcase_add_test(tc, signals_reset);
    tcase_add_test(tc, children_keep);
    tcase_add_test(tc, drain_what_is_there);
    tcase_add_test(tc, drain_the_end);
    tcase_add_test(tc, drain_what_fails);
    tcase_add_test(tc, drain_a_flood);
    tcase_add_test(tc, fd_wait);
    tcase_add_test(tc, fd_wait_signalled);
    return suite;
}
