/*
 * Unit tests of support/acme.
 */
#include "unit.h"

Suite *account_suite(void);
Suite *authz_suite(void);
Suite *certificate_suite(void);
Suite *challenge_suite(void);
Suite *directory_suite(void);
Suite *engine_suite(void);
Suite *fallback_suite(void);
Suite *finalize_suite(void);
Suite *flow_suite(void);
Suite *jws_suite(void);
Suite *nonce_suite(void);
Suite *order_suite(void);
Suite *problem_suite(void);
Suite *request_suite(void);
Suite *revoke_suite(void);

int main(void)
{
    Suite *suites[] = {
        jws_suite(), problem_suite(), nonce_suite(), request_suite(),
        directory_suite(), account_suite(), order_suite(), authz_suite(),
        challenge_suite(), fallback_suite(), finalize_suite(),
        certificate_suite(), revoke_suite(), engine_suite(), flow_suite(), NULL
    };

    return unit_run(suites);
}
