/* rig.c: directories, scripts and a false httpd. */
#include "httpd/rig.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "unit.h"

/* ---------------------------------------------------------- directories */

static apr_status_t dir_remove(void *data)
{
    const char *dir = data;
    acme_err_t ignored = { 0 };
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    base_dir_remove(dir, &ignored, p);
    apr_pool_destroy(p);
    return APR_SUCCESS;
}

const char *rig_dir(apr_pool_t *p)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = apr_pstrcat(p, tmp ? tmp : "/tmp", "/acme-httpd-XXXXXX",
                            NULL);

    ck_assert(mkdtemp(dir) != NULL);
    apr_pool_cleanup_register(p, dir, dir_remove, apr_pool_cleanup_null);
    return dir;
}

const char *rig_path(const char *dir, const char *name, apr_pool_t *p)
{
    return apr_pstrcat(p, dir, "/", name, NULL);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ssize_t len = (ssize_t)strlen(text);

    if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) != 0) {
        abort();
    }
}

const char *rig_file(const char *dir, const char *name, const char *text,
                     apr_pool_t *p)
{
    const char *path = rig_path(dir, name, p);

    write_file(path, text, 0600);
    return path;
}

const char *rig_script(const char *dir, const char *name, const char *body,
                       apr_pool_t *p)
{
    const char *path = rig_path(dir, name, p);

    write_file(path, apr_pstrcat(p, "#!/bin/sh\n", body, "\n", NULL), 0700);
    return path;
}

/* ---------------------------------------------------------- false httpd */

static volatile sig_atomic_t usr1;

static void on_usr1(int sig)
{
    usr1 = 1;
}

/** Write the number to NAME in the current directory by a rename. */
static void put_number(const char *name, long number)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld\n", number);
    write_file("number.tmp", text, 0644);
    if (rename("number.tmp", name) != 0) {
        abort();
    }
}

static int read_text(const char *name, char *text, size_t size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static void restarted(const char *mode)
{
    if (strcmp(mode, "die") == 0) {
        usleep(20000);
        _exit(1);
    }
    if (strcmp(mode, "restart") == 0 || strcmp(mode, "late") == 0) {
        usleep(20000);
        put_number("pid", getpid());
    }
    if (strcmp(mode, "late") == 0) {
        usleep(5000);
        _exit(1);
    }
    if (strcmp(mode, "generation") == 0 || strcmp(mode, "both") == 0) {
        put_number("generation", 8);
    }
    if (strcmp(mode, "gone") == 0) {
        unlink("generation");
    }
    if (strcmp(mode, "both") == 0 || strcmp(mode, "gone") == 0) {
        usleep(20000);
        put_number("pid", getpid());
        put_number("serving", 1);
    }
}

static void serve(void)
{
    char mode[32];
    sigset_t none;
    sigset_t set;

    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR1, on_usr1);
    alarm(60);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    read_text("mode", mode, sizeof(mode));
    put_number("generation", 7);
    put_number("pid", getpid());
    for (;;) {
        sigsuspend(&none);
        if (usr1) {
            usr1 = 0;
            restarted(mode);
        }
    }
}

/** -t: refuse what "complaint" holds. */
static int test_config(void)
{
    char complaint[4096];

    if (read_text("complaint", complaint, sizeof(complaint))) {
        fprintf(stderr, "%s\n", complaint);
        return 1;
    }
    fprintf(stderr, "Syntax OK\n");
    return 0;
}

int rig_httpd(int argc, char **argv)
{
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%.*s",
             (int)(strrchr(argv[0], '/') - argv[0]), argv[0]);
    if (chdir(dir) != 0) {
        return 99;
    }
    if (argc > 1 && strcmp(argv[argc - 1], "-t") == 0) {
        return test_config();
    }
    serve();
    return 0;
}

const char *rig_httpd_make(const char *dir, apr_pool_t *p)
{
    const char *path = rig_path(dir, "httpd", p);
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    ck_assert_int_gt(len, 0);
    self[len] = '\0';
    ck_assert_int_eq(symlink(self, path), 0);
    return path;
}

static apr_status_t httpd_kill(void *data)
{
    pid_t pid = *(pid_t *)data;

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return APR_SUCCESS;
}

pid_t rig_httpd_start(const char *dir, const char *mode, apr_pool_t *p)
{
    const char *path = rig_httpd_make(dir, p);
    const char *pid_file = rig_path(dir, "pid", p);
    pid_t *pid = apr_palloc(p, sizeof(*pid));
    int i;

    rig_file(dir, "mode", mode, p);
    *pid = fork();
    if (*pid == 0) {
        execl(path, path, "serve", (char *)NULL);
        _exit(127);
    }
    ck_assert_int_gt(*pid, 0);
    apr_pool_cleanup_register(p, pid, httpd_kill, apr_pool_cleanup_null);
    for (i = 0; i < 3000 && access(pid_file, R_OK) != 0; i++) {
        usleep(10000);
    }
    ck_assert_int_eq(access(pid_file, R_OK), 0);
    return *pid;
}

unsigned long long rig_generation(void *baton)
{
    char path[PATH_MAX];
    char text[32];

    snprintf(path, sizeof(path), "%s/generation", (const char *)baton);
    return read_text(path, text, sizeof(text)) ? strtoull(text, NULL, 10)
                                               : 0;
}
