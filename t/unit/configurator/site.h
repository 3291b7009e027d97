/*
 * A configuration in a directory that goes with the test, read by the real
 * httpd: what it tells before and after a plan is the truth.
 */
#ifndef ACME_UNIT_CONFIGURATOR_SITE_H
#define ACME_UNIT_CONFIGURATOR_SITE_H

#include <apr_file_io.h>

#include "configurator/internal.h"
#include "httpd/httpd.h"
#include "tree.h"

/** What the main file says before it includes sites/. */
#define SITE_HEAD \
    "ServerRoot \"@\"\nPidFile \"@/pid\"\nErrorLog \"@/error_log\"\n" \
    "ServerName main.test\nACMEStoreDir \"@/store\"\n"
#define SITE_LISTEN "Listen 80\n"
#define SITE_TAIL "IncludeOptional \"@/sites/*.conf\"\n"

static json_t *site_config;
static configurator_t *site;
static configurator_plan_t *site_plan;
static configurator_result_t site_result;

/** The directory of httpd's modules. */
static inline const char *site_modules(void)
{
    return base_path_dir(ACMECTL_MODULE, pool);
}

/** Lines that load the modules which are not linked in. */
static inline const char *site_load(void)
{
    static const char *const names[] = {
        "mpm_event", "authz_core", "alias", "rewrite", "headers",
        "socache_shmcb", "ssl", "macro", NULL
    };
    const char *text = "";
    char self[1024] = "";
    int i;

    ck_assert(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    for (i = 0; names[i]; i++) {
        text = apr_psprintf(pool, "%s<IfModule !%s_module>\nLoadModule "
                            "%s_module \"%s/mod_%s.so\"\n</IfModule>\n",
                            text, names[i], names[i], site_modules(),
                            names[i]);
    }
    return apr_psprintf(pool, "%sLoadModule acme_module "
                        "\"%s/../../.libs/mod_acme.so\"\n", text,
                        base_path_dir(self, pool));
}

/** Write the main file: body is what stands before the Include. */
static inline void site_main(const char *body)
{
    if (!tree) {
        tree_make();
    }
    tree_put("httpd.conf", apr_pstrcat(pool, site_load(), SITE_HEAD, body,
                                       SITE_TAIL, NULL));
}

/** A sanitized mod_acme needs the runtimes of this program, where it has
 *  some: an httpd that is run gets them. */
static inline void site_preload(void)
{
    static const char *const runtimes[] = { "/libasan.so", "/libubsan.so" };
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[1024];
    const char *list = "";
    unsigned seen = 0, i;

    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps)) {
        for (i = 0; i < 2; i++) {
            if (!(seen & 1u << i) && strstr(line, runtimes[i])) {
                line[strcspn(line, "\n")] = '\0';
                list = apr_pstrcat(pool, i ? list : strchr(line, '/'), " ",
                                   i ? strchr(line, '/') : list, NULL);
                seen |= 1u << i;
            }
        }
    }
    fclose(maps);
    if (seen) {
        setenv("LD_PRELOAD", list, 1);
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    }
}

/** The document of the configuration as it is now. */
static inline json_t *site_dump(void)
{
    httpd_args_t args = { 0 };
    const char *text;
    apr_size_t len;
    json_t *json;

    site_preload();
    args.binary = ACMECTL_HTTPD;
    args.root = tree;
    args.config = tree_path("httpd.conf");
    unit_ok(httpd_dump(&text, &len, &args, &err, pool));
    unit_ok(base_json_parse(&json, text, len, 1 << 24, "the dump", &err,
                            pool));
    return json;
}

/** Look at the configuration and begin a plan. */
static inline void site_read(void)
{
    static configurator_options_t options;

    site_config = site_dump();
    unit_ok(configurator_probe(&site, site_config, &options, &err, pool));
    unit_ok(configurator_plan(&site_plan, site, &err, pool));
}

/** A site of one file. */
static inline void site_one(const char *text)
{
    tree = NULL;
    site_main(SITE_LISTEN);
    tree_put("sites/a.conf", text);
    site_read();
}

/** The host whose header ends at that line of sites/NAME. */
static inline configurator_host_t site_host(const char *name, int line)
{
    const char *place = apr_psprintf(pool, "%s/sites/%s:%d", tree, name,
                                     line);
    int i;

    for (i = 0; i < site->hosts->nelts; i++) {
        if (strcmp(configurator_place(site, i, pool), place) == 0) {
            return i;
        }
    }
    ck_abort_msg("no host at %s", place);
    return CONFIGURATOR_NONE;
}

/** Words separated by blanks, of const char *. */
static inline apr_array_header_t *site_words(const char *text)
{
    apr_array_header_t *words = apr_array_make(pool, 2, sizeof(char *));
    char *copy = apr_pstrdup(pool, text), *state, *word;

    for (word = apr_strtok(copy, " ", &state); word;
         word = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    return words;
}

static inline configurator_deploy_t site_order(configurator_host_t host,
                                               const char *names)
{
    configurator_deploy_t deploy = { 0 };

    deploy.host = host;
    deploy.names = site_words(names);
    return deploy;
}

/** Plan TLS for the first host of sites/a.conf or another. */
static inline apr_status_t site_deploy(configurator_host_t host,
                                       const char *names, int *pchanged)
{
    configurator_deploy_t deploy = site_order(host, names);

    return configurator_deploy(site_plan, pchanged, &deploy, &err);
}

/** End the plan and write its changes. Listen for what the plan wants comes
 *  from the test. */
static inline void site_write(const char *listens)
{
    int i;

    unit_ok(configurator_finish(&site_result, site_plan, &err, pool));
    for (i = 0; i < site_result.changes->nelts; i++) {
        const journal_change_t *change = &APR_ARRAY_IDX(site_result.changes,
                                                        i, journal_change_t);
        unit_ok(base_file_write(change->path, change->data, change->len,
                                0600, &err, pool));
    }
    if (*listens) {
        tree_put("sites/0.conf", listens);
    }
}

static inline const char *site_text(const char *name)
{
    char *data;
    apr_size_t len;

    unit_ok(base_file_read(&data, &len, tree_path(name), 1 << 20, &err,
                           pool));
    return data;
}

/** Write the changes and let httpd say that they are what was planned. */
static inline void site_check(const char *listens)
{
    site_write(listens);
    unit_ok(configurator_expect(site_plan, site_dump(), &err, pool));
}

/** Secure the first host of sites/a.conf: a.test, and compare. */
static inline void site_becomes(const char *before, const char *after)
{
    int changed;

    site_one(before);
    unit_ok(site_deploy(0, "a.test", &changed));
    ck_assert_int_eq(changed, 1);
    site_check("Listen 443\n");
    ck_assert_str_eq(site_text("sites/a.conf"), after);
}

/** 1 if a sentence of the list has text in it. */
static inline int site_said(const apr_array_header_t *list, const char *text)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (strstr(APR_ARRAY_IDX(list, i, const char *), text)) {
            return 1;
        }
    }
    return 0;
}

/** The twin of a host with these lines has these. Four blanks stand before
 *  each line of both. */
static inline void twin_has(const char *before, const char *after)
{
    site_becomes(
        apr_pstrcat(pool, "<VirtualHost *:80>\n", before,
                    "</VirtualHost>\n", NULL),
        apr_pstrcat(pool, "<VirtualHost *:80>\n", before,
                    "</VirtualHost>\n\n<IfModule ssl_module>\n"
                    "<VirtualHost *:443>\n", after,
                    "    ACMEDomain a.test\n    SSLEngine on\n"
                    "</VirtualHost>\n</IfModule>\n", NULL));
}

/** A host with these lines is refused, and why. */
static inline void twin_refused(const char *lines, const char *why)
{
    int changed;

    base_err_clear(&err);
    site_one(apr_pstrcat(pool, "<VirtualHost *:80>\n    ServerName a.test\n",
                         lines, "</VirtualHost>\n", NULL));
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL, why);
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    ck_assert(strstr(configurator_paste(site_plan), "ServerName a.test"));
}

#endif
