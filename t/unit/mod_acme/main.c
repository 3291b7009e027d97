#include "unit.h"

Suite *counters_suite(void);
Suite *live_suite(void);
Suite *live_slot_suite(void);
Suite *live_table_suite(void);
Suite *pair_suite(void);

int main(void)
{
    Suite *suites[] = {
        counters_suite(), live_suite(), live_slot_suite(), live_table_suite(),
        pair_suite(), NULL
    };

    return unit_run(suites);
}
