/* The tests of support/http. */
#include "unit.h"

Suite *curl_suite(void);
Suite *failure_suite(void);
Suite *reply_suite(void);
Suite *transfer_suite(void);

int main(void)
{
    Suite *suites[] = {
        curl_suite(), transfer_suite(), reply_suite(), failure_suite(), NULL
    };

    return unit_run(suites);
}
