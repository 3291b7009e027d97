/*
 * host: the virtual hosts of httpd's dump, and the main server, as C sees
 * them.
 */
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "configurator/internal.h"

const char *name_lower(const char *name, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, name), *s;

    for (s = copy; *s; s++) {
        *s = (char)apr_tolower(*s);
    }
    return copy;
}

/* A string member; NULL where it is absent or null. */
static const char *member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static int number(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

const json_t *server_of(const configurator_t *c)
{
    return json_object_get(c->config, "server");
}

int server_has_module(const configurator_t *c, const char *name)
{
    return is_true(json_object_get(c->config, "modules"), name);
}

const json_t *domain_of(const configurator_t *c, const char *name)
{
    return apr_hash_get(c->domains, name, APR_HASH_KEY_STRING);
}

int domain_serves(const configurator_t *c, const host_t *host,
                  const char *name)
{
    return host->ssl && !host->certificate_file && domain_of(c, name);
}

/* ----------------------------------------------------------------- names */

static int is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

/* httpd's patterns, * and ?, both in lower case. Source: ap_strcasecmp_match.
 * Each star is tried once: what the last one has eaten may grow. */
static int matches(const char *name, const char *pattern)
{
    const char *star = NULL, *behind = NULL;

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            behind = name;
        }
        else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        }
        else if (star) {
            pattern = star;
            name = ++behind;
        }
        else {
            return 0;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

int host_has_name(const host_t *host, const char *name, int patterns)
{
    int i;

    if (host->hostname && strcmp(host->hostname, name) == 0) {
        return 1;
    }
    for (i = 0; i < host->aliases->nelts; i++) {
        const char *alias = APR_ARRAY_IDX(host->aliases, i, const char *);

        if (is_pattern(alias) ? patterns && matches(name, alias)
                              : strcmp(alias, name) == 0) {
            return 1;
        }
    }
    return 0;
}

int host_has_port(const host_t *host, int port)
{
    int i;

    for (i = 0; i < host->addresses->nelts; i++) {
        int own = APR_ARRAY_IDX(host->addresses, i, address_t).port;

        if (own == port || own == 0) {
            return 1;
        }
    }
    return 0;
}

int host_directive(const host_t *host, const char *name, int from)
{
    int i;

    for (i = from; i < host->directives->nelts; i++) {
        if (strcasecmp(APR_ARRAY_IDX(host->directives, i, directive_t).name,
                       name) == 0) {
            return i;
        }
    }
    return -1;
}

const host_t *host_at(const configurator_t *c, configurator_host_t index)
{
    return index == CONFIGURATOR_MAIN
           ? c->main : &APR_ARRAY_IDX(c->hosts, index, const host_t);
}

const char *host_place(const host_t *host, apr_pool_t *pool)
{
    if (host->index == CONFIGURATOR_MAIN) {
        return "the main server";
    }
    return host->file ? apr_psprintf(pool, "%s:%d", host->file, host->line)
                      : host->defined;
}

/* --------------------------------------------------------------- reading */

static apr_array_header_t *names_read(const json_t *list, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 2, sizeof(char *));
    const json_t *name;
    size_t i;

    json_array_foreach(list, i, name) {
        APR_ARRAY_PUSH(names, const char *) =
            name_lower(json_string_value(name), pool);
    }
    return names;
}

int address_is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void address_add(apr_array_header_t *list, const address_t *address)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const address_t *old = &APR_ARRAY_IDX(list, i, address_t);

        if (old->port == address->port
            && address_is_same(old->address, address->address)) {
            return;
        }
    }
    APR_ARRAY_PUSH(list, address_t) = *address;
}

/* "*" is two entries in the dump, of IPv4 and of IPv6, and one for us:
 * httpd keeps both in one list. */
static apr_array_header_t *addresses_read(const json_t *list,
                                          apr_pool_t *pool)
{
    apr_array_header_t *addresses = apr_array_make(pool, 1,
                                                   sizeof(address_t));
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        const char *address = address_plain(member(entry, "address"));
        address_t new = { member(entry, "text"), address,
                          number(entry, "port") };

        address_add(addresses, &new);
    }
    return addresses;
}

const char *address_plain(const char *address)
{
    if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0) {
        return NULL;
    }
    /* RFC 4291 2.5.5.2: an IPv4 address in IPv6's clothes */
    return strncasecmp(address, "::ffff:", 7) == 0 && strchr(address, '.')
           ? address + 7 : address;
}

static void within_read(directive_t *directive, const json_t *sections)
{
    const json_t *section;
    size_t i;

    directive->within = "";
    json_array_foreach(sections, i, section) {
        directive->within = json_string_value(section);
        if (strncasecmp(directive->within, "If ", 3) == 0
            || strncasecmp(directive->within, "Else", 4) == 0) {
            directive->conditional = 1;
        }
    }
}

/* Where a directive stands: in its host's file unless it says otherwise. */
static const char *file_read(const json_t *entry, const char *host_file)
{
    const json_t *own = json_object_get(entry, "file");
    const char *file = own ? json_string_value(own) : host_file;

    return file ? file : "";
}

static apr_array_header_t *directives_read(const json_t *list,
                                           const char *host_file,
                                           apr_pool_t *pool)
{
    apr_array_header_t *directives = apr_array_make(pool, 1,
                                                    sizeof(directive_t));
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        directive_t *new = apr_array_push(directives);

        within_read(new, json_object_get(entry, "within"));
        new->name = member(entry, "name");
        new->args = member(entry, "args");
        new->file = file_read(entry, host_file);
        new->line = number(entry, "line");
    }
    return directives;
}

static void host_read(host_t *host, const json_t *document,
                      apr_pool_t *pool)
{
    const char *name = member(document, "server_name");
    const char *compared = member(document, "hostname");

    host->server_name = name ? name_lower(name, pool) : NULL;
    host->hostname = compared ? name_lower(compared, pool)
                              : host->server_name;
    host->aliases = names_read(json_object_get(document, "aliases"), pool);
    host->addresses = addresses_read(json_object_get(document, "addresses"),
                                     pool);
    host->file = member(document, "file");
    host->directives = directives_read(json_object_get(document,
                                                       "directives"),
                                       host->file, pool);
    host->line = number(document, "line");
    host->defined = member(document, "defined");
    host->macro = is_true(document, "macro");
    host->ssl = is_true(document, "ssl");
    host->certificate_file = is_true(document, "certificate_file");
    host->stapling = is_true(document, "stapling");
}

static void index_add(configurator_t *c, const char *name, int host)
{
    apr_array_header_t *list = apr_hash_get(c->by_name, name,
                                            APR_HASH_KEY_STRING);

    if (!list) {
        list = apr_array_make(c->pool, 1, sizeof(int));
        apr_hash_set(c->by_name, name, APR_HASH_KEY_STRING, list);
    }
    if (list->nelts == 0 || APR_ARRAY_IDX(list, list->nelts - 1, int) != host) {
        APR_ARRAY_PUSH(list, int) = host;
    }
}

static void host_index(configurator_t *c, const host_t *host)
{
    int i, patterns = 0;

    if (host->hostname) {
        index_add(c, host->hostname, host->index);
    }
    for (i = 0; i < host->aliases->nelts; i++) {
        const char *alias = APR_ARRAY_IDX(host->aliases, i, const char *);

        if (is_pattern(alias)) {
            patterns = 1;
        }
        else {
            index_add(c, alias, host->index);
        }
    }
    if (patterns) {
        APR_ARRAY_PUSH(c->wild, int) = host->index;
    }
}

/* 1 if one of its addresses is "*". */
static int has_all_addresses(const host_t *host)
{
    int i;

    for (i = 0; i < host->addresses->nelts; i++) {
        if (!APR_ARRAY_IDX(host->addresses, i, address_t).address) {
            return 1;
        }
    }
    return 0;
}

static void domains_read(configurator_t *c)
{
    json_t *domain;
    const json_t *name;
    size_t i, j;

    c->domains = apr_hash_make(c->pool);
    json_array_foreach(json_object_get(c->config, "domains"), i, domain) {
        json_array_foreach(json_object_get(domain, "names"), j, name) {
            apr_hash_set(c->domains,
                         name_lower(json_string_value(name), c->pool),
                         APR_HASH_KEY_STRING, domain);
        }
    }
}

void host_read_all(configurator_t *c)
{
    const json_t *list = json_object_get(c->config, "virtual_hosts");
    const json_t *document;
    size_t i;

    c->hosts = apr_array_make(c->pool, (int)json_array_size(list) + 1,
                              sizeof(host_t));
    c->by_name = apr_hash_make(c->pool);
    c->wild = apr_array_make(c->pool, 1, sizeof(int));
    c->main = apr_pcalloc(c->pool, sizeof(*c->main));
    host_read(c->main, json_object_get(server_of(c), "main"), c->pool);
    c->main->index = CONFIGURATOR_MAIN;
    json_array_foreach(list, i, document) {
        host_t *host = apr_array_push(c->hosts);

        host_read(host, document, c->pool);
        host->index = (configurator_host_t)i;
        /* Source: server/vhost.c, ap_fini_vhost_config */
        if (!host->hostname && has_all_addresses(host)) {
            host->hostname = c->main->hostname;
        }
        host_index(c, host);
    }
    domains_read(c);
}
