#include "unit.h"

Suite *acme_suite(void);
Suite *check_suite(void);
Suite *compile_suite(void);
Suite *format_suite(void);
Suite *jose_suite(void);
Suite *link_suite(void);
Suite *regex_suite(void);
Suite *schema_suite(void);
Suite *value_suite(void);

int main(void)
{
    Suite *suites[10];

    (void)pool;
    (void)unit_case;
    suites[0] = value_suite();
    suites[1] = regex_suite();
    suites[2] = format_suite();
    suites[3] = compile_suite();
    suites[4] = link_suite();
    suites[5] = check_suite();
    suites[6] = schema_suite();
    suites[7] = acme_suite();
    suites[8] = jose_suite();
    suites[9] = NULL;
    return unit_run(suites);
}
