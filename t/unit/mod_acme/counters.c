/* Counters of all processes; what httpd keeps over restarts is kept here. */
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "unit.h"
#include "counters.h"

module AP_MODULE_DECLARE_DATA acme_module;

static void *retained;

AP_DECLARE(void *) ap_retained_data_get(const char *key)
{
    return retained;
}

AP_DECLARE(void *) ap_retained_data_create(const char *key, apr_size_t size)
{
    retained = calloc(1, size);
    return retained;
}

AP_DECLARE(void) ap_log_error_(const char *file, int line, int module_index,
                               int level, apr_status_t status,
                               const server_rec *s, const char *fmt, ...)
{
    ck_abort_msg("nothing is to be logged: %s", fmt);
}

static void in_children(int n, acme_counter_t counter, int times)
{
    int i;

    for (i = 0; i < n; i++) {
        pid_t pid = fork();

        ck_assert_int_ne(pid, -1);
        if (pid == 0) {
            for (; times > 0; times--) {
                acme_count(counter);
            }
            _exit(0);
        }
    }
    for (i = 0; i < n; i++) {
        ck_assert_int_gt(wait(NULL), 0);
    }
}

/* What children count at the same time is added up, and nothing else. */
START_TEST(adds_up_all_processes)
{
    int i;

    acme_counters_start(NULL);
    in_children(4, ACME_COUNT_TLSALPN01_ANSWERED, 20000);
    for (i = 0; i < ACME_COUNTERS; i++) {
        ck_assert_uint_eq(acme_counter((acme_counter_t)i),
                          i == ACME_COUNT_TLSALPN01_ANSWERED ? 80000 : 0);
    }
}
END_TEST

/* A restart finds the counters as they were, children of before still
 * count, and a start of httpd begins at 0. */
START_TEST(survives_a_restart)
{
    acme_counters_start(NULL);
    in_children(1, ACME_COUNT_HTTP01_UNKNOWN, 5);
    acme_counters_start(NULL);
    ck_assert_uint_eq(acme_counter(ACME_COUNT_HTTP01_UNKNOWN), 5);
    acme_count(ACME_COUNT_HTTP01_UNKNOWN);
    ck_assert_uint_eq(acme_counter(ACME_COUNT_HTTP01_UNKNOWN), 6);
    free(retained);
    retained = NULL;
    acme_counters_start(NULL);
    ck_assert_uint_eq(acme_counter(ACME_COUNT_HTTP01_UNKNOWN), 0);
}
END_TEST

Suite *counters_suite(void)
{
    Suite *suite = suite_create("counters");
    TCase *tc = unit_case(suite, "counters");

    tcase_add_test(tc, adds_up_all_processes);
    tcase_add_test(tc, survives_a_restart);
    return suite;
}
