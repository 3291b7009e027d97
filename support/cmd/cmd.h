/*
 * cmd: the verbs. One file a verb: parse arguments, call modules, build
 * one result object; no protocol and no files here.
 */
#ifndef ACME_CMD_H
#define ACME_CMD_H

#include <apr_getopt.h>
#include <apr_hash.h>

#include "acme_live.h"
#include "base/base.h"
#include "display/display.h"
#include "httpd/httpd.h"
#include "journal/journal.h"
#include "notify/notify.h"
#include "schema/schema.h"
#include "store/store.h"
#include "worker/worker.h"

/** Options of verbs; each verb's table names those that it takes. */
typedef struct cmd_options_t {
    int force;              /**< --force */
    int dry_run;            /**< --dry-run */
    const char *csr;        /**< --csr FILE */
    const char *cert;       /**< --cert FILE */
    const char *key;        /**< --key FILE */
    const char *reason;     /**< --reason NAME */
    apr_interval_time_t wait;  /**< --wait SECONDS, in µs */
    pid_t parent;           /**< --parent PID; 0: not given */
    const char *to;         /**< --to ID */
    int plan;               /**< --plan */
    int merge;              /**< --merge */
    int keep;               /**< --keep */
    apr_array_header_t *vhosts;  /**< --vhost NAME=FILE:LINE, of const char * */
    int redirect;           /**< --redirect */
    int no_redirect;        /**< --no-redirect */
    int agree_tos;          /**< --agree-tos */
    const char *ca;         /**< --ca URL|NAME */
    const char *ca_certificate;  /**< --ca-certificate FILE */
    const char *contact;    /**< --contact MAILTO|none */
    int static_files;       /**< --static-files */
    int allow_partial;      /**< --allow-partial */
} cmd_options_t;

/** Files that this run has put back and that httpd has not heard of. */
typedef struct cmd_undone_t {
    int files;              /**< how many */
    int loaded;             /**< 1: httpd has loaded what they were */
    apr_time_t since;       /**< else if it started since, µs UTC */
    int marked;             /**< 1: this run has marked that in the store */
    apr_time_t earlier;     /**< when an earlier run did; 0: none has */
    int restored;           /**< 1: that one had put all files back */
} cmd_undone_t;

/** Lists of a document that are one element a line. */
#define CMD_DOCUMENT_LISTS 2

/** A run of acmectl. */
typedef struct cmd_t {
    apr_pool_t *pool;
    const char *verb;               /**< NULL until it is known */
    apr_array_header_t *args;       /**< of const char *: behind the verb */
    cmd_options_t options;
    httpd_args_t httpd;             /**< --httpd, -d, -f, -D */
    apr_array_header_t *defines;    /**< of const char * */
    const char *store_dir;          /**< --store; else from config */
    const char *default_store;      /**< built in */
    display_options_t display_options;
    int exit_changed;               /**< --exit-changed */
    int resident;                   /**< 1: nobody reads the result */
    const char *module;             /**< mod_acme.so, for a configuration
                                         that does not load it … */
    int brings_module;              /**< … 1: this verb may bring it */
    int activates;                  /**< 1: the verb itself restarts httpd
                                         after orders */
    apr_array_header_t *held;       /**< of cmd_subject_t: what is served
                                         after that; nullable */
    const char *log_target;         /**< --log */
    base_log_level_t log_level;     /**< --log-level, -v */

    display_t *display;
    schema_set_t *schemas;
    base_clock_t *clock;
    json_t *config;                 /**< set by cmd_config */
    apr_hash_t *known[CMD_DOCUMENT_LISTS];  /**< lines of documents that
                                         were parsed (document.c) */
    const char *config_text;        /**< what httpd told of it … */
    apr_size_t config_len;          /**< … bytes */
    const json_t *running;          /**< what the httpd that runs has read,
                                         where that is not config; nullable */
    acme_err_t refused;             /**< why httpd did not tell its
                                         configuration, where that did not
                                         end the verb */
    store_t *store;                 /**< set by cmd_store */
    store_t *journal_store;         /**< whose journal was opened */
    cmd_undone_t undone;
    apr_pool_t *lock_pool;          /**< of the store's lock; NULL: not held */
    notify_t *notify;               /**< what tells ACMENotify's program */
    live_writer_t *live;            /**< set by report.c … */
    int live_failed;                /**< … or this: it tried */
    json_t *result;                 /**< what display_result will show */
    acme_err_t err;                 /**< why the verb as a whole failed */
    base_exit_t exit;               /**< where err is empty */
} cmd_t;

/** A verb: true to its name, it fills cmd->result. Failures of the verb as
 *  a whole go to cmd->err, those of single names into the result and
 *  cmd->exit. */
typedef void cmd_fn(cmd_t *cmd);

/** One row of the verb table; it drives dispatch and --help. */
typedef struct cmd_verb_t {
    const char *name;
    const char *args;               /**< "[NAME...]" */
    const char *summary;            /**< one line */
    const apr_getopt_option_t *options;  /**< its own; ends with { NULL } */
    cmd_fn *fn;
} cmd_verb_t;

/** All verbs, ended by a NULL name. */
extern const cmd_verb_t cmd_verbs[];

/** Parse argv, run the verb, show its result. @return exit status
 *  Source: ours (README, "acmectl"). */
int cmd_main(int argc, const char *const *argv, apr_pool_t *pool);

#endif
