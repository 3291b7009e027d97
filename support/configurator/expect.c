/*
 * expect: does httpd read what was planned, and nothing else?
 *
 *     before:  A        B        C              hosts, in order
 *     plan:       A'                 C'  M'     M': the main server's
 *     after:   A  A'    B        C   C'  M'     and nothing else
 *
 * Each host of before has the same names, addresses and file, and the same
 * TLS, certificate and stapling but for what the plan changed; each spot
 * has the same default host; each name of a planned certificate is answered
 * by the TLS host that was planned for it, and is in one ACMEDomain.
 */
#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "configurator/internal.h"

typedef struct compare_t {
    const configurator_plan_t *plan;
    const configurator_t *before;
    const configurator_t *after;
    int *places;                 /* index in before -> index in after */
    acme_err_t *err;
    apr_pool_t *pool;
} compare_t;

static apr_status_t differs(const compare_t *cmp, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static apr_status_t differs(const compare_t *cmp, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    base_err_set(cmp->err, APR_EGENERAL, BASE_EXIT_FAILED, "httpd would not "
                 "read what was planned: %s",
                 apr_pvsprintf(cmp->pool, fmt, args));
    va_end(args);
    return cmp->err->status;
}

/* ----------------------------------------------------------------- lists */

/* 1 if after has exactly the words of before and of added. */
static int is_list(const apr_array_header_t *after,
                   const apr_array_header_t *before,
                   const apr_array_header_t *added)
{
    int i, n = before->nelts + (added ? added->nelts : 0);

    if (after->nelts != n) {
        return 0;
    }
    for (i = 0; i < before->nelts; i++) {
        if (!base_list_has(after, APR_ARRAY_IDX(before, i, const char *))) {
            return 0;
        }
    }
    for (i = 0; added && i < added->nelts; i++) {
        if (!base_list_has(after, APR_ARRAY_IDX(added, i, const char *))) {
            return 0;
        }
    }
    return 1;
}

static int is_addresses(const apr_array_header_t *a,
                        const apr_array_header_t *b)
{
    int i;

    if (a->nelts != b->nelts) {
        return 0;
    }
    for (i = 0; i < a->nelts; i++) {
        const address_t *left = &APR_ARRAY_IDX(a, i, address_t);
        const address_t *right = &APR_ARRAY_IDX(b, i, address_t);

        if (left->port != right->port
            || !address_is_same(left->address, right->address)) {
            return 0;
        }
    }
    return 1;
}

static int is_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ----------------------------------------------------------- one host */

/* What of a host's TLS differs from this; NULL. */
static const char *tls_fault(const host_t *host, int ssl, int certificate,
                             int stapling)
{
    return host->ssl != ssl ? "SSLEngine"
           : host->certificate_file != certificate ? "its certificate"
           : host->stapling != stapling ? "SSLUseStapling" : NULL;
}

/* A host that was there before. */
static apr_status_t host_check(const compare_t *cmp, const host_t *before,
                               const host_t *after)
{
    const plan_host_t *edited = plan_host_find(cmp->plan, before->index);
    const char *place = host_place(before, cmp->pool);
    const char *fault = NULL;
    int ssl = before->ssl || (edited && edited->ssl);
    int certificate = edited && edited->certificate >= 0
                      ? edited->certificate : before->certificate_file;
    int stapling = edited && edited->stapling >= 0
                   ? edited->stapling : before->stapling;

    if (!is_text(before->file, after->file)
        || !is_text(before->server_name, after->server_name)) {
        return differs(cmp, "where %s (%s) was there is %s (%s)", place,
                       before->server_name ? before->server_name : "no name",
                       host_place(after, cmp->pool),
                       after->server_name ? after->server_name : "no name");
    }
    if (!is_list(after->aliases, before->aliases,
                 edited ? edited->aliases : NULL)) {
        return differs(cmp, "%s has other names than before", place);
    }
    if (!is_addresses(before->addresses, after->addresses)) {
        return differs(cmp, "%s has other addresses than before", place);
    }
    fault = tls_fault(after, ssl, certificate, stapling);
    return fault ? differs(cmp, "%s of %s is not as it should be", fault,
                           place) : APR_SUCCESS;
}

/* A host that the plan makes. */
static apr_status_t new_check(const compare_t *cmp, const plan_new_t *twin,
                              const host_t *after)
{
    const host_t *of = host_at(cmp->before, twin->of);
    const char *place = host_place(of, cmp->pool), *fault;
    int stapling = twin->stapling >= 0 ? twin->stapling : of->stapling;

    if (!is_text(of->server_name, after->server_name)
        || !is_list(after->aliases, of->aliases, NULL)) {
        return differs(cmp, "the twin of %s, at %s, has other names", place,
                       host_place(after, cmp->pool));
    }
    if (!is_addresses(after->addresses, twin->addresses)) {
        return differs(cmp, "the twin of %s, at %s, has other addresses than "
                       "%s", place, host_place(after, cmp->pool),
                       address_text(&APR_ARRAY_IDX(twin->addresses, 0,
                                                   address_t), cmp->pool));
    }
    fault = tls_fault(after, 1, twin->certificate_file, stapling);
    return fault ? differs(cmp, "%s of the twin of %s is not as it should be",
                           fault, place) : APR_SUCCESS;
}

/* ----------------------------------------------------------------- order */

/* The new hosts that stand directly behind one, from *pat on. */
static apr_status_t news_check(const compare_t *cmp,
                               configurator_host_t behind, int *pat)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < cmp->plan->twins->nelts && rv == APR_SUCCESS; i++) {
        const plan_new_t *twin = APR_ARRAY_IDX(cmp->plan->twins, i,
                                               plan_new_t *);

        if (twin->behind != behind) {
            continue;
        }
        if (*pat == cmp->after->hosts->nelts) {
            return differs(cmp, "there is no TLS host for %s",
                           host_place(host_at(cmp->before, twin->of),
                                      cmp->pool));
        }
        rv = new_check(cmp, twin, host_at(cmp->after, (*pat)++));
    }
    return rv;
}

static apr_status_t hosts_check(compare_t *cmp)
{
    apr_status_t rv = APR_SUCCESS;
    int i, at = 0;

    for (i = 0; i < cmp->before->hosts->nelts && rv == APR_SUCCESS; i++) {
        const host_t *host = host_at(cmp->before, i);

        if (at == cmp->after->hosts->nelts) {
            return differs(cmp, "%s is no longer there",
                           host_place(host, cmp->pool));
        }
        cmp->places[i] = at;
        rv = host_check(cmp, host, host_at(cmp->after, at++));
        if (rv == APR_SUCCESS) {
            rv = news_check(cmp, i, &at);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = news_check(cmp, CONFIGURATOR_MAIN, &at);
    }
    return rv == APR_SUCCESS && at < cmp->after->hosts->nelts
           ? differs(cmp, "%s is one virtual host more",
                     host_place(host_at(cmp->after, at), cmp->pool)) : rv;
}

/* Where no host was the default one, one may become it. */
static apr_status_t defaults_check(const compare_t *cmp)
{
    apr_hash_index_t *hi;

    for (hi = apr_hash_first(cmp->pool, cmp->before->spots); hi;
         hi = apr_hash_next(hi)) {
        const spot_t *before = apr_hash_this_val(hi);
        const spot_t *after = match_exact(cmp->after, before->address,
                                          before->port);
        int first = APR_ARRAY_IDX(before->hosts, 0, int);

        if (!after || APR_ARRAY_IDX(after->hosts, 0, int)
                      != cmp->places[first]) {
            return differs(cmp, "%s is no longer the default host of %s:%d",
                           host_place(host_at(cmp->before, first),
                                      cmp->pool),
                           before->address ? before->address : "*",
                           before->port);
        }
    }
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------- names */

/* Who answered for a name by TLS does so still. */
static apr_status_t answer_kept(const compare_t *cmp, const host_t *host,
                                const char *name)
{
    int port = cmp->before->https;
    configurator_host_t before = match_tls(cmp->before, host, name, port);
    configurator_host_t after;

    if (before == CONFIGURATOR_NONE || !host_at(cmp->before, before)->ssl) {
        return APR_SUCCESS;
    }
    after = match_tls(cmp->after, host, name, port);
    return after == cmp->places[before] ? APR_SUCCESS
        : differs(cmp, "%s would no longer be answered by %s, but by %s",
                  name, host_place(host_at(cmp->before, before), cmp->pool),
                  after == CONFIGURATOR_NONE ? "the default host"
                  : host_place(host_at(cmp->after, after), cmp->pool));
}

static apr_status_t answers_kept(const compare_t *cmp)
{
    apr_status_t rv = APR_SUCCESS;
    int i, j;

    for (i = 0; i < cmp->before->hosts->nelts && cmp->before->https; i++) {
        const host_t *host = host_at(cmp->before, i);

        if (!host->ssl) {
            continue;
        }
        for (j = -1; j < host->aliases->nelts && rv == APR_SUCCESS; j++) {
            const char *name = j < 0 ? host->hostname
                : APR_ARRAY_IDX(host->aliases, j, const char *);

            if (name && !strpbrk(name, "*?")) {
                rv = answer_kept(cmp, host, name);
            }
        }
    }
    return rv;
}

/* Are the names of a certificate answered by TLS where the http host is? */
static apr_status_t answers_check(const compare_t *cmp,
                                  const plan_new_t *twin)
{
    const host_t *of = host_at(cmp->before, twin->of);
    int port = APR_ARRAY_IDX(twin->addresses, 0, address_t).port;
    int i;

    for (i = 0; i < twin->names->nelts; i++) {
        const char *name = name_lower(APR_ARRAY_IDX(twin->names, i,
                                                    const char *), cmp->pool);
        configurator_host_t found;

        if (!host_has_name(of, name, 1)) {
            continue;
        }
        found = match_tls(cmp->after, of, name, port);
        if (found == CONFIGURATOR_NONE || !host_at(cmp->after, found)->ssl) {
            return differs(cmp, "no TLS host would answer for %s", name);
        }
        if (!is_addresses(host_at(cmp->after, found)->addresses,
                          twin->addresses)) {
            return differs(cmp, "%s would be answered by %s", name,
                           host_place(host_at(cmp->after, found),
                                      cmp->pool));
        }
    }
    return APR_SUCCESS;
}

/* All names of an ACMEDomain are in one. */
static apr_status_t domain_check(const compare_t *cmp,
                                 const apr_array_header_t *names)
{
    const json_t *first = NULL;
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const json_t *domain = domain_of(cmp->after,
                                         name_lower(name, cmp->pool));

        if (!domain || (first && domain != first)) {
            return differs(cmp, "%s is not in the ACMEDomain of %s", name,
                           APR_ARRAY_IDX(names, 0, const char *));
        }
        first = domain;
    }
    return APR_SUCCESS;
}

/* No ACMEDomain of before has lost a name. */
static apr_status_t domains_kept(const compare_t *cmp)
{
    apr_hash_index_t *hi;

    for (hi = apr_hash_first(cmp->pool, cmp->before->domains); hi;
         hi = apr_hash_next(hi)) {
        const char *name = apr_hash_this_key(hi);

        if (!domain_of(cmp->after, name)) {
            return differs(cmp, "%s is in no ACMEDomain any more", name);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t names_check(const compare_t *cmp)
{
    const configurator_plan_t *plan = cmp->plan;
    apr_status_t rv = domains_kept(cmp);
    int i;

    if (rv == APR_SUCCESS) {
        rv = answers_kept(cmp);
    }
    for (i = 0; i < plan->domains->nelts && rv == APR_SUCCESS; i++) {
        rv = domain_check(cmp, APR_ARRAY_IDX(plan->domains, i,
                                             apr_array_header_t *));
    }
    for (i = 0; i < plan->twins->nelts && rv == APR_SUCCESS; i++) {
        rv = answers_check(cmp, APR_ARRAY_IDX(plan->twins, i, plan_new_t *));
    }
    return rv;
}

/* ---------------------------------------------------------------- server */

/* httpd listens where it did, and where it has to. */
static apr_status_t listens_check(const compare_t *cmp)
{
    const json_t *listener;
    size_t i;
    int n;

    json_array_foreach(json_object_get(server_of(cmp->before), "listeners"),
                       i, listener) {
        const char *address = json_string_value(json_object_get(listener,
                                                                "address"));
        int port = (int)json_integer_value(json_object_get(listener,
                                                           "port"));

        if (!match_arrives(cmp->after, address_plain(address), port)) {
            return differs(cmp, "it no longer listens on %s port %d",
                           address, port);
        }
    }
    for (n = 0; n < cmp->plan->listens->nelts; n++) {
        const plan_listen_t *one = &APR_ARRAY_IDX(cmp->plan->listens, n,
                                                  plan_listen_t);

        if (!match_arrives(cmp->after, one->address, one->port)) {
            return differs(cmp, "nothing listens on port %d", one->port);
        }
    }
    return APR_SUCCESS;
}

apr_status_t configurator_expect(const configurator_plan_t *plan,
                                 const json_t *after, acme_err_t *err,
                                 apr_pool_t *scratch_pool)
{
    compare_t cmp = { plan, plan->c, NULL, NULL, err, scratch_pool };
    apr_status_t rv;

    cmp.after = configurator_read(after, plan->c->options, scratch_pool);
    cmp.places = apr_pcalloc(scratch_pool, (plan->c->hosts->nelts + 1)
                                           * sizeof(int));
    rv = hosts_check(&cmp);
    if (rv == APR_SUCCESS) {
        rv = defaults_check(&cmp);
    }
    if (rv == APR_SUCCESS) {
        rv = names_check(&cmp);
    }
    return rv == APR_SUCCESS ? listens_check(&cmp) : rv;
}
