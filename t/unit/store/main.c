/* The suites of support/store. */
#include "unit.h"

Suite *store_suite(void);
Suite *account_suite(void);
Suite *certificate_suite(void);
Suite *order_suite(void);
Suite *sweep_suite(void);

int main(void)
{
    Suite *suites[] = { store_suite(), account_suite(), certificate_suite(),
                        order_suite(), sweep_suite(), NULL };

    return unit_run(suites);
}
