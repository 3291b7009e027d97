/* The suites of support/notify. */
#include "unit.h"

Suite *event_suite(void);
Suite *run_suite(void);
Suite *notifier_suite(void);
Suite *notify_suite(void);

int main(void)
{
    Suite *suites[] = { event_suite(), run_suite(), notifier_suite(),
                        notify_suite(), NULL };

    return unit_run(suites);
}
