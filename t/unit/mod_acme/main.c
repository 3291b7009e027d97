#include "unit.h"

Suite *live_suite(void);

int main(void)
{
    Suite *suites[] = { live_suite(), NULL };

    return unit_run(suites);
}
