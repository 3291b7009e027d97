/* Which programs may be run; tests of owners need root and pass without. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

#define STRANGER 12345

static const char *dir;

static void setup(void)
{
    unit_setup();
    dir = unit_dir();
    ck_assert_int_eq(chmod(dir, 0755), 0);
}

static const char *in_dir(const char *name)
{
    return apr_psprintf(pool, "%s/%s", dir, name);
}

static const char *program(const char *name, int mode)
{
    const char *path = in_dir(name);

    unit_ok(base_file_create(path, "#!/bin/sh\n", 10, 0600, &err));
    ck_assert_int_eq(chmod(path, (mode_t)mode), 0);
    return path;
}

static void allowed(const char *path)
{
    const char *fault = acme_program_fault(path, pool);

    ck_assert_msg(fault == NULL, "%s: %s", path, fault);
}

static void refused(const char *path, const char *text)
{
    const char *fault = acme_program_fault(path, pool);

    ck_assert_msg(fault && strstr(fault, text), "%s: %s", path, fault);
}

/* Whatever root may execute and only root can write. */
START_TEST(good)
{
    allowed(program("hook", 0755));
    allowed(program("readable-by-all", 0555));
    allowed("/bin/sh");
    ck_assert_int_eq(symlink(in_dir("hook"), in_dir("link")), 0);
    allowed(in_dir("link"));
}
END_TEST

/* Something else than a file, or nothing. */
START_TEST(no_file)
{
    refused(in_dir("absent"), "No such file");
    refused(dir, "not a regular file");
    refused("/dev/null", "not a regular file");
    ck_assert_int_eq(symlink(in_dir("absent"), in_dir("dangling")), 0);
    refused(in_dir("dangling"), "No such file");
    ck_assert_int_eq(symlink(in_dir("loop"), in_dir("loop")), 0);
    refused(in_dir("loop"), "symbolic links");
    refused(apr_pstrcat(pool, program("file", 0755), "/x", NULL),
            "Not a directory");
}
END_TEST

/* A file that cannot be executed. */
START_TEST(not_executable)
{
    refused(program("plain", 0644), "may not execute it: chmod +x");
    if (geteuid() == 0) {
        refused(program("of-root-alone", 0700), "may not execute it");
    }
}
END_TEST

/* One that others can write. */
START_TEST(writable)
{
    const char *path = program("group", 0775);

    refused(program("all", 0757), "others than root can write it");
    if (geteuid() == 0) {
        allowed(path);
        ck_assert_int_eq(chown(path, 0, STRANGER), 0);
        refused(path, "others than root can write it");
        path = program("stranger", 0755);
        ck_assert_int_eq(chown(path, STRANGER, 0), 0);
        refused(path, "others than root can write it");
    }
}
END_TEST

/* One that others can replace, as they can write a directory above it; the
 * sticky bit forbids them. */
START_TEST(replaceable)
{
    const char *path = program("hook", 0755);

    ck_assert_int_eq(chmod(dir, 0777), 0);
    refused(path, "can replace it, as they can write");
    ck_assert_int_eq(chmod(dir, 01777), 0);
    allowed(path);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(mkdir(in_dir("open"), 0755), 0);
    ck_assert_int_eq(chmod(in_dir("open"), 0777), 0);
    ck_assert_int_eq(symlink(path, in_dir("open/link")), 0);
    refused(in_dir("open/link"), "can replace it, as they can write");
}
END_TEST

/* One that nobody but root can reach. */
START_TEST(unreachable)
{
    const char *path = program("hook", 0755);

    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(dir, 0700), 0);
        refused(path, "cannot reach it through");
    }
}
END_TEST

Suite *program_suite(void);
Suite *program_suite(void)
{
    Suite *suite = suite_create("program");
    TCase *tc = tcase_create("program");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, good);
    tcase_add_test(tc, no_file);
    tcase_add_test(tc, not_executable);
    tcase_add_test(tc, writable);
    tcase_add_test(tc, replaceable);
    tcase_add_test(tc, unreachable);
    return suite;
}
