/* Is it running, and does it restart: with a false httpd, and with the real
 * one where it is installed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "httpd/rig.h"
#include "unit.h"

#define SECOND APR_USEC_PER_SEC

/** httpd_args_t for DIR/httpd. */
static httpd_args_t httpd_in(const char *dir)
{
    httpd_args_t args;

    memset(&args, 0, sizeof(args));
    args.binary = rig_path(dir, "httpd", pool);
    return args;
}

/* --------------------------------------------------------------- running */

/* A server runs if its pid file names a process of its executable. */
START_TEST(running)
{
    const char *dir = rig_dir(pool);
    pid_t started = rig_httpd_start(dir, "ignore", pool);
    pid_t pid = 0;

    unit_ok(httpd_running(&pid, rig_path(dir, "pid", pool),
                          rig_path(dir, "httpd", pool), &err, pool));
    ck_assert_int_eq(pid, started);
}
END_TEST

/* Without a pid file it does not run. */
START_TEST(no_pid_file)
{
    pid_t pid = 0;

    unit_fails(httpd_running(&pid, "/nonexistent/pid", "/bin/sh", &err,
                             pool), APR_ENOENT, "httpd is not running");
    ck_assert_int_eq(pid, 0);
}
END_TEST

/* A pid file of a process that is gone, or that is another program now, is
 * a stale one. */
START_TEST(stale_pid_file)
{
    const char *dir = rig_dir(pool);
    const char *file;
    pid_t pid = 0;
    pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
    file = rig_file(dir, "pid", apr_psprintf(pool, "%d\n", (int)child),
                    pool);
    unit_fails(httpd_running(&pid, file, "/proc/self/exe", &err, pool),
               APR_ENOENT, "is gone or is not");
    base_err_clear(&err);
    rig_file(dir, "pid", apr_psprintf(pool, "%d\n", (int)getpid()), pool);
    unit_fails(httpd_running(&pid, file, "/bin/sh", &err, pool),
               APR_ENOENT, "is gone or is not /bin/sh");
    base_err_clear(&err);
    unit_fails(httpd_running(&pid, file, "/nonexistent/httpd", &err, pool),
               APR_ENOENT, "is not /nonexistent/httpd");
    ck_assert_int_eq(pid, 0);
}
END_TEST

/* What holds no process id is no pid file; 0, 1 and negative numbers would
 * be signals to others. */
START_TEST(odd_pid_files)
{
    static const char *const texts[] = {
        "", "\n", "x", "12x", "0", "1", "-1", "-42\n", "12 13",
        "99999999999999999999", "4294967297"
    };
    const char *dir = rig_dir(pool);
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *file = rig_file(dir, "pid", texts[i], pool);
        pid_t pid = 0;

        base_err_clear(&err);
        unit_fails(httpd_running(&pid, file, "/proc/self/exe", &err, pool),
                   APR_ENOENT, "holds no process id");
        ck_assert_int_eq(pid, 0);
    }
    base_err_clear(&err);
    unit_fails(httpd_running(&(pid_t){ 0 },
                             rig_file(dir, "pid", "11111111111111111111"
                                      "111111111111111111111", pool),
                             "/bin/sh", &err, pool), APR_EINVAL,
               "cannot see whether httpd is running");
}
END_TEST

/* -------------------------------------------------------------- graceful */

/* A new pid file is the sign that httpd has read its configuration. */
START_TEST(new_pid_file)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, "restart", pool);
    args = httpd_in(dir);
    unit_ok(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                           30 * SECOND, &err, pool));
}
END_TEST

/* A new generation of the live segment tells that httpd has prepared its
 * new configuration; it serves with it, and takes the next signal, only
 * after it has written its pid file, too. */
START_TEST(new_generation)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, "both", pool);
    args = httpd_in(dir);
    unit_ok(httpd_graceful(&args, rig_path(dir, "pid", pool),
                           rig_generation, (void *)dir, 30 * SECOND, &err,
                           pool));
    ck_assert_uint_eq(rig_generation((void *)dir), 8);
    ck_assert_int_eq(access(rig_path(dir, "serving", pool), F_OK), 0);
}
END_TEST

/* Where httpd cannot make another segment there is none any more: the pid
 * file alone is the sign then. */
START_TEST(generation_gone)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, "gone", pool);
    args = httpd_in(dir);
    unit_ok(httpd_graceful(&args, rig_path(dir, "pid", pool),
                           rig_generation, (void *)dir, 30 * SECOND, &err,
                           pool));
    ck_assert_uint_eq(rig_generation((void *)dir), 0);
    ck_assert_int_eq(access(rig_path(dir, "serving", pool), F_OK), 0);
}
END_TEST

/* A restart that never shows its sign is over at the deadline. */
START_TEST(no_sign)
{
    static const char *const modes[] = { "ignore", "restart", "generation" };
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, modes[_i], pool);
    args = httpd_in(dir);
    unit_fails(httpd_graceful(&args, rig_path(dir, "pid", pool),
                              _i ? rig_generation : NULL, (void *)dir,
                              SECOND / 2, &err, pool), APR_TIMEUP,
               "did not finish its graceful restart within 0.5 s");
}
END_TEST

/* A parent that dies of the restart, at once or just after it seemed to be
 * done, is reported, with the way to the reason. */
START_TEST(parent_dies)
{
    static const char *const modes[] = { "die", "late" };
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, modes[_i], pool);
    args = httpd_in(dir);
    unit_fails(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                              30 * SECOND, &err, pool), APR_EGENERAL,
               "its error log says why");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
}
END_TEST

/* A configuration that httpd refuses is never activated: the server gets
 * no signal. */
START_TEST(refused_configuration)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;
    pid_t started = rig_httpd_start(dir, "die", pool);

    args = httpd_in(dir);
    rig_file(dir, "complaint", "AH00526: Syntax error on line 1 of x:\nno",
             pool);
    unit_fails(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                              30 * SECOND, &err, pool), APR_EINVAL,
               "Syntax error on line 1 of x: no");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
    usleep(50000);
    ck_assert_int_eq(kill(started, 0), 0);
    ck_assert_int_eq(waitpid(started, NULL, WNOHANG), 0);
}
END_TEST

/* Who has tested it just now need not pay for that again. */
START_TEST(tested_configuration)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, "restart", pool);
    args = httpd_in(dir);
    args.tested = 1;
    rig_file(dir, "complaint", "AH00526: Syntax error on line 1 of x:\nno",
             pool);
    unit_ok(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                           30 * SECOND, &err, pool));
}
END_TEST

/* A stopped server is not started and its configuration is not even
 * tested. */
START_TEST(not_running)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_make(dir, pool);
    args = httpd_in(dir);
    rig_file(dir, "complaint", "never asked", pool);
    unit_fails(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                              SECOND, &err, pool), APR_ENOENT,
               "httpd is not running");
    ck_assert_int_ne(access(rig_path(dir, "generation", pool), F_OK), 0);
}
END_TEST

/* A process that only took over the number gets no signal. */
START_TEST(not_our_process)
{
    const char *dir = rig_dir(pool);
    const char *script = rig_script(dir, "httpd", "exit 0", pool);
    httpd_args_t args = { .binary = script };
    pid_t child = fork();

    if (child == 0) {
        signal(SIGUSR1, SIG_DFL);
        pause();
        _exit(0);
    }
    rig_file(dir, "pid", apr_psprintf(pool, "%d\n", (int)child), pool);
    unit_fails(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                              SECOND, &err, pool), APR_ENOENT, "is not");
    usleep(20000);
    ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
END_TEST

/* Where httpd is reached through apachectl, the process to be restarted is
 * told by the server's own executable. */
START_TEST(through_apachectl)
{
    const char *dir = rig_dir(pool);
    httpd_args_t args;

    rig_httpd_start(dir, "restart", pool);
    args = httpd_in(dir);
    args.server = args.binary;
    args.binary = rig_script(dir, "apachectl", apr_psprintf(pool,
                             "exec %s \"$@\"", args.server), pool);
    unit_ok(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                           30 * SECOND, &err, pool));
    args.server = NULL;
    unit_fails(httpd_graceful(&args, rig_path(dir, "pid", pool), NULL, NULL,
                              30 * SECOND, &err, pool), APR_ENOENT,
               "is gone or is not");
}
END_TEST

/* ------------------------------------------------------------ real httpd */

static int free_port(void)
{
    struct sockaddr_in sa;
    socklen_t size = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&sa, 0, sizeof(sa));
    sa.sin_family = AF_INET;
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

/** DIR/httpd.conf of a private server; "" on top of it: nothing wrong. */
static const char *private_config(const char *dir, const char *extra,
                                  int port)
{
    const char *modules = apr_pstrndup(pool, ACMECTL_MODULE, (apr_size_t)(
        strrchr(ACMECTL_MODULE, '/') - ACMECTL_MODULE));

    return rig_file(dir, "httpd.conf", apr_psprintf(pool,
        "%s\nServerRoot %s\nServerName localhost\nListen 127.0.0.1:%d\n"
        "PidFile %s/pid\nErrorLog %s/error.log\nDefaultRuntimeDir %s\n"
        "<IfModule !unixd_module>\n"
        "LoadModule unixd_module %s/mod_unixd.so\n</IfModule>\n"
        "<IfModule !mpm_event_module>\n<IfModule !mpm_worker_module>\n"
        "<IfModule !mpm_prefork_module>\n"
        "LoadModule mpm_event_module %s/mod_mpm_event.so\n"
        "</IfModule>\n</IfModule>\n</IfModule>\n"
        "User #65534\nGroup #65534\n",
        extra, dir, port, dir, dir, dir, modules, modules), pool);
}

static void wait_for_end(pid_t pid)
{
    int i;

    for (i = 0; i < 1000 && kill(pid, 0) == 0; i++) {
        usleep(10000);
    }
    ck_assert_int_ne(kill(pid, 0), 0);
}

static pid_t real_start(const httpd_args_t *args, const char *pid_file)
{
    const char *argv[] = {
        args->binary, "-f", args->config, "-k", "start", NULL
    };
    httpd_output_t output;
    pid_t pid = 0;
    int i;

    unit_ok(httpd_exec(&output, argv, 30 * SECOND, 1000, &err, pool));
    ck_assert_msg(output.status == 0, "httpd: %s", output.err);
    for (i = 0; i < 1000; i++) {
        acme_err_t ignored = { 0 };

        if (httpd_running(&pid, pid_file, args->binary, &ignored, pool)
            == APR_SUCCESS) {
            return pid;
        }
        usleep(10000);
    }
    ck_abort_msg("httpd did not start");
    return 0;
}

/* The installed httpd: tested, started, restarted with the same parent,
 * refused with a bad configuration while it runs on, stopped. */
START_TEST(real_httpd)
{
    const char *dir = rig_dir(pool);
    const char *pid_file = rig_path(dir, "pid", pool);
    httpd_args_t args = { .binary = ACMECTL_HTTPD };
    int port = free_port();
    const char *text;
    apr_size_t len;
    pid_t pid;
    pid_t now;

    args.config = private_config(dir, "", port);
    unit_ok(httpd_configtest(&args, &err, pool));
    unit_fails(httpd_dump(&text, &len, &args, &err, pool), APR_ENOTIMPL,
               "does not load mod_acme");
    base_err_clear(&err);
    unit_fails(httpd_graceful(&args, pid_file, NULL, NULL, SECOND, &err,
                              pool), APR_ENOENT, "httpd is not running");
    base_err_clear(&err);
    pid = real_start(&args, pid_file);
    unit_ok(httpd_graceful(&args, pid_file, NULL, NULL, 30 * SECOND, &err,
                           pool));
    private_config(dir, "NoSuchDirective on", port);
    unit_fails(httpd_graceful(&args, pid_file, NULL, NULL, 30 * SECOND, &err,
                              pool), APR_EINVAL, "NoSuchDirective");
    base_err_clear(&err);
    unit_ok(httpd_running(&now, pid_file, args.binary, &err, pool));
    ck_assert_int_eq(now, pid);
    kill(pid, SIGTERM);
    wait_for_end(pid);
    unit_fails(httpd_running(&now, pid_file, args.binary, &err, pool),
               APR_ENOENT, "httpd is not running");
}
END_TEST

Suite *control_suite(void)
{
    Suite *suite = suite_create("httpd/control");
    TCase *tc = unit_case(suite, "control");

    tcase_add_test(tc, running);
    tcase_add_test(tc, no_pid_file);
    tcase_add_test(tc, stale_pid_file);
    tcase_add_test(tc, odd_pid_files);
    tcase_add_test(tc, new_pid_file);
    tcase_add_test(tc, new_generation);
    tcase_add_test(tc, generation_gone);
    tcase_add_loop_test(tc, no_sign, 0, 3);
    tcase_add_loop_test(tc, parent_dies, 0, 2);
    tcase_add_test(tc, refused_configuration);
    tcase_add_test(tc, tested_configuration);
    tcase_add_test(tc, not_running);
    tcase_add_test(tc, not_our_process);
    tcase_add_test(tc, through_apachectl);
    if (access(ACMECTL_HTTPD, X_OK) == 0 && geteuid() == 0) {
        tcase_add_test(tc, real_httpd);
    }
    return suite;
}
