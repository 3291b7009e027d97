/*
 * main.c: the unit tests of support/base.
 */
#include "unit.h"

Suite *at_suite(void);
Suite *b64url_suite(void);
Suite *child_suite(void);
Suite *clock_suite(void);
Suite *digest_suite(void);
Suite *dir_suite(void);
Suite *err_suite(void);
Suite *file_suite(void);
Suite *json_suite(void);
Suite *link_suite(void);
Suite *lock_suite(void);
Suite *log_suite(void);
Suite *name_suite(void);
Suite *tick_suite(void);
Suite *url_suite(void);

int main(void)
{
    Suite *suites[] = {
        at_suite(), b64url_suite(), child_suite(), clock_suite(),
        digest_suite(), dir_suite(), err_suite(), file_suite(), json_suite(),
        link_suite(), lock_suite(), log_suite(), name_suite(), tick_suite(),
        url_suite(),
        NULL
    };

    return unit_run(suites);
}
