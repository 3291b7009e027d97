/*
 * mod_acme: the module record, its hooks and the order of start-up.
 *
 *   pre_config     a new, empty state
 *   (directives)   directives.c
 *   check_config   domains.c: errors end httpd -t and a start alike
 *   test_config    dump.c, with -D DUMP_ACME; start_check.c, with -D
 *                  ACME_START_CHECK
 *   post_config    live segment, certificate files, the manager; then
 *                  mod_ssl's; then what it has loaded, for status pages
 *
 * Certificate trouble never keeps httpd from starting: what post_config
 * cannot do is logged where it fails and the server starts without it.
 */
#include "mod_acme.h"

#include <http_core.h>

#include "counters.h"

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    acme_state_create(pconf);
    if (acme_start_check()) {
        acme_start_check_prepare(pconf);
    }
    return OK;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s)
{
    return acme_domains_resolve(pconf, ptemp, s);
}

static void test_config(apr_pool_t *pconf, server_rec *s)
{
    if (ap_exists_config_define("DUMP_ACME")) {
        acme_dump(pconf, s);
    }
}

/* The last of all: where it fails, it ends the process. */
static void test_config_last(apr_pool_t *pconf, server_rec *s)
{
    if (acme_start_check()) {
        acme_start_check_run(pconf, s);
    }
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog,
                       apr_pool_t *ptemp, server_rec *s)
{
    /* The first of two passes, in a process that is about to fork. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        acme_manager_prepare(s);
        return OK;
    }
    acme_counters_start(s);
    (void)acme_http01_start(s, pconf);
    acme_tlsalpn01_start(s, pconf);
    (void)acme_cert_files_start(s, pconf);
    acme_require_https_start(pconf);
    acme_manager_start(s, pconf);
    return OK;
}

static int post_config_last(apr_pool_t *pconf, apr_pool_t *plog,
                            apr_pool_t *ptemp, server_rec *s)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        acme_view_start(s, ptemp);
    }
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const before_ssl[] = { "mod_ssl.c", NULL };

    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_test_config(test_config_last, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_post_config(post_config, NULL, before_ssl, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config_last, before_ssl, NULL, APR_HOOK_LAST);
    acme_http01_register(p);
    acme_tlsalpn01_register(p);
    acme_cert_files_register(p);
    acme_cert_swap_register(p);
    acme_staple_register(p);
    acme_manager_register(p);
    acme_status_register(p);
    acme_status_json_register(p);
    acme_metrics_register(p);
}

AP_DECLARE_MODULE(acme) = {
    STANDARD20_MODULE_STUFF,
    NULL,                       /* create per-directory record */
    NULL,                       /* merge per-directory records */
    acme_server_conf_create,
    acme_server_conf_merge,
    acme_directives,
    register_hooks,
    /* A host without any of our directives needs its own record too. */
    AP_MODULE_FLAG_ALWAYS_MERGE
};
