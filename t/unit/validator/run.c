/* The parent takes the answers that are due and nothing else. What a child
 * writes is changed under way: write() of this program takes the place of
 * the C library's. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <apr_strings.h>

#include "validator/rig.h"

/* How a child spoils what it writes. */
static enum {
    SPOIL_NOT, SPOIL_GARBAGE, SPOIL_ORDER, SPOIL_MORE, SPOIL_LONG, SPOIL_OK,
    SPOIL_MEMBER, SPOIL_COLOUR, SPOIL_BYTES, SPOIL_HANG, SPOIL_DIE
} spoil;

static pid_t this_process;

static ssize_t raw(int fd, const char *text)
{
    return (ssize_t)syscall(SYS_write, fd, text, strlen(text));
}

static ssize_t spoiled(int fd, const char *buf, size_t n)
{
    static int lines;
    size_t i;

    lines++;
    switch (spoil) {
    case SPOIL_NOT:
        break;
    case SPOIL_GARBAGE:
        raw(fd, "garbage\n");
        break;
    case SPOIL_ORDER:
        if (lines == 1) {
            return (ssize_t)n;
        }
        break;
    case SPOIL_MORE:
        if (lines == VALIDATOR_ROWS) {
            syscall(SYS_write, fd, buf, n);
        }
        break;
    case SPOIL_LONG:
        for (i = 0; i < LINE_MAX_BYTES; i++) {
            raw(fd, "aa");
        }
        break;
    case SPOIL_OK:
        raw(fd, "{\"target\":0,\"row\":0,\"ok\":2,\"required\":1,"
            "\"detail\":\"x\"}\n");
        break;
    case SPOIL_MEMBER:
        raw(fd, "{\"target\":0,\"row\":0,\"ok\":1,\"required\":1,"
            "\"detail\":\"x\",\"more\":1}\n");
        break;
    case SPOIL_COLOUR:
        if (lines == 1) {
            raw(fd, "{\"target\":0,\"row\":0,\"ok\":1,\"required\":0,"
                "\"detail\":\"\\u001b[31mred\\n\"}\n");
            return (ssize_t)n;
        }
        break;
    case SPOIL_BYTES:
        for (i = 0; i < n; i++) {
            syscall(SYS_write, fd, buf + i, 1);
            usleep(50);
        }
        return (ssize_t)n;
    case SPOIL_HANG:
        if (lines == 3) {
            for (;;) {
                pause();
            }
        }
        break;
    case SPOIL_DIE:
        if (lines == 5) {
            raise(SIGABRT);
        }
        break;
    }
    return (ssize_t)syscall(SYS_write, fd, buf, n);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    return getpid() == this_process || fd < 3 || n == 0
           || *(const char *)buf != '{'
           ? (ssize_t)syscall(SYS_write, fd, buf, n) : spoiled(fd, buf, n);
}

static apr_array_header_t *checks;
static int progressed;

static void progress(void *baton, const char *name, const char *check)
{
    ck_assert_ptr_eq(baton, &progressed);
    ck_assert_ptr_nonnull(name);
    ck_assert_str_eq(check,
                     validator_rows()[progressed % VALIDATOR_ROWS].check);
    progressed++;
}

static const char *pattern = "n%d.example";

/* Ask for n names at a port where nobody listens. */
static apr_status_t run_names(int n, const char *roots, const char *live)
{
    apr_array_header_t *targets = apr_array_make(pool, n + 1,
                                                 sizeof(validator_target_t));
    const validator_ask_t *ask = rig_ask(0, rig_dead_port(), pool);
    validator_options_t options = { .timeout = apr_time_from_sec(1),
                                    .deadline = apr_time_from_sec(2),
                                    .live = live };
    int i;

    if (n == 1) {
        options.progress = progress;
        options.baton = &progressed;
    }
    for (i = 0; i < n; i++) {
        validator_target_t *target = apr_array_push(targets);

        *target = *ask->target;
        target->name = apr_psprintf(pool, pattern, i);
        target->roots = roots;
        target->managed = live != NULL;
        if (live) {
            target->http = target->https;
        }
    }
    this_process = getpid();
    progressed = 0;
    checks = NULL;
    base_err_clear(&err);
    return validator_run(&checks, targets, &options, &err, pool);
}

static const validator_check_t *check_at(int i)
{
    return &APR_ARRAY_IDX(checks, i, validator_check_t);
}

/* Answers come in the order of targets and rows, whoever found them. */
START_TEST(order)
{
    int i;

    unit_ok(run_names(40, NULL, NULL));
    ck_assert_int_eq(checks->nelts, 40 * VALIDATOR_ROWS);
    for (i = 0; i < checks->nelts; i++) {
        ck_assert_str_eq(check_at(i)->name,
                         apr_psprintf(pool, "n%d.example",
                                      i / VALIDATOR_ROWS));
        ck_assert_str_eq(check_at(i)->check,
                         validator_rows()[i % VALIDATOR_ROWS].check);
    }
    ck_assert_ptr_eq(validator_failed(checks), check_at(0));
    unit_ok(run_names(1, NULL, NULL));
    ck_assert_int_eq(progressed, VALIDATOR_ROWS);
    unit_ok(run_names(0, NULL, NULL));
    ck_assert_int_eq(checks->nelts, 0);
}
END_TEST

/* A line may come byte by byte. */
START_TEST(byte_by_byte)
{
    spoil = SPOIL_BYTES;
    unit_ok(run_names(2, NULL, NULL));
    ck_assert_int_eq(checks->nelts, 2 * VALIDATOR_ROWS);
}
END_TEST

/* What is not the answer that is due ends the run. */
START_TEST(no_answer)
{
    static const struct {
        int how;
        const char *says;
    } bad[] = {
        { SPOIL_GARBAGE, "what is no answer: " },
        { SPOIL_ORDER, "not the answer that is due" },
        { SPOIL_MORE, "an answer that nobody asked for" },
        { SPOIL_LONG, "a line without an end" },
        { SPOIL_OK, "not the answer that is due" },
        { SPOIL_MEMBER, "not the answer that is due" }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        spoil = bad[i].how;
        unit_fails(run_names(1, NULL, NULL), APR_EGENERAL, bad[i].says);
        ck_assert_ptr_null(checks);
    }
}
END_TEST

/* A detail is printable, whatever the child says. */
START_TEST(colour)
{
    spoil = SPOIL_COLOUR;
    unit_ok(run_names(1, NULL, NULL));
    ck_assert_str_eq(check_at(0)->detail, "\\x1B[31mred\\x0A");
}
END_TEST

/* Who dies is told with the question; who hangs has failed in all that he
 * owes and that is required. */
START_TEST(lost)
{
    int i;

    spoil = SPOIL_DIE;
    unit_fails(run_names(1, NULL, NULL), APR_EGENERAL,
               "was killed by signal 6 while it asked expiry of n0.example");
    spoil = SPOIL_HANG;
    unit_ok(run_names(1, NULL, NULL));
    ck_assert_ptr_nonnull(strstr(check_at(1)->detail, "no connection"));
    for (i = 2; i < VALIDATOR_ROWS; i++) {
        ck_assert_int_eq(check_at(i)->ok,
                         validator_rows()[i].required ? 0 : -1);
        ck_assert_str_eq(check_at(i)->detail,
                         "there was no answer within 2.0 s");
    }
}
END_TEST

/* SIGCHLD may have been ignored by whoever started us. */
START_TEST(sigchld)
{
    signal(SIGCHLD, SIG_IGN);
    unit_ok(run_names(3, NULL, NULL));
    ck_assert_int_eq(checks->nelts, 3 * VALIDATOR_ROWS);
}
END_TEST

/* Roots that cannot be read, and a segment that is none, are told. */
START_TEST(files)
{
    const char *dir = unit_dir();
    const char *file = apr_pstrcat(pool, dir, "/roots", NULL);

    unit_fails(run_names(1, file, NULL), APR_ENOENT, "/roots");
    unit_ok(base_file_put(file, "text\n", 5, 0600, &err));
    unit_fails(run_names(1, file, NULL), APR_EINVAL,
               "/roots: there is no certificate among the trust roots");
    unit_ok(run_names(1, NULL, file));
    ck_assert_int_eq(check_at(VALIDATOR_ROWS - 1)->ok, 0);
    ck_assert_ptr_nonnull(strstr(check_at(VALIDATOR_ROWS - 1)->detail,
                                 "no challenge can be published in "));
}
END_TEST

/* A name that would be more than a name in a request is not asked for. */
START_TEST(names)
{
    static const char *const bad[] = {
        "", "a b", "a.example\r\nHost: b", "a/b", "a.example:80", "\xc3\xa4",
        "a\tb", "<a>"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        pattern = bad[i];
        unit_fails(run_names(1, NULL, NULL), APR_EINVAL,
                   "is no name that a server can be asked for");
    }
    pattern = apr_pstrcat(pool, "%0254d", NULL);
    unit_fails(run_names(1, NULL, NULL), APR_EINVAL, "is no name");
    pattern = "_a-%d.example";
    unit_ok(run_names(1, NULL, NULL));
}
END_TEST

static void run_setup(void)
{
    spoil = SPOIL_NOT;
}

Suite *run_suite(void);
Suite *run_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tc = unit_case(suite, "run");

    tcase_add_checked_fixture(tc, run_setup, NULL);
    tcase_add_test(tc, order);
    tcase_add_test(tc, byte_by_byte);
    tcase_add_test(tc, no_answer);
    tcase_add_test(tc, colour);
    tcase_add_test(tc, lost);
    tcase_add_test(tc, sigchld);
    tcase_add_test(tc, files);
    tcase_add_test(tc, names);
    return suite;
}
