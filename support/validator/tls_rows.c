/*
 * tls_rows.c: what is asked of the connection and of the certificate.
 */
#include "validator/internal.h"

#include <string.h>

#include <apr_strings.h>

/** How long until a staple is looked for again: httpd fetches it when it is
 *  asked first. */
#define STAPLE_STEP apr_time_from_msec(250)

#define NO_HTTPS "there is no address of https"
#define NO_TLS "not asked: no TLS"

/* ------------------------------------------------------------- tcp, tls */

static int check_tcp(validator_ask_t *ask, site_t *site, const char **pdetail)
{
    (void)ask;
    *pdetail = site->stage >= STAGE_TCP ? "it takes connections"
                                        : site->fault;
    return site->stage >= STAGE_TCP;
}

void row_tcp(validator_ask_t *ask, validator_answer_t *answer)
{
    validator_answer_t http;

    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_tcp, answer);
    if (ask->http_n > 0 && answer->ok != 0) {
        ask_each(ask, ask->http, ask->http_n, "", check_tcp, &http);
        if (http.ok == 0) {
            answer->ok = 0;
            answer->detail = http.detail;
        }
        else if (answer->ok == 1) {
            answer->detail = apr_psprintf(
                ask->pool, "%s: it takes connections (and %d more)",
                ask->https[0].where, ask->https_n + ask->http_n - 1);
        }
    }
}

static int check_tls(validator_ask_t *ask, site_t *site, const char **pdetail)
{
    if (site->stage < STAGE_TCP) {
        *pdetail = "not asked: no connection";
        return -1;
    }
    if (!site->tls && site->asks) {
        *pdetail = apr_psprintf(ask->pool, WANTS_CLIENT " (%s)",
                                site->fault);
        return -1;
    }
    *pdetail = site->tls ? apr_psprintf(ask->pool, "%s with %s",
                                        site->tls->version, site->tls->cipher)
                         : site->fault;
    return site->tls != NULL;
}

void row_tls(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_tls, answer);
    if (ask->https_n == 0) {
        answer->ok = 0;
    }
}

/* ------------------------------------------------------------- protocol */

/** What is said of TLS 1.0 and 1.1. */
static const char *old_versions(validator_ask_t *ask, const site_t *site)
{
    const crypto_tls_info_t *info;
    acme_err_t err = { 0 };
    apr_status_t rv = site_greet(&info, ask, site, 1, &err);

    if (rv == APR_SUCCESS) {
        return apr_psprintf(ask->pool, "; %s is still taken, too: forbid it "
                            "by SSLProtocol", info->version);
    }
    return rv == APR_EOF || rv == APR_EGENERAL
        ? "; TLS 1.0 and 1.1 are refused" : "";
}

static int check_protocol(validator_ask_t *ask, site_t *site,
                          const char **pdetail)
{
    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    *pdetail = site->tls->modern
        ? apr_pstrcat(ask->pool, site->tls->version, old_versions(ask, site),
                      NULL)
        : apr_psprintf(ask->pool, "%s is the best it offers; TLS 1.2 is the "
                       "least that clients take", site->tls->version);
    return site->tls->modern;
}

void row_protocol(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_protocol, answer);
}

/* ----------------------------------------------------------------- name */

/** "a.example, b.example and 7 more". */
static const char *names_text(const apr_array_header_t *names,
                              apr_pool_t *pool)
{
    const char *text = "no name";
    int i;

    for (i = 0; i < names->nelts && i < 3; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        text = i ? apr_pstrcat(pool, text, ", ", name, NULL) : name;
    }
    return names->nelts > 3
        ? apr_psprintf(pool, "%s and %d more", text, names->nelts - 3) : text;
}

static int check_name(validator_ask_t *ask, site_t *site,
                      const char **pdetail)
{
    int covers;

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    covers = crypto_cert_covers(site->cert, ask->host);
    *pdetail = covers
        ? apr_psprintf(ask->pool, "the certificate covers %s", ask->host)
        : apr_psprintf(ask->pool, "the certificate is for %s, not for %s",
                       names_text(site->leaf.names, ask->pool), ask->host);
    return covers;
}

void row_name(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_name, answer);
}

/* --------------------------------------------------------------- expiry */

/** "3.5 hours" or "42 days". */
static const char *span_text(apr_interval_time_t span, apr_pool_t *pool)
{
    return span < apr_time_from_sec(2 * 86400)
        ? apr_psprintf(pool, "%.1f hours",
                       (double)span / (double)apr_time_from_sec(3600))
        : apr_psprintf(pool, "%d days",
                       (int)(span / apr_time_from_sec(86400)));
}

static int check_expiry(validator_ask_t *ask, site_t *site,
                        const char **pdetail)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t now = clock->wall(clock);
    const crypto_cert_info_t *leaf = &site->leaf;
    apr_pool_t *pool = ask->pool;

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    if (now < leaf->not_before) {
        *pdetail = apr_psprintf(pool, "the certificate is not valid before "
                                "%s, in %s: check this machine's clock",
                                base_time_text(leaf->not_before, pool),
                                span_text(leaf->not_before - now, pool));
        return 0;
    }
    if (now >= leaf->not_after) {
        *pdetail = apr_psprintf(pool, "the certificate expired at %s, %s ago",
                                base_time_text(leaf->not_after, pool),
                                span_text(now - leaf->not_after, pool));
        return 0;
    }
    *pdetail = apr_psprintf(pool, "%sthe certificate is valid until %s, for "
                            "%s", leaf->not_after - now
                                  < apr_time_from_sec(86400)
                                  ? "warning: " : "",
                            base_time_text(leaf->not_after, pool),
                            span_text(leaf->not_after - now, pool));
    return 1;
}

void row_expiry(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_expiry, answer);
}

/* ---------------------------------------------------------------- chain */

/** The DER of a certificate as text that can be compared; NULL on failure. */
static const char *cert_sha256(const apr_array_header_t *certs, int i,
                               apr_pool_t *pool)
{
    acme_err_t err = { 0 };
    crypto_cert_info_t info;

    return crypto_cert_info(&info, APR_ARRAY_IDX(certs, i, crypto_cert_t *),
                            &err, pool) == APR_SUCCESS ? info.sha256 : NULL;
}

/** Compare two chains. @return 1 if they are the same */
static int chains_same(const apr_array_header_t *served,
                       const apr_array_header_t *issued,
                       const char **pdetail, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < served->nelts && i < issued->nelts; i++) {
        const char *a = cert_sha256(served, i, pool);
        const char *b = cert_sha256(issued, i, pool);

        if (!a || !b || strcmp(a, b) != 0) {
            *pdetail = apr_psprintf(pool, "certificate %d of the chain is "
                                    "not the one issued: its SHA-256 begins "
                                    "with %.16s, not with %.16s", i + 1,
                                    a ? a : "-", b ? b : "-");
            return 0;
        }
    }
    if (served->nelts != issued->nelts) {
        *pdetail = apr_psprintf(pool, "the chain has %d certificates, the "
                                "one issued has %d", served->nelts,
                                issued->nelts);
        return 0;
    }
    *pdetail = apr_psprintf(pool, "it is the chain issued, of %d "
                            "certificates", served->nelts);
    return 1;
}

static int check_chain(validator_ask_t *ask, site_t *site,
                       const char **pdetail)
{
    const char *pem = ask->target->chain;
    apr_array_header_t *issued;
    acme_err_t err = { 0 };

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    if (!pem) {
        *pdetail = "not asked: which chain was issued is not known";
        return -1;
    }
    if (crypto_chain_read(&issued, pem, strlen(pem), &err, ask->pool)
        != APR_SUCCESS) {
        *pdetail = apr_psprintf(ask->pool, "the issued chain cannot be read: "
                                "%s", err.message);
        return -1;
    }
    return chains_same(site->tls->certs, issued, pdetail, ask->pool);
}

void row_chain(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_chain, answer);
}

/* --------------------------------------------------------------- verify */

/** Whose certificate is the chain's last one, by name. */
static const char *chain_end(const apr_array_header_t *certs,
                             apr_pool_t *pool)
{
    crypto_cert_info_t info;
    acme_err_t err = { 0 };

    return crypto_cert_info(&info, APR_ARRAY_IDX(certs, certs->nelts - 1,
                                                 crypto_cert_t *),
                            &err, pool) == APR_SUCCESS ? info.issuer : "?";
}

static int check_verify(validator_ask_t *ask, site_t *site,
                        const char **pdetail)
{
    base_clock_t *clock = base_clock_system();
    acme_err_t err = { 0 };
    apr_status_t rv;

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    rv = crypto_trust_check(ask->trust, site->tls->certs, clock->wall(clock),
                            &err);
    if (rv == APR_SUCCESS) {
        *pdetail = "the chain verifies up to a trust root";
        return 1;
    }
    if (crypto_cert_self_signed(site->cert)) {
        *pdetail = "the certificate is signed by itself, so that no client "
            "trusts it";
        return ask->target->managed ? 0 : -1;
    }
    if (rv != APR_NOTFOUND) {
        *pdetail = apr_pstrdup(ask->pool, err.message);
        return 0;
    }
    *pdetail = apr_psprintf(ask->pool, "links and signatures of the %d "
                            "certificates are right, but their issuer %s is "
                            "no trust root of this system",
                            site->tls->certs->nelts,
                            chain_end(site->tls->certs, ask->pool));
    return -1;
}

void row_verify(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_verify, answer);
}

/* ------------------------------------------------------------- key-type */

static int check_key_type(validator_ask_t *ask, site_t *site,
                          const char **pdetail)
{
    const char *wanted = ask->target->key_type;
    int same;

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    same = wanted && strcasecmp(wanted, site->leaf.key_type) == 0;
    *pdetail = apr_psprintf(ask->pool, !wanted ? "the key is %s; no type is "
                            "wanted%s" : same ? "the key is %s%s"
                            : "the key is %s, not %s", site->leaf.key_type,
                            wanted && !same ? wanted : "");
    return wanted ? same : -1;
}

void row_key_type(validator_ask_t *ask, validator_answer_t *answer)
{
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_key_type, answer);
}

/* ------------------------------------------------------------- stapling */

/** Judge what is stapled. @return 1 if it is good */
static int staple_good(const crypto_tls_info_t *info, const char **pdetail,
                       apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    crypto_ocsp_t ocsp;
    acme_err_t err = { 0 };

    if (!info->staple) {
        *pdetail = "no OCSP response is stapled";
        return 0;
    }
    if (crypto_ocsp_read(&ocsp, info->staple, info->staple_len, info->certs,
                         clock->wall(clock), &err) != APR_SUCCESS) {
        *pdetail = apr_psprintf(pool, "what is stapled is no good: %s",
                                err.message);
        return 0;
    }
    if (ocsp.status != CRYPTO_OCSP_GOOD) {
        *pdetail = apr_psprintf(pool, "the OCSP response stapled calls the "
                                "certificate %s",
                                ocsp.status == CRYPTO_OCSP_REVOKED
                                ? "revoked" : "unknown");
        return 0;
    }
    *pdetail = apr_psprintf(pool, "a good OCSP response is stapled, valid "
                            "until %s", base_time_text(ocsp.next_update,
                                                       pool));
    return 1;
}

/** Ask again until a good one comes: once at least, and as long as this
 *  child has patience. */
static int staple_wait(validator_ask_t *ask, const site_t *site,
                       const char **pdetail)
{
    base_clock_t *clock = base_clock_system();
    const crypto_tls_info_t *info = site->tls;
    acme_err_t err = { 0 };
    int tries;

    for (tries = 0; !staple_good(info, pdetail, ask->pool); tries++) {
        if ((tries > 0 && *ask->patience < STAPLE_STEP)
            || clock->mono(clock) + STAPLE_STEP >= ask->until) {
            return 0;
        }
        apr_sleep(STAPLE_STEP);
        *ask->patience -= STAPLE_STEP;
        if (site_greet(&info, ask, site, 0, &err) != APR_SUCCESS) {
            *pdetail = apr_pstrdup(ask->pool, err.message);
            return 0;
        }
    }
    return 1;
}

static int check_stapling(validator_ask_t *ask, site_t *site,
                          const char **pdetail)
{
    int wanted = site->leaf.must_staple ? 1 : ask->target->stapling;
    int good;

    if (!site->tls) {
        *pdetail = NO_TLS;
        return -1;
    }
    if (wanted == 1 && !site->leaf.ocsp) {
        *pdetail = "not asked: the certificate names no OCSP responder";
        return -1;
    }
    if (wanted == 1) {
        return staple_wait(ask, site, pdetail);
    }
    good = staple_good(site->tls, pdetail, ask->pool);
    if (wanted < 0) {
        return good ? 1 : -1;
    }
    if (!site->tls->staple) {
        return 1;
    }
    *pdetail = "an OCSP response is stapled, which was not wanted";
    return 0;
}

void row_stapling(validator_ask_t *ask, validator_answer_t *answer)
{
    int i;

    for (i = 0; i < ask->https_n; i++) {
        if (ask->https[i].tls && ask->https[i].leaf.must_staple) {
            answer->required = 1;
        }
    }
    ask_each(ask, ask->https, ask->https_n, NO_HTTPS, check_stapling, answer);
}
