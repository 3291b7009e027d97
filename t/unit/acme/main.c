/*
 * Unit tests of support/acme.
 */
#include "unit.h"

Suite *account_suite(void);
Suite *directory_suite(void);
Suite *flow_suite(void);
Suite *jws_suite(void);
Suite *nonce_suite(void);
Suite *problem_suite(void);
Suite *request_suite(void);

int main(void)
{
    Suite *suites[] = {
        jws_suite(), problem_suite(), nonce_suite(), request_suite(),
        directory_suite(), account_suite(), flow_suite(), NULL
    };

    return unit_run(suites);
}
