/*
 * acmectl: the helper of mod_acme. Everything is in cmd/.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <apr_general.h>

#include "cmd/cmd.h"

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    int status;

    /* Nothing that is made here is for others, whatever the caller's mask. */
    umask(077);
    setlocale(LC_CTYPE, "");
    if (apr_initialize() != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "acmectl: APR cannot be started\n");
        return BASE_EXIT_FAILED;
    }
    status = cmd_main(argc, argv, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
