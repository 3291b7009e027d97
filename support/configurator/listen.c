/*
 * listen.c: plan that httpd listens on the ports of TLS.
 *
 * A new Listen has the address of the plain http one, and stands behind it,
 * in an <IfModule ssl_module> where that holds: often Listen comes before
 * the modules.
 * One that waits in an <IfModule> of a module that this plan loads is as
 * good. Two that overlap never: httpd could not bind the second.
 */
#include "configurator/server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_strings.h>

/** A Listen directive. */
typedef struct listen_t {
    const char *host;           /* as written, without port; "" for all */
    const char *address;        /* IP address; NULL: it is a name's, or one
                                   of a link */
    int port;
    const char *file;           /* NULL: not known */
    int line;
} listen_t;

/** The work of listen_put. */
typedef struct listen_plan_t {
    server_plan_t *server;
    apr_array_header_t *all;    /* listen_t: directives as they are */
    apr_array_header_t *http;   /* listen_t: of them those of plain http */
    apr_array_header_t *there;  /* listen_t: listeners as they are */
    apr_array_header_t *waiting;    /* listen_t: that modules bring */
    apr_array_header_t *new;    /* listen_t: to be put behind file, line */
    int mapped;                 /* 1: :: takes IPv4 as well */
} listen_plan_t;

/* ------------------------------------------------------------------ read */

/** The first word of Listen's arguments as an address and a port.
 *  @return 0 if it has no port */
static int read_args(listen_t *listen, const char *args, apr_pool_t *pool)
{
    const char *end, *colon;
    apr_size_t len;

    args += strspn(args, " \t\"'");
    len = strcspn(args, " \t\"'");
    args = apr_pstrmemdup(pool, args, len);
    colon = strrchr(args, ':');
    end = strrchr(args, ']');
    if (end && colon && colon < end) {
        return 0;
    }
    listen->host = colon ? apr_pstrmemdup(pool, args, colon - args) : "";
    listen->port = (int)strtol(colon ? colon + 1 : args, NULL, 10);
    if (strcmp(listen->host, "*") == 0 || !*listen->host) {
        listen->address = "::";
    }
    else if (*listen->host == '[' && !strchr(listen->host, '%')) {
        listen->address = apr_pstrmemdup(pool, listen->host + 1,
                                         strcspn(listen->host + 1, "]"));
    }
    else if (strspn(listen->host, "0123456789.") == strlen(listen->host)) {
        listen->address = listen->host;
    }
    return listen->port > 0 && listen->port < 65536;
}

static const char *member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int number(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static void read_directives(listen_plan_t *work)
{
    const configurator_plan_t *plan = work->server->plan;
    const json_t *list = json_object_get(server_of(plan->c), "listen");
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        listen_t one = { 0 };

        if (read_args(&one, member(entry, "args"), plan->pool)) {
            one.file = member(entry, "file");
            one.line = number(entry, "line");
            APR_ARRAY_PUSH(work->all, listen_t) = one;
        }
    }
}

/** How many of a list have that port, with that address where one is
 *  given. */
static int count(const apr_array_header_t *list, const char *address,
                 int port)
{
    int i, found = 0;

    for (i = 0; i < list->nelts; i++) {
        const listen_t *one = &APR_ARRAY_IDX(list, i, listen_t);

        found += one->port == port
                 && (!address || strcmp(one->address, address) == 0);
    }
    return found;
}

/** Listeners of the dump; several may be of one directive. */
static void read_listeners(listen_plan_t *work)
{
    const configurator_t *c = work->server->plan->c;
    const json_t *list = json_object_get(server_of(c), "listeners");
    const json_t *entry;
    size_t i;
    int j;

    json_array_foreach(list, i, entry) {
        listen_t *one = apr_array_push(work->there);

        one->address = member(entry, "address");
        one->host = one->address;
        one->port = number(entry, "port");
    }
    work->mapped = 1;
    for (j = 0; j < work->there->nelts; j++) {
        int port = APR_ARRAY_IDX(work->there, j, listen_t).port;

        /* One "Listen 80" made both: the one takes no IPv4. */
        if (count(work->all, NULL, port) == 1
            && count(work->there, "::", port)
            && count(work->there, "0.0.0.0", port)) {
            work->mapped = 0;
        }
    }
}

/** Those of plain http; all where none has its port. */
static void read_http(listen_plan_t *work)
{
    int http = work->server->plan->c->http;
    int i;

    for (i = 0; i < work->all->nelts; i++) {
        const listen_t *one = &APR_ARRAY_IDX(work->all, i, listen_t);

        if (one->port == http) {
            APR_ARRAY_PUSH(work->http, listen_t) = *one;
        }
    }
    if (work->http->nelts == 0) {
        apr_array_cat(work->http, work->all);
    }
}

/** Listen lines that are live once the wanted modules are loaded. */
static void read_waiting(listen_plan_t *work)
{
    const walk_t *walk = work->server->walk;
    int i;

    for (i = 0; walk && i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);
        listen_t one = { 0 };

        if (strcasecmp(line->name, "Listen") == 0 && line->words->nelts
            && walk_is_live(walk, line, NULL) != 1
            && walk_is_live(walk, line, work->server->wanted) == 1
            && read_args(&one, APR_ARRAY_IDX(line->words, 0, const char *),
                         work->server->plan->pool)) {
            APR_ARRAY_PUSH(work->waiting, listen_t) = one;
        }
    }
}

static listen_plan_t listen_plan_new(server_plan_t *server)
{
    apr_pool_t *pool = server->plan->pool;
    listen_plan_t work = { 0 };

    work.server = server;
    work.all = apr_array_make(pool, 4, sizeof(listen_t));
    work.http = apr_array_make(pool, 2, sizeof(listen_t));
    work.there = apr_array_make(pool, 4, sizeof(listen_t));
    work.waiting = apr_array_make(pool, 2, sizeof(listen_t));
    work.new = apr_array_make(pool, 2, sizeof(listen_t));
    read_directives(&work);
    read_listeners(&work);
    read_http(&work);
    read_waiting(&work);
    return work;
}

/* --------------------------------------------------------------- missing */

/** 1 if one of a list answers at an address and port. */
static int is_covered(const listen_plan_t *work,
                      const apr_array_header_t *list, const char *address,
                      int port)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const listen_t *one = &APR_ARRAY_IDX(list, i, listen_t);

        if (one->port == port && one->address
            && port_covers(one->address, address, work->mapped)) {
            return 1;
        }
    }
    return 0;
}

/** Some listener that one for all addresses would overlap; NULL. */
static const listen_t *in_the_way(const listen_plan_t *work,
                                  const listen_t *wanted)
{
    const apr_array_header_t *lists[] = { work->there, work->waiting };
    int i, j;

    for (i = 0; i < 2; i++) {
        for (j = 0; j < lists[i]->nelts; j++) {
            const listen_t *one = &APR_ARRAY_IDX(lists[i], j, listen_t);

            if (one->port == wanted->port && wanted->address && one->address
                && port_covers(wanted->address, one->address, 1)) {
                return one;
            }
        }
    }
    return NULL;
}

/** 1 if one of a list is for the same host, as it is written. */
static int is_written(const apr_array_header_t *list, const listen_t *wanted)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const listen_t *one = &APR_ARRAY_IDX(list, i, listen_t);

        if (one->port == wanted->port
            && strcasecmp(one->host, wanted->host) == 0) {
            return 1;
        }
    }
    return 0;
}

static int is_missing(const listen_plan_t *work, const char *address,
                      int port)
{
    return !is_covered(work, work->there, address, port)
           && !is_covered(work, work->waiting, address, port)
           && !is_covered(work, work->new, address, port);
}

/** A Listen like the one of http, if there is not yet what does its work;
 *  for a wish of one address only that, where all would be too much. */
static void want_like(listen_plan_t *work, const listen_t *http,
                      const plan_listen_t *wish)
{
    listen_t wanted = *http;
    const listen_t *other;

    wanted.port = wish->port;
    if (is_written(work->all, &wanted) || is_written(work->waiting, &wanted)
        || is_written(work->new, &wanted)
        || (wanted.address
            && !is_missing(work, wanted.address, wish->port))) {
        return;
    }
    other = in_the_way(work, &wanted);
    if (other && wish->address) {
        wanted.address = wish->address;
        wanted.host = strchr(wish->address, ':')
                      ? apr_pstrcat(work->server->plan->pool, "[",
                                    wish->address, "]", NULL)
                      : wish->address;
    }
    else if (other) {
        plan_warn(work->server->plan, "httpd listens on port %d at %s only: "
                  "a Listen for all addresses beside it would overlap; the "
                  "names are served by TLS there.", wish->port,
                  other->address);
        return;
    }
    APR_ARRAY_PUSH(work->new, listen_t) = wanted;
}

/** What one wish needs; without an address: wherever http is. */
static void want(listen_plan_t *work, const plan_listen_t *wish)
{
    int i;

    for (i = 0; i < work->http->nelts; i++) {
        const listen_t *http = &APR_ARRAY_IDX(work->http, i, listen_t);

        if (wish->address && !is_missing(work, wish->address, wish->port)) {
            return;
        }
        if (!wish->address || !http->address
            || port_covers(http->address, wish->address, work->mapped)) {
            want_like(work, http, wish);
        }
    }
}

int listen_is_complete(const configurator_plan_t *plan)
{
    configurator_plan_t copy = *plan;
    server_plan_t server = { 0 };
    listen_plan_t work;
    int i;

    server.plan = &copy;
    copy.warnings = apr_array_make(plan->pool, 1, sizeof(char *));
    work = listen_plan_new(&server);
    for (i = 0; i < plan->listens->nelts; i++) {
        want(&work, &APR_ARRAY_IDX(plan->listens, i, plan_listen_t));
    }
    return work.new->nelts == 0;
}

/* ------------------------------------------------------------------- put */

/** "Listen 192.0.2.1:8443 https". */
static const char *listen_text(const listen_t *one, apr_pool_t *pool)
{
    return apr_psprintf(pool, "Listen %s%s%d%s", one->host,
                        *one->host ? ":" : "", one->port,
                        one->port == 443 ? "" : " https");
}

/** The index of the Listen that ends in that line; -1. */
static int find_line(const text_t *text, int last)
{
    int i;

    for (i = 0; i < text->lines->nelts; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i,
                                                 scan_line_t);

        if (line->last == last && line->kind == SCAN_DIRECTIVE
            && strcasecmp(line->name, "Listen") == 0) {
            return i;
        }
    }
    return -1;
}

/** 1 if mod_ssl is there when httpd reads that line: an <IfModule> for it
 *  would be false before. */
static int has_ssl(const server_plan_t *server, const char *path, int last)
{
    return !path || walk_index(server->walk, path, last) >= server->ssl_from;
}

static int is_same_file(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/** All new ones of a file, behind the last Listen that they are like. */
static apr_status_t put_file(listen_plan_t *work, const char *path,
                             acme_err_t *err)
{
    configurator_plan_t *plan = work->server->plan;
    apr_array_header_t *lines = apr_array_make(plan->pool, 4,
                                               sizeof(char *));
    const char *to = path ? path : work->server->walk->main->path;
    int i, last = 0, line = -1;
    plan_file_t *file;

    for (i = 0; i < work->new->nelts; i++) {
        const listen_t *one = &APR_ARRAY_IDX(work->new, i, listen_t);

        if (is_same_file(one->file, path)) {
            APR_ARRAY_PUSH(lines, const char *) = listen_text(one,
                                                              plan->pool);
            last = one->line > last ? one->line : last;
            plan_step(plan, "add %s to %s", listen_text(one, plan->pool),
                      to);
        }
    }
    if (has_ssl(work->server, path, last)) {
        lines = server_wrap("ssl_module", lines);
    }
    if (server_file(&file, plan, to, JOURNAL_STEP_PORTS, lines, err)
        != APR_SUCCESS) {
        return err->status;
    }
    if (path) {
        line = find_line(file->text, last);
        if (line < 0) {
            return plan_refuse(plan, NULL, err, "%s:%d is not the Listen "
                               "that httpd has read there: the file has "
                               "changed since", path, last);
        }
        line = line + 1 < file->text->lines->nelts ? line + 1 : -1;
    }
    return server_insert(plan, file, line, lines, 0, err);
}

static apr_status_t put_files(listen_plan_t *work, acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    int i, j;

    for (i = 0; i < work->new->nelts && rv == APR_SUCCESS; i++) {
        const char *path = APR_ARRAY_IDX(work->new, i, listen_t).file;

        for (j = 0; j < i; j++) {
            if (is_same_file(APR_ARRAY_IDX(work->new, j, listen_t).file,
                             path)) {
                break;
            }
        }
        if (j == i) {
            rv = put_file(work, path, err);
        }
    }
    return rv;
}

/** A condition that does not hold today hides another Listen: on the day
 *  it holds httpd has two. */
static void warn_hidden(const listen_plan_t *work)
{
    const walk_t *walk = work->server->walk;
    int i, j;

    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);
        listen_t one = { 0 };

        if (strcasecmp(line->name, "Listen") != 0 || !line->words->nelts
            || walk_is_live(walk, line, work->server->wanted) == 1
            || !read_args(&one, APR_ARRAY_IDX(line->words, 0, const char *),
                          work->server->plan->pool)) {
            continue;
        }
        for (j = 0; j < work->new->nelts; j++) {
            if (APR_ARRAY_IDX(work->new, j, listen_t).port == one.port) {
                plan_warn(work->server->plan, "%s:%d would listen on port "
                          "%d as well if the condition around it held: "
                          "remove it before it does.", line->text->path,
                          APR_ARRAY_IDX(line->text->lines, line->line,
                                        scan_line_t).last, one.port);
                break;
            }
        }
    }
}

/* ----------------------------------------------------------------- ports */

static pid_t own_pid(const configurator_plan_t *plan)
{
    const json_t *server = server_of(plan->c);
    acme_err_t ignored = { 0 };
    pid_t pid;

    return httpd_running(&pid, member(server, "pid_file"),
                         member(server, "binary"), &ignored, plan->pool)
           == APR_SUCCESS ? pid : 0;
}

static apr_status_t try_list(const listen_plan_t *work,
                             const apr_array_header_t *list, acme_err_t *err)
{
    configurator_plan_t *plan = work->server->plan;
    apr_status_t rv = APR_SUCCESS;
    int i, j;

    for (i = 0; i < list->nelts; i++) {
        const listen_t *one = &APR_ARRAY_IDX(list, i, listen_t);

        for (j = 0; j < plan->listens->nelts && one->address; j++) {
            if (APR_ARRAY_IDX(plan->listens, j, plan_listen_t).port
                != one->port) {
                continue;
            }
            rv = port_try(one->address, one->port, own_pid(plan), err,
                          plan->pool);
            if (rv != APR_SUCCESS) {
                return rv;
            }
            break;
        }
    }
    return rv;
}

apr_status_t listen_put(server_plan_t *server, acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    listen_plan_t work;
    apr_status_t rv;
    int i;

    if (plan->listens->nelts == 0) {
        return APR_SUCCESS;
    }
    work = listen_plan_new(server);
    for (i = 0; i < plan->listens->nelts; i++) {
        want(&work, &APR_ARRAY_IDX(plan->listens, i, plan_listen_t));
    }
    rv = try_list(&work, work.new, err);
    if (rv == APR_SUCCESS) {
        rv = try_list(&work, work.waiting, err);
    }
    /* httpd may not have them yet; who may not bind them cannot tell. */
    if (rv == APR_SUCCESS && geteuid() == 0) {
        rv = try_list(&work, work.there, err);
    }
    if (rv == APR_SUCCESS && work.new->nelts) {
        warn_hidden(&work);
        rv = put_files(&work, err);
    }
    return rv;
}
