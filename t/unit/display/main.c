/* The tests of support/display. */
#include "unit.h"

Suite *display_suite(void);
Suite *table_suite(void);
Suite *text_suite(void);
Suite *changes_suite(void);
Suite *ask_suite(void);
Suite *dialog_suite(void);
Suite *findings_suite(void);
Suite *ask_text_suite(void);

int main(void)
{
    Suite *suites[] = {
        display_suite(), text_suite(), table_suite(),
        changes_suite(), ask_suite(), ask_text_suite(),
        dialog_suite(), findings_suite(), NULL
    };

    return unit_run(suites);
}
