#include "unit.h"

Suite *cert_cache_suite(void);
Suite *cert_parse_suite(void);
Suite *counters_suite(void);
Suite *dump_out_suite(void);
Suite *live_suite(void);
Suite *live_alpn_suite(void);
Suite *live_slot_suite(void);
Suite *live_status_suite(void);
Suite *live_table_suite(void);
Suite *pair_suite(void);
Suite *program_suite(void);

int main(void)
{
    Suite *suites[] = {
        cert_cache_suite(), cert_parse_suite(), counters_suite(),
        dump_out_suite(), live_suite(), live_alpn_suite(), live_slot_suite(),
        live_status_suite(), live_table_suite(), pair_suite(),
        program_suite(), NULL
    };

    return unit_run(suites);
}
