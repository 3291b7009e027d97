/*
 * httpd -t -D ACME_START_CHECK: would httpd start with this configuration?
 *
 * "Syntax OK" says little of it: certificates, keys and ciphers are loaded
 * by post_config, and where that fails in a restart the server is gone. So
 * the test runs post_config as the first of the two passes of a start does,
 * in which modules prepare and keep nothing:
 *
 *   pre_config    object caches become idle: not all modules leave them
 *                 alone in the first pass, and mod_ssl removes its cache
 *                 behind it, which may be the running server's file
 *   (directives, check_config, the document of DUMP_ACME)
 *   test_config   protocols as the listeners give them, then post_config
 *
 * No port is bound and no log opened: complaints go to standard error. What
 * modules make for the time of it (mutexes) goes with httpd's pools, also
 * where it fails.
 */
#include "mod_acme.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <ap_provider.h>
#include <ap_socache.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_strings.h>

APLOG_USE_MODULE(acme);

int acme_start_check(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST
           && ap_exists_config_define("ACME_START_CHECK");
}

/* ------------------------------------------------------------ idle caches */

static apr_status_t idle_init(ap_socache_instance_t *instance,
                              const char *cname,
                              const struct ap_socache_hints *hints,
                              server_rec *s, apr_pool_t *p)
{
    return APR_SUCCESS;
}

static void idle_destroy(ap_socache_instance_t *instance, server_rec *s)
{
}

/* Let the provider of this name still read its arguments, and no more. It
 * needs no lock then. */
static void cache_idle(const char *name, apr_pool_t *pconf)
{
    const ap_socache_provider_t *provider =
        ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, name,
                           AP_SOCACHE_PROVIDER_VERSION);
    ap_socache_provider_t *idle = apr_pmemdup(pconf, provider,
                                              sizeof(*idle));

    idle->flags &= ~(unsigned int)AP_SOCACHE_FLAG_NOTMPSAFE;
    idle->init = idle_init;
    idle->destroy = idle_destroy;
    ap_register_provider(pconf, AP_SOCACHE_PROVIDER_GROUP, name,
                         AP_SOCACHE_PROVIDER_VERSION, idle);
}

void acme_start_check_prepare(apr_pool_t *pconf)
{
    const apr_array_header_t *names;
    int i;

    /* Nobody is to be told that the server is ready (mod_systemd). */
    unsetenv("NOTIFY_SOCKET");
    names = ap_list_provider_names(pconf, AP_SOCACHE_PROVIDER_GROUP,
                                   AP_SOCACHE_PROVIDER_VERSION);
    for (i = 0; i < names->nelts; i++) {
        cache_idle(APR_ARRAY_IDX(names, i,
                                 ap_list_provider_names_t).provider_name,
                   pconf);
    }
}

/* -------------------------------------------------------------- the check */

/* What the MPM does when it opens the listeners. */
static void protocols_set(server_rec *main_server)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        const char *protocol = acme_server_protocol(s);

        if (protocol) {
            ap_set_server_protocol(s, protocol);
        }
    }
}

/* httpd has no way to fail behind test_config, so end here as it does: its
 * pools first, and with them most modules; this one is kept for the rest. */
static void end_failed(server_rec *s)
{
    Dl_info info;

    if (dladdr(&acme_module, &info) && info.dli_fname) {
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
    apr_pool_destroy(s->process->pool);
    exit(EXIT_FAILURE);
}

void acme_start_check_run(apr_pool_t *pconf, server_rec *s)
{
    apr_pool_t *plog, *ptemp;

    apr_pool_create(&plog, s->process->pool);
    apr_pool_create(&ptemp, pconf);
    protocols_set(s);
    if (ap_run_post_config(pconf, plog, ptemp, s) != OK) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "ACME0022: the syntax of the configuration is right, "
                     "but httpd would not start with it: correct what is "
                     "said above");
        end_failed(s);
    }
}
