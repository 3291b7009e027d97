/* The suites of support/worker. */
#include "unit.h"

Suite *frame_suite(void);
Suite *proxy_suite(void);
Suite *serve_suite(void);
Suite *keeper_suite(void);
Suite *keeper_alpn_suite(void);
Suite *keeper_account_suite(void);
Suite *keeper_certificate_suite(void);
Suite *keeper_order_suite(void);
Suite *keeper_save_suite(void);
Suite *keeper_sign_suite(void);
Suite *keeper_staple_suite(void);
Suite *ocsp_suite(void);
Suite *run_suite(void);
Suite *net_suite(void);

int main(void)
{
    Suite *suites[] = { frame_suite(), proxy_suite(), serve_suite(),
                        keeper_suite(), keeper_alpn_suite(),
                        keeper_account_suite(),
                        keeper_certificate_suite(), keeper_order_suite(),
                        keeper_save_suite(), keeper_sign_suite(),
                        keeper_staple_suite(), ocsp_suite(), run_suite(),
                        net_suite(), NULL };

    return unit_run(suites);
}
