/* What a forked child gives up. Each test that gives something up for good
 * does so in a child. */
#include "unit.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

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

Suite *child_suite(void);
Suite *child_suite(void)
{
    Suite *suite = suite_create("child");
    TCase *tc = unit_case(suite, "child");

    tcase_add_test(tc, find);
    tcase_add_test(tc, become_another);
    tcase_add_test(tc, close_from);
    return suite;
}
