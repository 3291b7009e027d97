/*
 * httpd: the server as seen from outside: run its binary, read its parse
 * of the configuration, restart it gracefully, see whether it is up.
 * acmectl links nothing of httpd.
 */
#ifndef ACME_HTTPD_H
#define ACME_HTTPD_H

#include "base/base.h"

/** Largest document of DUMP_ACME, bytes. */
#define HTTPD_DUMP_MAX (64 * 1024 * 1024)

/** How httpd is called. Borrowed. */
typedef struct httpd_args_t {
    const char *binary;              /**< absolute path; may be apachectl,
                                          which hands its arguments on */
    const char *server;              /**< nullable: the program that runs
                                          as server, where binary is not */
    const char *root;                /**< nullable: -d */
    const char *config;              /**< nullable: -f */
    const apr_array_header_t *defines;  /**< of const char *: -D; nullable */
    const char *module;              /**< nullable: path of mod_acme.so, for
                                          a configuration that does not
                                          load it (-C LoadModule …) */
    int tested;                      /**< httpd_graceful: 1: this very
                                          configuration was tested just
                                          now */
    int start_check;                 /**< 1: a test also loads certificates
                                          and keys, as a start would; needs
                                          mod_acme, nobody's terminal, and a
                                          user who may read the keys */
} httpd_args_t;

/** What a program printed and how it ended. */
typedef struct httpd_output_t {
    const char *out;       /**< NUL-terminated */
    apr_size_t out_len;    /**< bytes */
    const char *err;       /**< NUL-terminated, cut at 64 KiB */
    int status;            /**< exit status; 128 + signal when killed */
} httpd_output_t;

/**
 * Run a program without a shell: stdin empty, no other descriptor
 * inherited, signals at their defaults, the caller's environment (what
 * httpd's envvars exported is part of its configuration).
 * Source: ours.
 *
 * @param argv      NULL behind the last; argv[0] an absolute path
 * @param deadline  µs; then the program and what it started are killed
 * @param max       largest output on stdout, bytes
 * @return APR_SUCCESS when it ran and ended (see status); APR_ENOENT;
 *         APR_TIMEUP; APR_EINVAL when it printed more than max
 */
apr_status_t httpd_exec(httpd_output_t *output, const char *const *argv,
                        apr_interval_time_t deadline, apr_size_t max,
                        acme_err_t *err, apr_pool_t *result_pool);

/**
 * Ask httpd for the document of DUMP_ACME (-t -D DUMP_ACME).
 *
 * @param ptext  JSON text, not yet checked
 * @return APR_SUCCESS; APR_EINVAL with exit BASE_EXIT_HTTPD and httpd's
 *         own first complaint when it refuses the configuration or, with
 *         start_check, would not start with it; APR_ENOTIMPL with the same
 *         exit when the configuration does not load mod_acme (the sentence
 *         says how)
 */
apr_status_t httpd_dump(const char **ptext, apr_size_t *plen,
                        const httpd_args_t *args, acme_err_t *err,
                        apr_pool_t *result_pool);

/**
 * The same where mod_acme may be brought along: if the configuration does not
 * load it, httpd is asked again with it.
 *
 * @param args    module is set if that was so
 * @param module  nullable: path of mod_acme.so; it may not be brought
 */
apr_status_t httpd_dump_with(const char **ptext, apr_size_t *plen,
                             httpd_args_t *args, const char *module,
                             acme_err_t *err, apr_pool_t *result_pool);

/** httpd -t. @return APR_EINVAL, BASE_EXIT_HTTPD with its complaint */
apr_status_t httpd_configtest(const httpd_args_t *args, acme_err_t *err,
                              apr_pool_t *scratch_pool);

/**
 * What a directive says in the text of the configuration, for the time
 * while httpd refuses it: the last one counts, includes are followed,
 * conditions and variables are not evaluated.
 * Source: ours.
 *
 * @param pvalue  its first argument, without quotes
 * @param pwhere  "FILE:LINE"
 * @param args    binary is asked for the main file (-V) if that is not said
 * @return APR_ENOENT if there is none
 */
apr_status_t httpd_word_find(const char **pvalue, const char **pwhere,
                             const httpd_args_t *args,
                             const char *directive, apr_pool_t *pool);

/**
 * Is the server of this pid file running?
 *
 * @param ppid  set on success
 * @return APR_ENOENT when it is not (no file, no process, or a process
 *         that is not binary)
 */
apr_status_t httpd_running(pid_t *ppid, const char *pid_file,
                           const char *binary, acme_err_t *err,
                           apr_pool_t *scratch_pool);

/**
 * 1 if httpd has written its pid file since the time since: it does so
 * each time it has read its configuration and is about to run children.
 *
 * @param since  µs UTC
 */
int httpd_settled(const char *pid_file, apr_time_t since);

/**
 * Restart gracefully (SIGUSR1 to the parent): configuration tested before,
 * survival of the parent proved after. A stopped server is not started.
 *
 * @param generation  tells the generation of the live segment; called until
 *                    it answers a greater number than at first; nullable.
 *                    A new pid file is waited for in any case: then the
 *                    new children start and httpd takes signals again
 * @param deadline    µs for the restart to happen
 * @return APR_ENOENT when httpd is not running; APR_EINVAL when it refuses
 *         the configuration; APR_TIMEUP; APR_EGENERAL when the parent died
 */
apr_status_t httpd_graceful(const httpd_args_t *args, const char *pid_file,
                            unsigned long long (*generation)(void *baton),
                            void *baton, apr_interval_time_t deadline,
                            acme_err_t *err, apr_pool_t *scratch_pool);

#endif
