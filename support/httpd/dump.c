/*
 * dump.c: httpd -t, and httpd -t -D DUMP_ACME.
 */
#include <string.h>

#include <apr_strings.h>

#include "httpd/httpd.h"

#define TEST_DEADLINE apr_time_from_sec(120)
#define DUMP_MAX (64 * 1024 * 1024)

static void push(apr_array_header_t *argv, const char *arg)
{
    APR_ARRAY_PUSH(argv, const char *) = arg;
}

/** httpd's own arguments, as the admin calls it. */
static apr_array_header_t *make_argv(const httpd_args_t *args,
                                     apr_pool_t *pool)
{
    apr_array_header_t *argv = apr_array_make(pool, 16,
                                              sizeof(const char *));
    int i;

    push(argv, args->binary);
    if (args->root) {
        push(argv, "-d");
        push(argv, args->root);
    }
    if (args->config) {
        push(argv, "-f");
        push(argv, args->config);
    }
    for (i = 0; args->defines && i < args->defines->nelts; i++) {
        push(argv, "-D");
        push(argv, APR_ARRAY_IDX(args->defines, i, const char *));
    }
    if (args->module) {
        push(argv, "-C");
        push(argv, apr_psprintf(pool, "LoadModule acme_module \"%s\"",
                                args->module));
    }
    push(argv, "-t");
    return argv;
}

/** 1 for a line that only introduces or repeats. */
static int is_noise(const char *line)
{
    return !*line || strstr(line, "AH00558") || strstr(line, "[warn]")
           || strstr(line, ":warn]") || strstr(line, ":notice]")
           || strncmp(line, "Action '", 8) == 0
           || strncmp(line, "The Apache error log", 20) == 0
           || strcmp(line, "Syntax OK") == 0;
}

/** httpd's first complaint; a "Syntax error on line" with what follows. */
static const char *complaint(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *next;
    char *line;

    for (line = copy; line; line = next) {
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        if (is_noise(line)) {
            continue;
        }
        if (next && line[strlen(line) - 1] == ':') {
            next[strcspn(next, "\n")] = '\0';
            return apr_pstrcat(pool, line, " ", next, NULL);
        }
        return line;
    }
    return "it gave no reason";
}

static apr_status_t run_test(httpd_output_t *output,
                             const httpd_args_t *args, int dump,
                             acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *argv = make_argv(args, pool);
    apr_status_t rv;

    if (dump) {
        push(argv, "-D");
        push(argv, "DUMP_ACME");
    }
    push(argv, NULL);
    rv = httpd_exec(output, (const char *const *)argv->elts, TEST_DEADLINE,
                    DUMP_MAX, err, pool);
    if (rv == APR_SUCCESS && output->status != 0) {
        rv = base_err_set(err, APR_EINVAL, BASE_EXIT_HTTPD,
                          "httpd refuses its configuration: %s",
                          complaint(output->err, pool));
    }
    return rv;
}

apr_status_t httpd_configtest(const httpd_args_t *args, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    httpd_output_t output;

    return run_test(&output, args, 0, err, scratch_pool);
}

apr_status_t httpd_dump(const char **ptext, apr_size_t *plen,
                        const httpd_args_t *args, acme_err_t *err,
                        apr_pool_t *result_pool)
{
    httpd_output_t output;
    apr_status_t rv;

    rv = run_test(&output, args, 1, err, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (output.out_len == 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_HTTPD,
                            "httpd's configuration does not load mod_acme; "
                            "add \"LoadModule acme_module "
                            "modules/mod_acme.so\" to it");
    }
    *ptext = output.out;
    *plen = output.out_len;
    return APR_SUCCESS;
}
