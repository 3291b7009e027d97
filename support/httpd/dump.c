/*
 * dump.c: httpd -t, alone and with -D DUMP_ACME. The server's own parse is
 * the only truth about its configuration.
 */
#include "httpd/internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* FACTS: 10000 virtual hosts take 0.8 s; names that have to be resolved
 * take longer. */
#define TEST_DEADLINE (120 * APR_USEC_PER_SEC)

static void push(apr_array_header_t *argv, const char *arg)
{
    APR_ARRAY_PUSH(argv, const char *) = arg;
}

static void push_option(apr_array_header_t *argv, const char *option,
                        const char *value)
{
    if (value) {
        push(argv, option);
        push(argv, value);
    }
}

/** value as one quoted argument of a directive. */
static const char *quoted(const char *value, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, 2 * strlen(value) + 3);
    char *t = text;

    *t++ = '"';
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') {
            *t++ = '\\';
        }
        *t++ = *value;
    }
    *t++ = '"';
    *t = '\0';
    return text;
}

/** The command line of a configuration test; define is nullable. */
static const char *const *test_argv(const httpd_args_t *args,
                                    const char *define, apr_pool_t *pool)
{
    apr_array_header_t *argv = apr_array_make(pool, 16, sizeof(char *));
    int i;

    push(argv, args->binary);
    push_option(argv, "-d", args->root);
    push_option(argv, "-f", args->config);
    for (i = 0; args->defines && i < args->defines->nelts; i++) {
        push_option(argv, "-D",
                    APR_ARRAY_IDX(args->defines, i, const char *));
    }
    if (args->module) {
        push_option(argv, "-C",
                    apr_pstrcat(pool, "LoadModule acme_module ",
                                quoted(args->module, pool), NULL));
    }
    push(argv, "-t");
    push_option(argv, "-D", define);
    push_option(argv, "-D", args->start_check ? "ACME_START_CHECK" : NULL);
    push(argv, NULL);
    return (const char *const *)argv->elts;
}

static apr_status_t run_test(httpd_output_t *output,
                             const httpd_args_t *args, const char *define,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    apr_status_t rv = httpd_exec(output,
                                 test_argv(args, define, result_pool),
                                 TEST_DEADLINE, HTTPD_DUMP_MAX, err,
                                 result_pool);

    if (rv == APR_SUCCESS && output->status != 0) {
        rv = base_err_set(err, APR_EINVAL, BASE_EXIT_HTTPD, "%s: %s",
                          strstr(output->err, "ACME0022:")
                          ? "httpd accepts this configuration but would not "
                            "start with it"
                          : "httpd refuses its configuration",
                          httpd_complaint(output, result_pool));
    }
    return rv;
}

apr_status_t httpd_configtest(const httpd_args_t *args, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    httpd_output_t output;

    return run_test(&output, args, NULL, err, scratch_pool);
}

apr_status_t httpd_dump(const char **ptext, apr_size_t *plen,
                        const httpd_args_t *args, acme_err_t *err,
                        apr_pool_t *result_pool)
{
    httpd_output_t output;
    const char *text;

    if (run_test(&output, args, "DUMP_ACME", err, result_pool)
        != APR_SUCCESS) {
        return err->status;
    }
    for (text = output.out; apr_isspace(*text); text++) {
        continue;
    }
    /* Without the module nobody knows the define, and all is said by
     * "Syntax OK" on stderr. */
    if (*text != '{') {
        return base_err_set(err, APR_ENOTIMPL, BASE_EXIT_HTTPD,
                            "httpd's configuration does not load mod_acme; "
                            "add `LoadModule acme_module %s` to it",
                            args->module ? args->module : ACMECTL_MODULE);
    }
    *ptext = output.out;
    *plen = output.out_len;
    return APR_SUCCESS;
}

apr_status_t httpd_dump_with(const char **ptext, apr_size_t *plen,
                             httpd_args_t *args, const char *module,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    apr_status_t rv = httpd_dump(ptext, plen, args, err, result_pool);

    if (rv == APR_ENOTIMPL && module) {
        base_err_clear(err);
        args->module = module;
        rv = httpd_dump(ptext, plen, args, err, result_pool);
    }
    return rv;
}
