/*
 * choose: which http host is meant by a name, by httpd's own matching.
 *
 *     hosts that have the name --> on the http port, and httpd would choose
 *              |                   it for one of its addresses: chosen
 *              |                   (one per address, perhaps)
 *              +--> none chosen --> on other http ports: the only one is
 *              |                    chosen, several are a question
 *              +--> else nobody: the default host would answer, and is
 *                   named as a candidate
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "configurator/internal.h"

/* The weighing of one name. */
typedef struct weigh_t {
    const configurator_t *c;
    const char *name;
    configurator_choice_t *choice;
    apr_pool_t *pool;
} weigh_t;

static void candidate_add(weigh_t *w, configurator_host_t host,
                          const char *why)
{
    configurator_candidate_t *new = apr_array_push(w->choice->candidates);

    new->host = host;
    new->place = host_place(host_at(w->c, host), w->pool);
    new->why = why;
}

static void choose(weigh_t *w, configurator_host_t host, const char *why)
{
    APR_ARRAY_PUSH(w->choice->hosts, configurator_host_t) = host;
    candidate_add(w, host, why);
}

/* --------------------------------------------------------- on one port */

/* Of the addresses of a host, what httpd does with a request for the name
 * that comes to that port. */
typedef struct verdict_t {
    const char *wins;                /* address where the host answers; NULL:
                                        nowhere */
    configurator_host_t first;       /* who answers instead of it */
    int deaf;                        /* 1: nothing listens there */
} verdict_t;

static const char *spot_text(const address_t *address, int port,
                             apr_pool_t *pool)
{
    const char *text = address->address ? address->address : "*";

    return apr_psprintf(pool, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text,
                        port);
}

static verdict_t judge(const weigh_t *w, const host_t *host, int port)
{
    verdict_t verdict = { NULL, CONFIGURATOR_NONE, 0 };
    int i, named;

    for (i = 0; i < host->addresses->nelts && !verdict.wins; i++) {
        const address_t *a = &APR_ARRAY_IDX(host->addresses, i, address_t);
        const spot_t *spot = match_spot(w->c, a, port);
        configurator_host_t first;

        if (!spot) {
            continue;
        }
        first = match_host(w->c, spot, w->name, &named);
        if (!match_arrives(w->c, a->address, port)) {
            verdict.deaf = 1;
        }
        else if (first == host->index) {
            verdict.wins = spot_text(a, port, w->pool);
        }
        else {
            verdict.first = first;
        }
    }
    return verdict;
}

/* Weigh a host that has the name on the http port. */
static void weigh_http(weigh_t *w, const host_t *host)
{
    verdict_t verdict = judge(w, host, w->c->http);

    if (host->ssl) {
        candidate_add(w, host->index, "it speaks TLS");
    }
    else if (verdict.wins) {
        choose(w, host->index, apr_psprintf(w->pool, "it answers at %s",
                                            verdict.wins));
    }
    else if (verdict.first != CONFIGURATOR_NONE) {
        candidate_add(w, host->index,
            apr_psprintf(w->pool, "never chosen: %s comes first",
                         host_place(host_at(w->c, verdict.first), w->pool)));
    }
    else {
        candidate_add(w, host->index,
                      verdict.deaf ? "nothing listens on its address"
                                   : "another virtual host has its port for "
                                     "itself");
    }
}

/* The main server answers where no virtual host has the address. */
static void weigh_main(weigh_t *w)
{
    const configurator_t *c = w->c;

    if (host_has_name(c->main, w->name, 1)
        && !match_connection(c, NULL, c->http)
        && match_arrives(c, NULL, c->http)) {
        choose(w, CONFIGURATOR_MAIN, "no virtual host has its address");
    }
}

/* ------------------------------------------------------ on other ports */

/* The first port of a host where it answers for the name by plain http;
 * 0: none. */
static int other_port(const weigh_t *w, const host_t *host)
{
    int i;

    for (i = 0; i < host->addresses->nelts; i++) {
        int port = APR_ARRAY_IDX(host->addresses, i, address_t).port;

        if (port != 0 && port != w->c->http && port != w->c->https
            && judge(w, host, port).wins) {
            return port;
        }
    }
    return 0;
}

static void weigh_others(weigh_t *w, const apr_array_header_t *list)
{
    int i, port;

    for (i = 0; i < list->nelts; i++) {
        const host_t *host = host_at(w->c, APR_ARRAY_IDX(list, i, int));

        port = host->ssl || (w->c->http && host_has_port(host, w->c->http))
               ? 0 : other_port(w, host);
        if (port) {
            choose(w, host->index,
                   apr_psprintf(w->pool, "it answers on port %d", port));
        }
        else if (host->ssl && !host_has_port(host, w->c->http)) {
            candidate_add(w, host->index, "it speaks TLS");
        }
    }
}

/* Who would answer for a name that nobody has. */
static void weigh_default(weigh_t *w)
{
    const configurator_t *c = w->c;
    const spot_t *spot = match_connection(c, NULL, c->http);
    configurator_host_t host = spot ? APR_ARRAY_IDX(spot->hosts, 0, int)
                                    : CONFIGURATOR_MAIN;

    if (c->http && match_arrives(c, NULL, c->http)
        && !host_at(c, host)->ssl) {
        candidate_add(w, host, "it answers as the default host only: give "
                      "it the name by ServerAlias");
    }
}

/* Forget the candidates that cannot be the answer to a question. */
static void keep_chosen(configurator_choice_t *choice)
{
    int i, j, kept = 0;

    for (i = 0; i < choice->candidates->nelts; i++) {
        configurator_candidate_t one =
            APR_ARRAY_IDX(choice->candidates, i, configurator_candidate_t);

        for (j = 0; j < choice->hosts->nelts; j++) {
            if (APR_ARRAY_IDX(choice->hosts, j, configurator_host_t)
                == one.host) {
                APR_ARRAY_IDX(choice->candidates, kept++,
                              configurator_candidate_t) = one;
            }
        }
    }
    choice->candidates->nelts = kept;
}

int choose_hosts(configurator_choice_t *choice, const configurator_t *c,
                 const char *name, apr_pool_t *pool)
{
    weigh_t w = { c, name, choice, pool };
    const apr_array_header_t *list = match_candidates(c, name, pool);
    int i;

    choice->name = name;
    choice->hosts = apr_array_make(pool, 1, sizeof(configurator_host_t));
    choice->candidates = apr_array_make(pool, 1,
                                        sizeof(configurator_candidate_t));
    for (i = 0; c->http && i < list->nelts; i++) {
        const host_t *host = host_at(c, APR_ARRAY_IDX(list, i, int));

        if (host_has_port(host, c->http)) {
            weigh_http(&w, host);
        }
    }
    if (c->http) {
        weigh_main(&w);
    }
    if (choice->hosts->nelts > 0) {
        return 0;
    }
    weigh_others(&w, list);
    if (choice->candidates->nelts == 0) {
        weigh_default(&w);
    }
    if (choice->hosts->nelts > 1) {
        keep_chosen(choice);
    }
    return choice->hosts->nelts > 1;
}

/* -------------------------------------------------------------- answers */

/* 1 if two paths lead to one file. */
static int is_same_file(const char *a, const char *b, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    const char *real_a, *real_b;

    return strcmp(a, b) == 0
           || (base_path_real(&real_a, a, &ignored, pool) == APR_SUCCESS
               && base_path_real(&real_b, b, &ignored, pool) == APR_SUCCESS
               && strcmp(real_a, real_b) == 0);
}

/* 1 if line is one of the host's, from the header's first to the last. */
static int has_line(const host_t *host, int line, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    text_t *text;
    const scan_line_t *open;
    int i;

    if (line == host->line) {
        return 1;
    }
    if (text_read(&text, host->file, &ignored, pool) != APR_SUCCESS) {
        return 0;
    }
    i = text_section_at(text, "VirtualHost", host->line);
    if (i < 0) {
        return 0;
    }
    open = &APR_ARRAY_IDX(text->lines, i, scan_line_t);
    return line >= open->line
           && line <= APR_ARRAY_IDX(text->lines, open->mate,
                                    scan_line_t).last;
}

/* "FILE:LINE" in two. @return 0 if it is not that */
static int answer_split(const char **pfile, int *pline, const char *answer,
                        apr_pool_t *pool)
{
    const char *colon = strrchr(answer, ':'), *s;

    if (!colon || colon == answer || !colon[1] || strlen(colon) > 8) {
        return 0;
    }
    for (s = colon + 1, *pline = 0; *s; s++) {
        if (!apr_isdigit(*s)) {
            return 0;
        }
        *pline = *pline * 10 + (*s - '0');
    }
    *pfile = apr_pstrmemdup(pool, answer, colon - answer);
    return 1;
}

/* The one of the choice's hosts that answer means; CONFIGURATOR_NONE. */
static configurator_host_t answer_find(const configurator_choice_t *choice,
                                       const configurator_t *c,
                                       const char *answer, apr_pool_t *pool)
{
    const char *file;
    int line, i;

    for (i = 0; i < choice->hosts->nelts; i++) {
        const host_t *host = host_at(c, APR_ARRAY_IDX(choice->hosts, i,
                                                      configurator_host_t));

        if (strcmp(answer, host_place(host, pool)) == 0
            || (host->file && answer_split(&file, &line, answer, pool)
                && is_same_file(file, host->file, pool)
                && has_line(host, line, pool))) {
            return host->index;
        }
    }
    return CONFIGURATOR_NONE;
}

/* "A, B and C" of the candidates that may be chosen. */
static const char *places(const configurator_choice_t *choice,
                          const configurator_t *c, apr_pool_t *pool)
{
    const char *list = "";
    int i;

    for (i = 0; i < choice->hosts->nelts; i++) {
        list = apr_pstrcat(pool, list,
            i == 0 ? "" : i + 1 < choice->hosts->nelts ? ", " : " or ",
            host_place(host_at(c, APR_ARRAY_IDX(choice->hosts, i,
                                                configurator_host_t)), pool),
            NULL);
    }
    return list;
}

/* The candidates and why they are not it, as the end of a sentence. */
static const char *reasons(const configurator_choice_t *choice,
                           apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < choice->candidates->nelts; i++) {
        const configurator_candidate_t *one =
            &APR_ARRAY_IDX(choice->candidates, i, configurator_candidate_t);

        text = apr_pstrcat(pool, text, i ? "; " : " (", one->place, ": ",
                           one->why, NULL);
    }
    return *text ? apr_pstrcat(pool, text, ")", NULL) : "";
}

static apr_status_t answer_take(configurator_choice_t *choice,
                                const configurator_t *c, const char *answer,
                                acme_err_t *err, apr_pool_t *pool)
{
    configurator_host_t host = answer_find(choice, c, answer, pool);

    if (host == CONFIGURATOR_NONE) {
        return base_err_set(err, APR_INCOMPLETE, BASE_EXIT_USAGE,
                            "--vhost %s=%s is none of the virtual hosts that "
                            "serve it by http: write %s", choice->name,
                            answer, places(choice, c, pool));
    }
    choice->hosts->nelts = 0;
    APR_ARRAY_PUSH(choice->hosts, configurator_host_t) = host;
    return APR_SUCCESS;
}

apr_status_t configurator_choose(configurator_choice_t *choice,
                                 const configurator_t *c, const char *name,
                                 const char *answer, acme_err_t *err,
                                 apr_pool_t *result_pool)
{
    const char *lower;
    apr_status_t rv = base_name_check(&lower, name, 0, err, result_pool);
    int open;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    open = choose_hosts(choice, c, lower, result_pool);
    if (choice->hosts->nelts == 0) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "no virtual host serves %s by http%s", lower,
                            reasons(choice, result_pool));
    }
    if (answer) {
        return answer_take(choice, c, answer, err, result_pool);
    }
    if (open) {
        return base_err_set(err, APR_INCOMPLETE, BASE_EXIT_USAGE,
                            "which virtual host is to serve %s? Answer with "
                            "--vhost %s=FILE:LINE, one of %s", lower, lower,
                            places(choice, c, result_pool));
    }
    return APR_SUCCESS;
}
