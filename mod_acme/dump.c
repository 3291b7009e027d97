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

/* ---------------------------------------------------------------- helpers */

/* Bytes of the UTF-8 sequence at c; 0 if it is not one. */
static int utf8_len(const unsigned char *c)
{
    int len, i;
    unsigned int code;

    if (c[0] < 0x80) {
        return 1;
    }
    len = c[0] >= 0xf0 && c[0] < 0xf5 ? 4
          : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
          : c[0] >= 0xc2 && c[0] < 0xe0 ? 2 : 0;
    code = c[0] & (0xff >> (len + 1));
    for (i = 1; i < len; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (c[i] & 0x3f);
    }
    if ((len == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000)))
        || (len == 4 && (code < 0x10000 || code > 0x10ffff))) {
        return 0;
    }
    return len;
}

/* text with a replacement character for each byte that is not UTF-8. */
static const char *utf8_text(const char *text, apr_pool_t *p)
{
    char *clean = apr_palloc(p, 3 * strlen(text) + 1);
    char *out = clean;

    while (*text) {
        int len = utf8_len((const unsigned char *)text);

        if (len) {
            memcpy(out, text, len);
            out += len;
            text += len;
        }
        else {
            memcpy(out, "\xef\xbf\xbd", 3);
            out += 3;
            text++;
        }
    }
    *out = '\0';
    return clean;
}

json_t *acme_dump_string(const char *text, apr_pool_t *p)
{
    json_t *json = text ? json_string(text) : json_null();

    if (!json) {
        json = json_string(utf8_text(text, p));
        ap_log_perror(APLOG_MARK, APLOG_WARNING, 0, p,
                      "ACME0020: DUMP_ACME: \"%s\" is not UTF-8: acmectl "
                      "cannot work with it: rename it", text);
    }
    return json;
}

static json_t *strings_new(const apr_array_header_t *array, json_t *list,
                           apr_pool_t *p)
{
    int i;

    for (i = 0; array && i < array->nelts; i++) {
        json_array_append_new(list,
            acme_dump_string(APR_ARRAY_IDX(array, i, const char *), p));
    }
    return list;
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

static json_t *port_new(int port)
{
    return port ? json_integer(port) : json_null();
}

/* The text of an address without its port. */
static const char *address_text(apr_sockaddr_t *address)
{
    char *text;

    return apr_sockaddr_ip_get(&text, address) == APR_SUCCESS ? text : "";
}

static json_t *listeners_new(apr_pool_t *p)
{
    json_t *list = json_array();
    const ap_listen_rec *lr;

    for (lr = ap_listeners; lr; lr = lr->next) {
        json_array_append_new(list, json_pack("{s:s, s:i, s:o}",
            "address", address_text(lr->bind_addr),
            "port", (int)lr->bind_addr->port,
            "protocol", acme_dump_string(lr->protocol, p)));
    }
    return list;
}

/* A user's or group's name, or #number. */
static json_t *identity_new(const char *name, long number, apr_pool_t *p)
{
    return acme_dump_string(name ? name : apr_psprintf(p, "#%ld", number), p);
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
static json_t *main_new(const server_rec *s, const acme_dump_tree_t *tree,
                        apr_pool_t *p)
{
    const core_server_config *core = ap_get_core_module_config(
                                         s->module_config);
    json_t *aliases = strings_new(s->names, json_array(), p);

    return json_pack("{s:o, s:o, s:o, s:o, s:o}",
        "server_name", acme_dump_string(tree->named ? s->server_hostname
                                                    : NULL, p),
        "hostname", acme_dump_string(s->server_hostname, p),
        "aliases", strings_new(s->wild_names, aliases, p),
        "document_root", acme_dump_string(core->ap_document_root, p),
        "directives", tree->directives);
}

static const char *admin_of(const server_rec *s)
{
    return s->server_admin && strcmp(s->server_admin, DEFAULT_ADMIN) == 0
           ? NULL : s->server_admin;
}

static json_t *server_new(server_rec *s, const acme_dump_tree_t *tree,
                          apr_pool_t *p)
{
    const char *pid_file = ap_pid_fname ? ap_pid_fname : DEFAULT_PIDLOG;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                     "s:o, s:b, s:o, s:{s:o, s:o}, s:o, s:o, s:b, s:o}",
        "binary", acme_dump_string(acme_httpd_path(p), p),
        "version", acme_dump_string(version_text(p), p),
        "root", acme_dump_string(ap_server_root, p),
        "config", acme_dump_string(acme_config_path(s, p), p),
        "modules_dir", acme_dump_string(modules_dir(p), p),
        "pid_file", acme_dump_string(ap_server_root_relative(p, pid_file), p),
        "user", identity_new(ap_unixd_config.user_name,
                             (long)ap_unixd_config.user_id, p),
        "group", identity_new(ap_unixd_config.group_name,
                              (long)ap_unixd_config.group_id, p),
        "store", acme_dump_string(acme_store_dir(), p),
        "live", acme_dump_string(acme_live_path(), p),
        "admin", acme_dump_string(admin_of(s), p),
        "manager", acme_manager_enabled(),
        "notify", strings_new(acme_notify_program(), json_array(), p),
        "port_map", "http", port_new(acme_port_http()),
                    "https", port_new(acme_port_https()),
        "listeners", listeners_new(p),
        "listen", tree->listen,
        "stapling_cache", tree->stapling_cache,
        "main", main_new(s, tree, p));
}

static json_t *modules_new(void)
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
    json_t *object = json_object();
    apr_size_t i;

    for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        json_object_set_new(object, modules[i].name,
            json_boolean(ap_find_linked_module(modules[i].file) != NULL));
    }
    return object;
}

/* ----------------------------------------------------------- virtual hosts */

static json_t *addresses_new(const server_rec *s, apr_pool_t *p)
{
    json_t *list = json_array();
    const server_addr_rec *addr;

    for (addr = s->addrs; addr; addr = addr->next) {
        json_array_append_new(list, json_pack("{s:o, s:s, s:i}",
            "text", acme_dump_string(addr->virthost, p),
            "address", address_text(addr->host_addr),
            "port", (int)addr->host_port));
    }
    return list;
}

/* A host's own ACMERequireHTTPS; null: the domain's. */
static json_t *require_new(acme_require_t require)
{
    return require == ACME_REQUIRE_UNSET ? json_null()
                                         : json_string(require_words[require]);
}

static json_t *host_new(server_rec *s, json_t *directives, apr_pool_t *p)
{
    const core_server_config *core = ap_get_core_module_config(
                                         s->module_config);
    const char *defn = s->defn_name ? s->defn_name : "";
    int is_file = *defn == '/';
    json_t *aliases = strings_new(s->names, json_array(), p);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:b, "
                     "s:b, s:o, s:o, s:o}",
        "server_name", acme_dump_string(acme_server_named(s)
                                        ? s->server_hostname : NULL, p),
        "hostname", acme_dump_string(s->server_hostname, p),
        "aliases", strings_new(s->wild_names, aliases, p),
        "addresses", addresses_new(s, p),
        "file", acme_dump_string(is_file ? defn : NULL, p),
        "line", is_file ? json_integer(s->defn_line_number) : json_null(),
        "macro", strncmp(defn, "macro '", 7) == 0,
        "defined", acme_dump_string(apr_psprintf(p, "%s:%u", defn,
                                                 s->defn_line_number), p),
        "ssl", acme_server_ssl(s),
        "certificate_file", acme_server_has_certificate(s),
        "stapling", acme_server_stapling(s),
        "require_https", require_new(acme_server_conf(s)->require_https),
        "document_root", acme_dump_string(core->ap_document_root, p),
        "directives", directives);
}

/* ----------------------------------------------------------------- domains */

static json_t *window_new(acme_window_t window)
{
    json_t *json = NULL;

    switch (window.unit) {
    case ACME_WINDOW_PERCENT:
        json = json_pack("{s:i}", "percent", window.n);
        break;
    case ACME_WINDOW_DAYS:
        json = json_pack("{s:i}", "days", window.n);
        break;
    case ACME_WINDOW_UNSET:
    case ACME_WINDOW_DEFAULT:
        json = json_null();
        break;
    }
    return json;
}

static json_t *settings_new(const acme_domain_t *domain, apr_pool_t *p)
{
    static const char *const modes[] = { "auto", "always", "manual" };

    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:s, s:o, s:s, s:b}",
        "ca", strings_new(acme_domain_ca(domain), json_array(), p),
        "ca_certificate_file",
        acme_dump_string(acme_domain_ca_certificate_file(domain), p),
        "agreement", acme_domain_agreement(domain),
        "contact", strings_new(acme_domain_contact(domain, p), json_array(),
                               p),
        "challenges", strings_new(acme_domain_challenges(domain),
                                  json_array(), p),
        "private_keys", strings_new(acme_domain_keys(domain), json_array(),
                                    p),
        "renew_mode", modes[acme_domain_renew_mode(domain)],
        "renew_window", window_new(acme_domain_renew_window(domain)),
        "require_https", require_words[acme_domain_require_https(domain)],
        "must_staple", acme_domain_must_staple(domain));
}

/* The places of a domain's virtual hosts in the document; the main server
 * has none. */
static json_t *places_new(const acme_domain_t *domain, apr_hash_t *places)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < domain->servers->nelts; i++) {
        const int *place = apr_hash_get(places,
            &APR_ARRAY_IDX(domain->servers, i, server_rec *),
            sizeof(server_rec *));

        if (place) {
            json_array_append_new(list, json_integer(*place));
        }
    }
    return list;
}

static json_t *domain_new(const acme_domain_t *domain, apr_hash_t *places,
                          apr_pool_t *p)
{
    return json_pack("{s:s, s:o, s:o, s:i, s:o, s:o}",
        "name", domain->name,
        "names", strings_new(domain->names, json_array(), p),
        "file", acme_dump_string(domain->file, p),
        "line", domain->line,
        "settings", settings_new(domain, p),
        "virtual_hosts", places_new(domain, places));
}

/* ---------------------------------------------------------------- document */

/* The whole document; NULL when memory runs out. A NULL that json_pack or
 * json_array_append_new is given makes the whole NULL or is left out, and
 * httpd itself ends when a pool cannot grow. */
static json_t *document_new(server_rec *s, apr_pool_t *p)
{
    const acme_state_t *state = acme_state_get();
    apr_array_header_t *hosts = acme_server_hosts(s, p);
    apr_hash_t *places = apr_hash_make(p);
    json_t *host_list = json_array(), *domain_list = json_array();
    acme_dump_tree_t tree;
    int i, *place;

    acme_dump_tree_read(&tree, hosts, p);
    for (i = 0; i < hosts->nelts; i++) {
        place = apr_pmemdup(p, &i, sizeof(i));
        apr_hash_set(places, &APR_ARRAY_IDX(hosts, i, server_rec *),
                     sizeof(server_rec *), place);
        json_array_append_new(host_list,
            host_new(APR_ARRAY_IDX(hosts, i, server_rec *), tree.hosts[i],
                     p));
    }
    for (i = 0; i < state->domains->nelts; i++) {
        json_array_append_new(domain_list,
            domain_new(APR_ARRAY_IDX(state->domains, i, acme_domain_t *),
                       places, p));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o}",
        "schema", DUMP_SCHEMA,
        "server", server_new(s, &tree, p),
        "modules", modules_new(),
        "virtual_hosts", host_list,
        "domains", domain_list);
}

void acme_dump(apr_pool_t *pconf, server_rec *s)
{
    json_t *document = document_new(s, pconf);

    if (!document || json_dumpf(document, stdout, JSON_INDENT(2)) != 0
        || putchar('\n') == EOF || fflush(stdout) != 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, APR_FROM_OS_ERROR(errno), s,
                     "ACME0021: DUMP_ACME cannot be written to standard "
                     "output: free memory or space and ask again");
        /* Half a document must not look like success, and this hook has
         * no other way to fail. */
        exit(EXIT_FAILURE);
    }
    json_decref(document);
}
