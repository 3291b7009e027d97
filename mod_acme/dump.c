/*
 * httpd -t -D DUMP_ACME: the configuration as httpd read it, one JSON
 * document on standard output, of schemas/state/config-dump.json. It is all
 * that acmectl knows of httpd's configuration.
 *
 * test_config runs before post_config: nothing is opened, started or
 * written, and an ordinary user may ask.
 */
#include "dump.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ap_listen.h>
#include <ap_release.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>
#include <unixd.h>

#include <apr_getopt.h>
#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

APLOG_USE_MODULE(acme);

#define DUMP_SCHEMA "acme-config-dump/1"

/* By acme_require_t. */
static const char *const require_words[] = { "off", "temporary",
                                             "permanent" };

/* What a run passes around. */
typedef struct dump_t {
    acme_out_t *out;
    acme_dump_tree_t tree;
    const apr_array_header_t *hosts;  /* of server_rec *, as defined */
    apr_hash_t *places;          /* server_rec * -> int *: in hosts */
    apr_pool_t *p;
} dump_t;

/* ---------------------------------------------------------------- helpers */

static void odd_log(const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf,
                 "ACME0020: DUMP_ACME: \"%s\" is not UTF-8: acmectl cannot "
                 "work with it: rename it", text);
}

static void texts_add(acme_out_t *out, const apr_array_header_t *array)
{
    int i;

    for (i = 0; array && i < array->nelts; i++) {
        acme_out_text(out, NULL, APR_ARRAY_IDX(array, i, const char *));
    }
}

/* An array of strings. @param array  nullable: none */
static void texts_put(acme_out_t *out, const char *key,
                      const apr_array_header_t *array)
{
    acme_out_begin(out, key, '[');
    texts_add(out, array);
    acme_out_end(out, ']');
}

/* ServerName, else what httpd compares with, and ServerAlias. */
static void names_put(acme_out_t *out, const server_rec *s, int named)
{
    acme_out_text(out, "server_name", named ? s->server_hostname : NULL);
    if (!named) {
        acme_out_text(out, "hostname", s->server_hostname);
    }
    acme_out_begin(out, "aliases", '[');
    texts_add(out, s->names);
    texts_add(out, s->wild_names);
    acme_out_end(out, ']');
}

static const char *document_root(const server_rec *s)
{
    const core_server_config *core = ap_get_core_module_config(
                                         s->module_config);

    return core->ap_document_root;
}

/* ----------------------------------------------------------------- server */

/* The program that runs: what acmectl calls to test and restart. */
const char *acme_httpd_path(apr_pool_t *p)
{
    char buf[APR_PATH_MAX];
    char *path;
    ssize_t len = readlink("/proc/self/exe", buf, sizeof(buf));

    if (len > 0 && len < (ssize_t)sizeof(buf)) {
        path = apr_pstrmemdup(p, buf, len);
        /* The kernel's mark when the file was replaced, as by an upgrade. */
        if (len > 10 && strcmp(path + len - 10, " (deleted)") == 0) {
            path[len - 10] = '\0';
        }
        return path;
    }
    if (strchr(ap_server_argv0, '/')
        && apr_filepath_merge(&path, NULL, ap_server_argv0, 0, p)
           == APR_SUCCESS) {
        return path;
    }
    return apr_pstrcat(p, "/usr/sbin/", ap_server_argv0, NULL);
}

static const char *version_text(apr_pool_t *p)
{
    ap_version_t version;

    ap_get_server_revision(&version);
    return apr_psprintf(p, "%d.%d.%d%s", version.major, version.minor,
                        version.patch,
                        version.add_string ? version.add_string : "");
}

/* The main file: httpd keeps it to itself, so read its command line as it
 * does. ServerRoot in the file comes too late to matter for -f. */
const char *acme_config_path(server_rec *s, apr_pool_t *p)
{
    const process_rec *process = s->process;
    const char *root = HTTPD_ROOT, *file = SERVER_CONFIG_FILE, *value;
    apr_getopt_t *opt;
    char *path;
    char letter;

    if (apr_getopt_init(&opt, p, process->argc, process->argv)
        != APR_SUCCESS) {
        return NULL;
    }
    opt->errfn = NULL;
    while (apr_getopt(opt, AP_SERVER_BASEARGS, &letter, &value)
           == APR_SUCCESS) {
        if (letter == 'd') {
            root = value;
        }
        else if (letter == 'f') {
            file = value;
        }
    }
    if (apr_filepath_merge(&path, NULL, root, APR_FILEPATH_TRUENAME, p)
        != APR_SUCCESS
        || apr_filepath_merge(&path, path, file, APR_FILEPATH_TRUENAME, p)
           != APR_SUCCESS) {
        return file;
    }
    return path;
}

/* The text of an address without its port. */
static const char *address_text(apr_sockaddr_t *address)
{
    char *text;

    return apr_sockaddr_ip_get(&text, address) == APR_SUCCESS ? text : "";
}

static void port_put(acme_out_t *out, const char *key, int port)
{
    if (port) {
        acme_out_number(out, key, port);
    }
    else {
        acme_out_null(out, key);
    }
}

static void port_map_put(acme_out_t *out)
{
    acme_out_begin(out, "port_map", '{');
    port_put(out, "http", acme_port_http());
    port_put(out, "https", acme_port_https());
    acme_out_end(out, '}');
}

static void listeners_put(acme_out_t *out)
{
    const ap_listen_rec *lr;

    acme_out_begin(out, "listeners", '[');
    for (lr = ap_listeners; lr; lr = lr->next) {
        acme_out_begin(out, NULL, '{');
        acme_out_text(out, "address", address_text(lr->bind_addr));
        acme_out_number(out, "port", lr->bind_addr->port);
        acme_out_text(out, "protocol", lr->protocol);
        acme_out_end(out, '}');
    }
    acme_out_end(out, ']');
}

/* A user's or group's name, or #number. */
static void identity_put(acme_out_t *out, const char *key, const char *name,
                         long number, apr_pool_t *p)
{
    acme_out_text(out, key, name ? name : apr_psprintf(p, "#%ld", number));
}

/* Where httpd's own modules lie: the directory that most of those which were
 * loaded came from. Only the linker knows. */
static const char *modules_dir(apr_pool_t *p)
{
    apr_hash_t *counts = apr_hash_make(p);
    const char *best = NULL, *dir;
    int most = 0, *count;
    const module *m;
    Dl_info info;

    for (m = ap_top_module; m; m = m->next) {
        if (!m->dynamic_load_handle || m == &acme_module
            || !dladdr(m, &info) || !info.dli_fname
            || *info.dli_fname != '/') {
            continue;
        }
        dir = ap_make_dirstr_parent(p, info.dli_fname);
        count = apr_hash_get(counts, dir, APR_HASH_KEY_STRING);
        if (!count) {
            count = apr_pcalloc(p, sizeof(*count));
            apr_hash_set(counts, dir, APR_HASH_KEY_STRING, count);
        }
        if (++*count > most) {
            most = *count;
            best = dir;
        }
    }
    return best ? apr_pstrmemdup(p, best, strlen(best) - 1) : NULL;
}

/* The main server as a host. */
static void main_put(const dump_t *dump, const server_rec *s)
{
    acme_out_begin(dump->out, "main", '{');
    names_put(dump->out, s, dump->tree.named);
    acme_out_text(dump->out, "document_root", document_root(s));
    acme_dump_directives(dump->out, NULL, dump->p);
    acme_out_end(dump->out, '}');
}

static const char *admin_of(const server_rec *s)
{
    return s->server_admin && strcmp(s->server_admin, DEFAULT_ADMIN) == 0
           ? NULL : s->server_admin;
}

static void server_put(const dump_t *dump, server_rec *s)
{
    const char *pid_file = ap_pid_fname ? ap_pid_fname : DEFAULT_PIDLOG;
    acme_out_t *out = dump->out;
    apr_pool_t *p = dump->p;

    acme_out_begin(out, "server", '{');
    acme_out_text(out, "binary", acme_httpd_path(p));
    acme_out_text(out, "version", version_text(p));
    acme_out_text(out, "root", ap_server_root);
    acme_out_text(out, "config", acme_config_path(s, p));
    acme_out_text(out, "modules_dir", modules_dir(p));
    acme_out_text(out, "pid_file", ap_server_root_relative(p, pid_file));
    identity_put(out, "user", ap_unixd_config.user_name,
                 (long)ap_unixd_config.user_id, p);
    identity_put(out, "group", ap_unixd_config.group_name,
                 (long)ap_unixd_config.group_id, p);
    acme_out_text(out, "store", acme_store_dir());
    acme_out_text(out, "live", acme_live_path());
    acme_out_text(out, "admin", admin_of(s));
    acme_out_flag(out, "manager", acme_manager_enabled());
    texts_put(out, "notify", acme_notify_program());
    port_map_put(out);
    listeners_put(out);
    acme_dump_listen(out);
    acme_out_flag(out, "stapling_cache", dump->tree.stapling_cache);
    main_put(dump, s);
    acme_out_end(out, '}');
}

static void modules_put(acme_out_t *out)
{
    static const struct {
        const char *name;
        const char *file;
    } modules[] = {
        { "ssl", "mod_ssl.c" },
        { "rewrite", "mod_rewrite.c" },
        { "headers", "mod_headers.c" },
        { "alias", "mod_alias.c" },
        { "http2", "mod_http2.c" },
        { "macro", "mod_macro.c" },
        { "socache_shmcb", "mod_socache_shmcb.c" },
        { "so", "mod_so.c" }
    };
    apr_size_t i;

    acme_out_begin(out, "modules", '{');
    for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        acme_out_flag(out, modules[i].name,
                      ap_find_linked_module(modules[i].file) != NULL);
    }
    acme_out_end(out, '}');
}

/* ----------------------------------------------------------- virtual hosts */

static void addresses_put(acme_out_t *out, const server_rec *s)
{
    const server_addr_rec *addr;

    acme_out_begin(out, "addresses", '[');
    for (addr = s->addrs; addr; addr = addr->next) {
        acme_out_begin(out, NULL, '{');
        acme_out_text(out, "text", addr->virthost);
        acme_out_text(out, "address", address_text(addr->host_addr));
        acme_out_number(out, "port", addr->host_port);
        acme_out_end(out, '}');
    }
    acme_out_end(out, ']');
}

/* A flag that is there only where it is true. */
static void mark_put(acme_out_t *out, const char *key, int flag)
{
    if (flag) {
        acme_out_flag(out, key, 1);
    }
}

static void definition_put(acme_out_t *out, const server_rec *s,
                           apr_pool_t *p)
{
    const char *defn = s->defn_name ? s->defn_name : "";

    acme_dump_place(out, defn, (int)s->defn_line_number);
    mark_put(out, "macro", strncmp(defn, "macro '", 7) == 0);
    if (*defn != '/') {
        acme_out_text(out, "defined", apr_psprintf(p, "%s:%u", defn,
                                                   s->defn_line_number));
    }
}

static void host_put(const dump_t *dump, server_rec *s,
                     const ap_directive_t *node)
{
    acme_require_t require = acme_server_conf(s)->require_https;
    acme_out_t *out = dump->out;

    acme_out_begin(out, NULL, '{');
    names_put(out, s, acme_server_named(s));
    addresses_put(out, s);
    definition_put(out, s, dump->p);
    mark_put(out, "ssl", acme_server_ssl(s));
    mark_put(out, "certificate_file", acme_server_has_certificate(s));
    mark_put(out, "stapling", acme_server_stapling(s));
    if (require != ACME_REQUIRE_UNSET) {
        acme_out_text(out, "require_https", require_words[require]);
    }
    acme_out_text(out, "document_root", document_root(s));
    acme_dump_directives(out, node, dump->p);
    acme_out_end(out, '}');
}

/* ----------------------------------------------------------------- domains */

static void window_put(acme_out_t *out, acme_window_t window)
{
    const char *unit = NULL;

    switch (window.unit) {
    case ACME_WINDOW_PERCENT:
        unit = "percent";
        break;
    case ACME_WINDOW_DAYS:
        unit = "days";
        break;
    case ACME_WINDOW_UNSET:
    case ACME_WINDOW_DEFAULT:
        acme_out_null(out, "renew_window");
        return;
    }
    acme_out_begin(out, "renew_window", '{');
    acme_out_number(out, unit, window.n);
    acme_out_end(out, '}');
}

static void settings_put(acme_out_t *out, const acme_domain_t *domain,
                         apr_pool_t *p)
{
    static const char *const modes[] = { "auto", "always", "manual" };

    acme_out_begin(out, "settings", '{');
    texts_put(out, "ca", acme_domain_ca(domain));
    acme_out_text(out, "ca_certificate_file",
                  acme_domain_ca_certificate_file(domain));
    acme_out_flag(out, "agreement", acme_domain_agreement(domain));
    texts_put(out, "contact", acme_domain_contact(domain, p));
    texts_put(out, "challenges", acme_domain_challenges(domain));
    texts_put(out, "private_keys", acme_domain_keys(domain));
    acme_out_text(out, "renew_mode", modes[acme_domain_renew_mode(domain)]);
    window_put(out, acme_domain_renew_window(domain));
    acme_out_text(out, "require_https",
                  require_words[acme_domain_require_https(domain)]);
    acme_out_flag(out, "must_staple", acme_domain_must_staple(domain));
    acme_out_end(out, '}');
}

/* The places of a domain's virtual hosts in the document; the main server
 * has none. */
static void places_put(const dump_t *dump, const acme_domain_t *domain)
{
    int i;

    acme_out_begin(dump->out, "virtual_hosts", '[');
    for (i = 0; i < domain->servers->nelts; i++) {
        const int *place = apr_hash_get(dump->places,
            &APR_ARRAY_IDX(domain->servers, i, server_rec *),
            sizeof(server_rec *));

        if (place) {
            acme_out_number(dump->out, NULL, *place);
        }
    }
    acme_out_end(dump->out, ']');
}

static void domain_put(const dump_t *dump, const acme_domain_t *domain)
{
    acme_out_t *out = dump->out;

    acme_out_begin(out, NULL, '{');
    acme_out_text(out, "name", domain->name);
    texts_put(out, "names", domain->names);
    acme_out_text(out, "file", domain->file);
    acme_out_number(out, "line", domain->line);
    settings_put(out, domain, dump->p);
    places_put(dump, domain);
    acme_out_end(out, '}');
}

/* ---------------------------------------------------------------- document */

static void hosts_put(dump_t *dump)
{
    int i;

    acme_out_begin(dump->out, "virtual_hosts", '[');
    for (i = 0; i < dump->hosts->nelts; i++) {
        apr_hash_set(dump->places,
                     &APR_ARRAY_IDX(dump->hosts, i, server_rec *),
                     sizeof(server_rec *),
                     apr_pmemdup(dump->p, &i, sizeof(i)));
        host_put(dump, APR_ARRAY_IDX(dump->hosts, i, server_rec *),
                 dump->tree.nodes[i]);
    }
    acme_out_end(dump->out, ']');
}

static void domains_put(const dump_t *dump)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    int i;

    acme_out_begin(dump->out, "domains", '[');
    for (i = 0; i < domains->nelts; i++) {
        domain_put(dump, APR_ARRAY_IDX(domains, i, const acme_domain_t *));
    }
    acme_out_end(dump->out, ']');
}

static void document_put(dump_t *dump, server_rec *s)
{
    acme_out_begin(dump->out, NULL, '{');
    acme_out_text(dump->out, "schema", DUMP_SCHEMA);
    server_put(dump, s);
    modules_put(dump->out);
    hosts_put(dump);
    domains_put(dump);
    acme_out_end(dump->out, '}');
}

void acme_dump(apr_pool_t *pconf, server_rec *s)
{
    acme_out_t *out = apr_pcalloc(pconf, sizeof(*out));
    dump_t dump;
    int failed;

    out->file = stdout;
    out->odd = odd_log;
    dump.out = out;
    dump.p = pconf;
    dump.hosts = acme_server_hosts(s, pconf);
    dump.places = apr_hash_make(pconf);
    acme_dump_tree_read(&dump.tree, dump.hosts, pconf);
    document_put(&dump, s);
    failed = acme_out_finish(out);
    if (failed) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, APR_FROM_OS_ERROR(failed), s,
                     "ACME0021: DUMP_ACME cannot be written to standard "
                     "output: free memory or space and ask again");
        /* Half a document must not look like success, and this hook has
         * no other way to fail. */
        exit(EXIT_FAILURE);
    }
}
