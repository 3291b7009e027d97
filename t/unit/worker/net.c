/*
 * The net worker as the kernel sees it, while it waits for a CA: nothing
 * is left to whoever takes it over. Needs root, as the keeper does.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "rig.h"
#include "stall.h"
#include "store/store.h"
#include "unit.h"

#define NOBODY 65534

static script_t *script;
static worker_plan_t *plan;

static void setup(void)
{
    unit_setup();
    script = rig_script(pool);
    plan = rig_plan(1, 1, pool);
}

/* ----------------------------------------------------------- what is seen */

static void copy_file(pid_t worker, const char *name, FILE *out)
{
    char path[64];
    char buf[4096];
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)worker, name);
    file = fopen(path, "r");
    while (file && (n = fread(buf, 1, sizeof(buf), file)) > 0) {
        fwrite(buf, 1, n, out);
    }
    if (file) {
        fclose(file);
    }
}

static void look_at_status(pid_t worker, FILE *out)
{
    copy_file(worker, "status", out);
}

static void look_at_limits(pid_t worker, FILE *out)
{
    copy_file(worker, "limits", out);
}

/* A process that cannot be dumped belongs to root in /proc, whoever runs
 * it. */
static void look_at_owner(pid_t worker, FILE *out)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)worker);
    fprintf(out, "%d", stat(path, &st) == 0 ? (int)st.st_uid : -1);
}

static void look_at_descriptors(pid_t worker, FILE *out)
{
    char path[64];
    char target[256];
    int fd;

    for (fd = 0; fd < 1024; fd++) {
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker, fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            fprintf(out, "%d %s\n", fd, target);
        }
    }
}

static const char *see(stall_look_fn *look)
{
    stall_t *stall = stall_start(look, pool);

    APR_ARRAY_IDX(plan->cas, 0, acme_ca_t).url = stall->url;
    unit_fails(worker_run(plan, &script->host, &err, pool), APR_EGENERAL,
               "signal 9");
    ck_assert_int_eq(script->done_count[0], 1);
    return stall_seen(stall, pool);
}

static void has_line(const char *text, const char *line)
{
    ck_assert_msg(strstr(text, apr_pstrcat(pool, "\n", line, "\n", NULL))
                  != NULL, "no \"%s\" in\n%s", line, text);
}

/* ------------------------------------------------------------------ tests */

/* All four user and group ids are the unprivileged user's, there are no
 * other groups and no capabilities, and no program that it runs could gain
 * any. */
START_TEST(privileges_are_gone)
{
    gid_t groups[] = { 0, 4, 27 };
    const char *seen;

    ck_assert_int_eq(setgroups(3, groups), 0);
    seen = see(look_at_status);
    has_line(seen, "Uid:\t65534\t65534\t65534\t65534");
    has_line(seen, "Gid:\t65534\t65534\t65534\t65534");
    has_line(seen, "Groups:\t ");
    has_line(seen, "CapInh:\t0000000000000000");
    has_line(seen, "CapPrm:\t0000000000000000");
    has_line(seen, "CapEff:\t0000000000000000");
    has_line(seen, "CapAmb:\t0000000000000000");
    has_line(seen, "NoNewPrivs:\t1");
}
END_TEST

/* The plan names the user; one that does not exist, and root, are replaced
 * by the ids of nobody. */
START_TEST(users_are_taken_from_the_plan)
{
    static const char *const users[] = { "daemon", "no such user", "root" };
    const struct passwd *pw = getpwnam("daemon");
    const char *seen;
    int uid;

    ck_assert_ptr_nonnull(pw);
    uid = _i == 0 ? (int)pw->pw_uid : NOBODY;
    plan->user = users[_i];
    seen = see(look_at_status);
    has_line(seen, apr_psprintf(pool, "Uid:\t%d\t%d\t%d\t%d", uid, uid, uid,
                                uid));
}
END_TEST

/* Its memory can be neither dumped nor read by others of its user. */
START_TEST(memory_is_closed)
{
    ck_assert_str_eq(see(look_at_owner), "0");
}
END_TEST

/* It writes no core and no file. */
START_TEST(files_cannot_grow)
{
    const char *seen = see(look_at_limits);
    const char *core = strstr(seen, "Max core file size");
    const char *size = strstr(seen, "Max file size");

    ck_assert_msg(core && size, "%s", seen);
    ck_assert_int_eq(strtol(core + strlen("Max core file size"), NULL, 10),
                     0);
    ck_assert_int_eq(strtol(size + strlen("Max file size"), NULL, 10), 0);
}
END_TEST

static int is_harmless(const char *line)
{
    const char *target = strchr(line, ' ') + 1;

    return strncmp(target, "socket:", 7) == 0
           || strncmp(target, "pipe:", 5) == 0
           || strncmp(target, "anon_inode:", 11) == 0
           || strncmp(target, "/etc/", 5) == 0;
}

static void check_descriptors(char *seen)
{
    char *state;
    char *line = apr_strtok(seen, "\n", &state);
    int i;

    for (i = 0; i < 3; i++) {
        ck_assert_str_eq(line, apr_psprintf(pool, "%d /dev/null", i));
        line = apr_strtok(NULL, "\n", &state);
    }
    ck_assert_msg(strncmp(line, "3 socket:", 9) == 0, "%s", line);
    for (; line; line = apr_strtok(NULL, "\n", &state)) {
        ck_assert_msg(is_harmless(line), "%s", line);
    }
}

/* It keeps one descriptor, its socket; standard input, output and error
 * lead nowhere. What else it has it opened itself: sockets, and for a
 * moment what the resolver and TLS read in /etc. */
START_TEST(descriptors_are_closed)
{
    const char *dir = unit_dir();
    int fd;
    int i;

    for (i = 0; i < 5; i++) {
        fd = open(apr_psprintf(pool, "%s/%d", dir, i), O_CREAT | O_RDWR,
                  0600);
        ck_assert_int_ge(fd, 0);
    }
    ck_assert_int_eq(dup2(fd, 900), 900);
    check_descriptors(apr_pstrdup(pool, see(look_at_descriptors)));
}
END_TEST

/* In a process with 1 and 2 open, perhaps 0 and 3: run, and pass on what
 * was seen. Check writes to a descriptor of its own at each assertion, so that
 * there is none behind the closing. */
static void run_with_few(int with_0, int with_3, int out)
{
    stall_t *stall = stall_start(look_at_descriptors, pool);
    char buf[4096];
    ssize_t n;
    int i;

    if (dup2(out, 60) != 60 || dup2(stall->out, 61) != 61) {
        _exit(1);
    }
    for (i = 0; i < 60; i++) {
        if (i != 1 && i != 2) {
            close(i);
        }
    }
    if (with_0) {
        dup2(2, 0);
    }
    if (with_3) {
        dup2(2, 3);
    }
    APR_ARRAY_IDX(plan->cas, 0, acme_ca_t).url = stall->url;
    worker_run(plan, &script->host, &err, pool);
    while ((n = read(61, buf, sizeof(buf))) > 0) {
        if (write(60, buf, (size_t)n) != n) {
            _exit(1);
        }
    }
    _exit(0);
}

/* That holds whatever numbers the socket pair gets. */
START_TEST(low_numbers_are_no_trap)
{
    char seen[4096];
    size_t got = 0;
    ssize_t n;
    int ends[2];
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        run_with_few(_i & 1, _i & 2, ends[1]);
    }
    close(ends[1]);
    while ((n = read(ends[0], seen + got, sizeof(seen) - 1 - got)) > 0) {
        got += (size_t)n;
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    seen[got] = '\0';
    ck_assert_msg(got > 0, "nothing seen");
    check_descriptors(seen);
}
END_TEST

/* ------------------------------------------------------------- no secrets */

/* A keeper is made, and the worker forked, before any key is read: no text
 * of a key can be found in the worker's memory. */
START_TEST(keys_are_not_inherited)
{
    const char *dir = apr_pstrcat(pool, unit_dir(), "/store", NULL);
    stall_t *stall = NULL;
    keeper_options_t options = { 0 };
    keeper_job_t kj = { .id = "n0.example", .key_type = "P-256" };
    const char *ca = "https://ca0.example/dir";

    stall_make_store(dir, ca);
    stall_store = dir;
    stall = stall_start(stall_look_for_key, pool);
    APR_ARRAY_IDX(plan->cas, 0, acme_ca_t).url = stall->url;
    kj.revoke_key_file = apr_pstrcat(pool, dir, "/accounts/"
                                     "ca0.example_dir/key.pem", NULL);
    options.plan = plan;
    options.jobs = &kj;
    options.clock = base_clock_system();
    unit_ok(store_open(&options.store, dir, 0, &err, pool));
    unit_ok(schema_set_builtin((schema_set_t **)&options.schemas, &err,
                               pool));
    unit_fails(worker_run(plan, keeper_host(keeper_make(&options, pool)),
                          &err, pool), APR_EGENERAL, "signal 9");
    ck_assert_str_eq(stall_seen(stall, pool), STALL_NO_KEY);
}
END_TEST

/* -------------------------------------------------------- the keeper's end */

static pid_t keeper_pid;

/* Kill the keeper and see whether the worker follows. */
static void look_at_orphan(pid_t worker, FILE *out)
{
    int i;

    (void)out;
    kill(keeper_pid, SIGKILL);
    for (i = 0; i < 2000 && kill(worker, 0) == 0; i++) {
        char path[64];
        struct stat st;

        /* dead, but not reaped by whoever inherited it */
        snprintf(path, sizeof(path), "/proc/%d/fd/3", (int)worker);
        if (lstat(path, &st) != 0) {
            break;
        }
        apr_sleep(5000);
    }
    fprintf(out, i < 2000 ? "gone" : "alive");
}

/* A worker does not outlive its keeper. */
START_TEST(worker_ends_with_the_keeper)
{
    int ends[2];
    pid_t pid;
    char seen[16] = "";
    ssize_t n;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        /* The observer is a child of this keeper and tells the test. */
        stall_t *stall;

        keeper_pid = getpid();
        stall = stall_start(look_at_orphan, pool);
        if (fork() == 0) {
            char *text = apr_palloc(pool, 16);

            n = read(stall->out, text, 16);
            _exit(write(ends[1], text, (size_t)n) == n ? 0 : 1);
        }
        APR_ARRAY_IDX(plan->cas, 0, acme_ca_t).url = stall->url;
        worker_run(plan, &script->host, &err, pool);
        _exit(0);
    }
    close(ends[1]);
    n = read(ends[0], seen, sizeof(seen) - 1);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_gt(n, 0);
    ck_assert_str_eq(seen, "gone");
}
END_TEST

Suite *net_suite(void);
Suite *net_suite(void)
{
    Suite *suite = suite_create("net");
    TCase *tc = tcase_create("net");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    if (geteuid() != 0) {
        return suite;
    }
    tcase_add_test(tc, privileges_are_gone);
    tcase_add_loop_test(tc, users_are_taken_from_the_plan, 0, 3);
    tcase_add_test(tc, memory_is_closed);
    tcase_add_test(tc, files_cannot_grow);
    tcase_add_test(tc, descriptors_are_closed);
    tcase_add_loop_test(tc, low_numbers_are_no_trap, 0, 4);
    tcase_add_test(tc, keys_are_not_inherited);
    tcase_add_test(tc, worker_ends_with_the_keeper);
    return suite;
}
