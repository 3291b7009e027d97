/*
 * The manager: "acmectl serve", kept running by httpd's parent.
 *
 *               post_config: wanted (ACMEManager on, a domain)
 *     NONE ─────────────────────────────────────────────> RUNNING
 *      ^ ^      or monitor: its pause is over              |   |
 *      | └─────────────────── it ended by itself ──────────┘   |
 *      └──────── post_config: not wanted; or httpd stops ──────┘
 *
 * It is a child of its own, started by exec, and outlives restarts: what is
 * known of it is retained data, in the process's pool, and the functions
 * that watch it are registered anew in each post_config, since a restart
 * unloads this module. A restart tells it by SIGHUP to read the
 * configuration again. When httpd stops, the pool it was noted in ends it
 * (SIGTERM, SIGKILL after 3 s); when the parent is killed the kernel does
 * (acmectl asks for that, see --parent).
 *
 * After a crash it pauses 1, 2, 4, ... 60 s, looked at by the monitor hook,
 * which httpd calls every 10 s when it is idle. One that ran for a minute
 * is started again at once.
 */
#include "mod_acme.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>

#include <apr_env.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

APLOG_USE_MODULE(acme);

#ifndef ACME_ACMECTL
#error "ACME_ACMECTL is not defined: build with the Makefile"
#endif

#define RETAINED    "acme_manager"
#define PAUSE_MAX   60   /* seconds */
#define STEADY      60   /* seconds after which a crash is the first one */

/* Everything here lives in the process's pool and points nowhere else. */
typedef struct manager_t {
    const char *config;    /* httpd's main file, absolute; set in the first
                              pass, while relative paths still have a sense */
    const char *line;      /* the arguments it runs with, joined */
    apr_pool_t *pool;      /* its own; destroying it ends it */
    apr_proc_t proc;       /* pid 0: none runs */
    apr_int64_t since;     /* second of its start, monotonic */
    apr_int64_t retry;     /* second of the next one, monotonic; 0: none */
    int pause;             /* before the next one, seconds */
} manager_t;

/* How it is to be started in this configuration; NULL: not at all. */
static const char *const *arguments;

static manager_t *manager_get(void)
{
    manager_t *manager = ap_retained_data_get(RETAINED);

    return manager ? manager : ap_retained_data_create(RETAINED,
                                                       sizeof(*manager));
}

static apr_int64_t seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_int64_t)now.tv_sec;
}

/* ------------------------------------------------------------- arguments */

/* The level up to which acmectl writes: that of this module. */
static const char *level_name(const server_rec *s)
{
    static const char *const names[] = {
        "emerg", "alert", "crit", "error", "warn", "notice", "info",
        "debug", "trace1"
    };
    int level = ap_get_server_module_loglevel(s, APLOG_MODULE_INDEX);
    int last = (int)(sizeof(names) / sizeof(names[0])) - 1;

    return names[level < 0 ? 0 : level > last ? last : level];
}

/* acmectl, called as httpd itself was. */
static const char *const *arguments_make(server_rec *s,
                                         const manager_t *manager,
                                         apr_pool_t *p)
{
    apr_array_header_t *args = apr_array_make(p, 24, sizeof(const char *));
    char *program = NULL;
    int i;

    apr_env_get(&program, "ACMECTL", p);
    APR_ARRAY_PUSH(args, const char *) = program && *program ? program
                                                             : ACME_ACMECTL;
    APR_ARRAY_PUSH(args, const char *) = "--httpd";
    APR_ARRAY_PUSH(args, const char *) = acme_httpd_path(p);
    APR_ARRAY_PUSH(args, const char *) = "-d";
    APR_ARRAY_PUSH(args, const char *) = ap_server_root;
    APR_ARRAY_PUSH(args, const char *) = "-f";
    APR_ARRAY_PUSH(args, const char *) = manager->config;
    for (i = 0; i < ap_server_config_defines->nelts; i++) {
        const char *name = APR_ARRAY_IDX(ap_server_config_defines, i,
                                         const char *);

        if (strncmp(name, "DUMP_", 5) != 0) {
            APR_ARRAY_PUSH(args, const char *) = "-D";
            APR_ARRAY_PUSH(args, const char *) = name;
        }
    }
    APR_ARRAY_PUSH(args, const char *) = "--log";
    APR_ARRAY_PUSH(args, const char *) = "stderr";
    APR_ARRAY_PUSH(args, const char *) = "--log-level";
    APR_ARRAY_PUSH(args, const char *) = level_name(s);
    APR_ARRAY_PUSH(args, const char *) = "serve";
    APR_ARRAY_PUSH(args, const char *) = "--parent";
    APR_ARRAY_PUSH(args, const char *) = apr_psprintf(p, "%" APR_PID_T_FMT,
                                                      getpid());
    APR_ARRAY_PUSH(args, const char *) = NULL;
    return (const char *const *)args->elts;
}

static const char *join(const char *const *words, apr_pool_t *p)
{
    const char *line = "";

    for (; *words; words++) {
        line = apr_pstrcat(p, line, *words, "\n", NULL);
    }
    return line;
}

/* ------------------------------------------------------------ start, stop */

static void maintain(int reason, void *data, int status);

static void forget(manager_t *manager)
{
    if (manager->pool) {
        apr_pool_destroy(manager->pool);
    }
    manager->pool = NULL;
    manager->line = NULL;
    memset(&manager->proc, 0, sizeof(manager->proc));
}

/* Run it: no shell, standard input and output /dev/null, the error log as
 * standard error. */
static apr_status_t spawn(manager_t *manager)
{
    apr_pool_t *pool = manager->pool;
    apr_procattr_t *attr;
    apr_file_t *null;
    apr_status_t rv;

    rv = apr_file_open(&null, "/dev/null", APR_FOPEN_READ | APR_FOPEN_WRITE,
                       APR_OS_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_create(&attr, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_child_in_set(attr, null, NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_child_out_set(attr, null, NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_cmdtype_set(attr, APR_PROGRAM_ENV);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_error_check_set(attr, 1);
    }
    return rv == APR_SUCCESS ? apr_proc_create(&manager->proc, arguments[0],
                                               arguments, NULL, attr, pool)
                             : rv;
}

/* Start it, watched until pconf goes. */
static void start(manager_t *manager, server_rec *s, apr_pool_t *pconf)
{
    apr_status_t rv;

    manager->retry = 0;
    apr_pool_create(&manager->pool, s->process->pool);
    rv = spawn(manager);
    if (rv != APR_SUCCESS) {
        forget(manager);
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "ACME0600: the manager %s cannot be started, so no "
                     "certificate is renewed by itself: install acmectl "
                     "there, or set ACMEManager off and run \"acmectl "
                     "renew\" from a timer", arguments[0]);
        return;
    }
    manager->since = seconds_now();
    manager->line = join(arguments, manager->pool);
    apr_pool_note_subprocess(manager->pool, &manager->proc,
                             APR_KILL_AFTER_TIMEOUT);
    apr_proc_other_child_register(&manager->proc, maintain, manager, NULL,
                                  pconf);
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                 "ACME0601: started the manager %s, process %"
                 APR_PID_T_FMT, arguments[0], manager->proc.pid);
}

static void stop(manager_t *manager, server_rec *s)
{
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "ACME0602: ending the "
                 "manager, process %" APR_PID_T_FMT, manager->proc.pid);
    forget(manager);
    manager->pause = 0;
}

/* ---------------------------------------------------------------- watching */

/* It ended and was waited for: plan the next one. */
static void plan_next(manager_t *manager, int status)
{
    apr_int64_t now = seconds_now();
    pid_t pid = manager->proc.pid;

    if (now - manager->since >= STEADY) {
        manager->pause = 0;
    }
    else {
        manager->pause = manager->pause ? 2 * manager->pause : 1;
        manager->pause = manager->pause > PAUSE_MAX ? PAUSE_MAX
                                                    : manager->pause;
    }
    manager->retry = now + manager->pause;
    forget(manager);
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf,
                 "ACME0603: the manager, process %" APR_PID_T_FMT ", ended "
                 "(status or signal %d); it is started again after %d s",
                 pid, status, manager->pause);
    if (manager->pause == 0) {
        start(manager, ap_server_conf, ap_server_conf->process->pconf);
    }
}

static int is_stopping(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS
        && state == AP_MPMQ_STOPPING;
}

/* Called by the parent's loop. A registration that goes (UNREGISTER) and a
 * restart (RESTART) leave the process alone. */
static void maintain(int reason, void *data, int status)
{
    manager_t *manager = data;

    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST) {
        return;
    }
    apr_proc_other_child_unregister(data);
    if (is_stopping()) {
        /* Nobody needs it; or post_config follows and starts the next. */
        forget(manager);
    }
    else {
        plan_next(manager, status);
    }
}

static int monitor(apr_pool_t *p, server_rec *s)
{
    manager_t *manager = manager_get();

    if (arguments && manager->proc.pid == 0 && manager->retry
        && manager->retry <= seconds_now() && !is_stopping()) {
        start(manager, s, s->process->pconf);
    }
    return DECLINED;
}

/* -------------------------------------------------------------- start-up */

void acme_manager_prepare(server_rec *s)
{
    manager_t *manager = manager_get();

    if (!manager->config) {
        manager->config = acme_config_path(s, s->process->pool);
    }
}

/* How it is wanted in this configuration; NULL: it is not. */
static const char *const *wanted(server_rec *s, manager_t *manager,
                                 apr_pool_t *pconf)
{
    if (!acme_manager_enabled() || acme_state_get()->domains->nelts == 0) {
        return NULL;
    }
    if (ap_exists_config_define("DEBUG")
        || ap_exists_config_define("ONE_PROCESS")) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "ACME0604: no manager "
                     "with one process (-X): nobody would watch it");
        return NULL;
    }
    acme_manager_prepare(s);
    return arguments_make(s, manager, pconf);
}

/* Let the one that runs go on under this configuration. */
static void adopt(manager_t *manager, server_rec *s, apr_pool_t *pconf)
{
    apr_proc_other_child_register(&manager->proc, maintain, manager, NULL,
                                  pconf);
    kill(manager->proc.pid, SIGHUP);
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "ACME0605: the manager, "
                 "process %" APR_PID_T_FMT ", reads the configuration "
                 "again", manager->proc.pid);
}

void acme_manager_start(server_rec *s, apr_pool_t *pconf)
{
    manager_t *manager = manager_get();

    arguments = wanted(s, manager, pconf);
    if (manager->proc.pid
        && (!arguments
            || strcmp(join(arguments, pconf), manager->line) != 0)) {
        stop(manager, s);
    }
    if (!arguments) {
        manager->retry = 0;
    }
    else if (manager->proc.pid) {
        adopt(manager, s, pconf);
    }
    else {
        start(manager, s, pconf);
    }
}

void acme_manager_register(apr_pool_t *p)
{
    ap_hook_monitor(monitor, NULL, NULL, APR_HOOK_MIDDLE);
}
