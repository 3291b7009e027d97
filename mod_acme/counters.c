/*
 * Counters that all processes raise.
 *
 *   retained data (process pool)          shared, anonymous mapping
 *     counters_t { map, size } ─────────>   uint64_t[ACME_COUNTERS], then 0
 *
 * Children inherit the mapping. A restart unloads this module but keeps the
 * record and the mapping, so that the next one finds them again.
 */
#include "counters.h"

#include <errno.h>
#include <sys/mman.h>

#include <http_config.h>
#include <http_log.h>

APLOG_USE_MODULE(acme);

#define RETAINED "acme-counters"
#define SIZE     4096   /* bytes; room for 512 */

_Static_assert(ACME_COUNTERS * sizeof(uint64_t) <= SIZE, "counters fit");

typedef struct counters_t {
    uint64_t *map;      /* NULL: could not be made */
} counters_t;

/* Until the mapping is there, and where it cannot be made. */
static uint64_t own[ACME_COUNTERS];
static uint64_t *counts = own;

void acme_count(acme_counter_t counter)
{
    __atomic_fetch_add(&counts[counter], 1, __ATOMIC_RELAXED);
}

uint64_t acme_counter(acme_counter_t counter)
{
    return __atomic_load_n(&counts[counter], __ATOMIC_RELAXED);
}

void acme_counters_start(server_rec *s)
{
    counters_t *kept = ap_retained_data_get(RETAINED);

    if (!kept) {
        kept = ap_retained_data_create(RETAINED, sizeof(*kept));
    }
    if (!kept->map) {
        kept->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    if (kept->map == MAP_FAILED) {
        kept->map = NULL;
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s, "ACME0700: no "
                     "shared memory for counters: acme-metrics tells those "
                     "of one process only");
        return;
    }
    counts = kept->map;
}
