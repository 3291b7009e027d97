/* The tests of support/httpd. Called as "httpd" the program is one. */
#include "httpd/rig.h"
#include "unit.h"

Suite *complaint_suite(void);
Suite *control_suite(void);
Suite *dump_suite(void);
Suite *exec_suite(void);
Suite *words_suite(void);

static int run_all(void)
{
    Suite *suites[] = {
        exec_suite(), complaint_suite(), dump_suite(), control_suite(),
        words_suite(), NULL
    };

    return unit_run(suites);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');

    return slash && strcmp(slash, "/httpd") == 0 ? rig_httpd(argc, argv)
                                                 : run_all();
}
