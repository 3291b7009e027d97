/* The suites of support/cmd. */
#include "unit.h"

Suite *ladder_suite(void);

int main(void)
{
    Suite *suites[] = { ladder_suite(), NULL };

    return unit_run(suites);
}
