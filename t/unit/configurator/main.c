/* The tests of support/configurator. */
#include "unit.h"

Suite *address_suite(void);
Suite *augeas_base_suite(void);
Suite *block_suite(void);
Suite *change_suite(void);
Suite *choose_suite(void);
Suite *configurator_suite(void);
Suite *deploy_suite(void);
Suite *domain_suite(void);
Suite *edits_random_suite(void);
Suite *edits_suite(void);
Suite *enhance_suite(void);
Suite *expect_suite(void);
Suite *generated_suite(void);
Suite *host_suite(void);
Suite *layout_suite(void);
Suite *listen_suite(void);
Suite *match_suite(void);
Suite *modules_suite(void);
Suite *names_suite(void);
Suite *paste_suite(void);
Suite *plan_suite(void);
Suite *ports_suite(void);
Suite *reading_suite(void);
Suite *redirect_suite(void);
Suite *rewrite_suite(void);
Suite *scan_suite(void);
Suite *settings_suite(void);
Suite *splice_suite(void);
Suite *tls_suite(void);
Suite *twin_main_suite(void);
Suite *twin_plain_suite(void);
Suite *twin_rules_suite(void);
Suite *twin_suite(void);
Suite *walk_suite(void);

int main(void)
{
    Suite *suites[] = {
        address_suite(),
        augeas_base_suite(),
        block_suite(),
        change_suite(),
        choose_suite(),
        configurator_suite(),
        deploy_suite(),
        domain_suite(),
        edits_random_suite(),
        edits_suite(),
        enhance_suite(),
        expect_suite(),
        generated_suite(),
        host_suite(),
        layout_suite(),
        listen_suite(),
        match_suite(),
        modules_suite(),
        names_suite(),
        paste_suite(),
        plan_suite(),
        ports_suite(),
        reading_suite(),
        redirect_suite(),
        rewrite_suite(),
        scan_suite(),
        settings_suite(),
        splice_suite(),
        tls_suite(),
        twin_main_suite(),
        twin_plain_suite(),
        twin_rules_suite(),
        twin_suite(),
        walk_suite(),
        NULL
    };

    return unit_run(suites);
}
