/*
 * paste: the text of a TLS twin for people, where a plan is refused. It is
 * made from the lines of the original without the lens, and is proven by
 * nobody; where there are no lines, from what httpd tells of the host.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

/* More than this nobody pastes. */
#define LINES_MAX 1000

/* What is written. */
typedef struct paste_t {
    const configurator_plan_t *plan;
    const configurator_deploy_t *deploy;
    const host_t *host;
    apr_array_header_t *out;     /* const char * */
    apr_hash_t *left;            /* of int: lines that are left out */
    apr_pool_t *pool;
} paste_t;

static void out(paste_t *paste, const char *text)
{
    APR_ARRAY_PUSH(paste->out, const char *) = text;
}

static const json_t *document_of(const paste_t *paste)
{
    const configurator_t *c = paste->plan->c;

    return paste->host->index == CONFIGURATOR_MAIN
           ? json_object_get(server_of(c), "main")
           : json_array_get(json_object_get(c->config, "virtual_hosts"),
                            paste->host->index);
}

/* ----------------------------------------------------- from httpd's words */

static void put_words(paste_t *paste)
{
    const char *root = json_string_value(json_object_get(
        document_of(paste), "document_root"));
    plan_new_t twin = { 0 };
    int i;

    twin_main_lines(&twin, paste->host, paste->deploy, 1, paste->pool);
    for (i = 0; i < twin.lines->nelts; i++) {
        out(paste, apr_pstrcat(paste->pool, "    ",
            APR_ARRAY_IDX(twin.lines, i, const char *), "\n", NULL));
    }
    if (root) {
        out(paste, apr_psprintf(paste->pool, "    DocumentRoot \"%s\"\n",
                                root));
    }
    out(paste, apr_psprintf(paste->pool, "    # ... and the rest of %s\n",
                            host_place(paste->host, paste->pool)));
}

/* ------------------------------------------------------------ from lines */

/* The lines of redirects that would lead to themselves. */
static void leave_redirects(paste_t *paste)
{
    const apr_array_header_t *list = redirects_find(paste->plan->c,
        paste->host, paste->deploy->port, paste->pool);
    int i, n;

    for (i = 0; i < list->nelts; i++) {
        const redirect_t *one = &APR_ARRAY_IDX(list, i, redirect_t);

        for (n = one->first; (one->loops || one->dead) && n <= one->last;
             n++) {
            const directive_t *d = &APR_ARRAY_IDX(paste->host->directives, n,
                                                  directive_t);

            if (strcmp(d->file, paste->host->file) == 0) {
                apr_hash_set(paste->left, &d->line, sizeof(int), d);
            }
        }
    }
}

/* A line as it is in the file, or what is to be there instead; NULL where
 * its bytes cannot be shown. */
static const char *line_text(const paste_t *paste, const text_t *text,
                             const scan_line_t *line)
{
    const char *bytes = apr_pstrmemdup(paste->pool, text->data + line->start,
                                       line->end - line->start);
    const apr_array_header_t *words;
    const char *name;
    json_t *shown;

    if (line->kind == SCAN_DIRECTIVE
        && strcasecmp(line->name, "ServerName") == 0) {
        words = text_words(text, line, paste->pool);
        name = words->nelts ? APR_ARRAY_IDX(words, 0, const char *) : "";
        return apr_pstrcat(paste->pool, "    ServerName ",
                           twin_name_bare(name, paste->pool), "\n", NULL);
    }
    shown = json_string(bytes);
    json_decref(shown);
    return shown ? bytes : NULL;
}

/* @return 0 if a line cannot be shown */
static int put_lines(paste_t *paste, const text_t *text, int open)
{
    int i, last = APR_ARRAY_IDX(text->lines, open, scan_line_t).mate;

    for (i = open + 1; i < last; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i,
                                                 scan_line_t);
        const char *shown;

        if (line->kind == SCAN_DIRECTIVE
            && (twin_rules_leave(line->name)
                || apr_hash_get(paste->left, &line->last, sizeof(int)))) {
            continue;
        }
        shown = line_text(paste, text, line);
        if (!shown) {
            return 0;
        }
        out(paste, shown);
    }
    return 1;
}

static void put_own(paste_t *paste)
{
    const configurator_deploy_t *deploy = paste->deploy;

    out(paste, apr_psprintf(paste->pool, "    ACMEDomain %s\n",
                            apr_array_pstrcat(paste->pool, deploy->names,
                                              ' ')));
    if (deploy->certificate) {
        out(paste, apr_psprintf(paste->pool, "    SSLCertificateFile %s\n"
                                "    SSLCertificateKeyFile %s\n",
                                text_quote(deploy->certificate, paste->pool),
                                text_quote(deploy->key, paste->pool)));
    }
    out(paste, "    SSLEngine on\n");
}

/* All of the original's lines. @return 0 if that cannot be */
static int put_body(paste_t *paste)
{
    const host_t *host = paste->host;
    acme_err_t ignored = { 0 };
    text_t *text;
    int open, kept = paste->out->nelts;

    if (!host->file
        || text_read(&text, host->file, &ignored, paste->pool)
           != APR_SUCCESS) {
        return 0;
    }
    open = text_section_at(text, "VirtualHost", host->line);
    if (open < 0 || APR_ARRAY_IDX(text->lines, open, scan_line_t).mate - open
                    > LINES_MAX) {
        return 0;
    }
    leave_redirects(paste);
    if (!put_lines(paste, text, open)) {
        paste->out->nelts = kept;
        return 0;
    }
    put_own(paste);
    return 1;
}

const char *twin_paste(const configurator_plan_t *plan,
                       const configurator_deploy_t *deploy)
{
    paste_t paste = { plan, deploy, host_at(plan->c, deploy->host), NULL,
                      NULL, plan->pool };

    paste.out = apr_array_make(plan->pool, 16, sizeof(char *));
    paste.left = apr_hash_make(plan->pool);
    out(&paste, apr_psprintf(plan->pool, "<VirtualHost %s>\n",
        address_header(twin_addresses(plan, paste.host, deploy->port),
                       plan->pool)));
    if (!put_body(&paste)) {
        put_words(&paste);
    }
    out(&paste, "</VirtualHost>\n");
    return apr_array_pstrcat(plan->pool, paste.out, 0);
}
