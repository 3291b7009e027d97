/* The tests of support/configurator. */
#include "unit.h"

Suite *scan_suite(void);

int main(void)
{
    Suite *suites[] = {
        scan_suite(), NULL
    };

    return unit_run(suites);
}
