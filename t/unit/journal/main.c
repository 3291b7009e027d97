/*
 * main.c: the unit tests of support/journal. What happens when it is
 * disturbed, t/journal/ tries.
 */
#include "unit.h"

Suite *checkpoint_suite(void);
Suite *diff_suite(void);
Suite *drift_suite(void);
Suite *journal_suite(void);
Suite *preview_suite(void);
Suite *record_suite(void);
Suite *rollback_suite(void);
Suite *save_suite(void);
Suite *stage_suite(void);
Suite *state_suite(void);
Suite *undo_suite(void);

int main(void)
{
    Suite *suites[] = {
        checkpoint_suite(), diff_suite(), drift_suite(), journal_suite(),
        preview_suite(), record_suite(), rollback_suite(), save_suite(),
        stage_suite(), state_suite(), undo_suite(), NULL
    };

    return unit_run(suites);
}
