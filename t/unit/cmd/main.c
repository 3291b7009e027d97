/* The suites of support/cmd. */
#include "unit.h"

Suite *notify_suite(void);
Suite *options_suite(void);
Suite *challenges_suite(void);
Suite *context_suite(void);
Suite *document_suite(void);
Suite *domains_suite(void);
Suite *ladder_suite(void);
Suite *state_suite(void);
Suite *orders_suite(void);
Suite *account_suite(void);
Suite *certificates_suite(void);
Suite *config_suite(void);
Suite *issue_suite(void);
Suite *renew_suite(void);
Suite *report_suite(void);
Suite *revoke_suite(void);
Suite *sites_suite(void);
Suite *summary_suite(void);
Suite *staple_suite(void);
Suite *targets_suite(void);
Suite *where_suite(void);
Suite *journal_suite(void);

int main(void)
{
    Suite *suites[] = { options_suite(), challenges_suite(),
                        context_suite(), domains_suite(),
                        ladder_suite(), state_suite(), orders_suite(),
                        account_suite(), report_suite(), revoke_suite(),
                        notify_suite(), certificates_suite(),
                        config_suite(), issue_suite(), renew_suite(),
                        sites_suite(), staple_suite(),
                        summary_suite(), targets_suite(),
                        where_suite(), document_suite(),
                        journal_suite(), NULL };

    return unit_run(suites);
}
