/* The suites of support/validator. */
#include "unit.h"

Suite *wire_suite(void);
Suite *exchange_suite(void);
Suite *site_suite(void);
Suite *rows_suite(void);
Suite *tls_rows_suite(void);
Suite *redirect_suite(void);
Suite *http_rows_suite(void);
Suite *asker_suite(void);
Suite *run_suite(void);

int main(void)
{
    Suite *suites[] = {
        wire_suite(), exchange_suite(), site_suite(), rows_suite(),
        tls_rows_suite(), redirect_suite(), http_rows_suite(), asker_suite(),
        run_suite(), NULL
    };

    return unit_run(suites);
}
