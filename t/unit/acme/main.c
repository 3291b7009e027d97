/*
 * Unit tests of support/acme.
 */
#include "unit.h"

Suite *flow_suite(void);

int main(void)
{
    Suite *suites[] = { flow_suite(), NULL };

    return unit_run(suites);
}
