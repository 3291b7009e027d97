/*
 * How certificates and the manager stand: what the live segment has been
 * told, and what is true at this moment.
 *
 * A state is kept as its writer saw it. Time goes on whether somebody
 * writes or not, so it is judged once more here:
 *
 *   valid   past renew_at:  due         due   past not_after:  expired
 *
 * httpd's parent tells the segment what it has loaded (view_fill), so that
 * pages know validity where no acmectl has ever written, and do not show
 * what was removed from the store meanwhile.
 */
#include "view.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509.h>

APLOG_USE_MODULE(acme);

#define LATE_MAX apr_time_from_sec(15 * 60)

const char *acme_view_state(live_state_t state)
{
    static const char *const names[ACME_STATES] = {
        "unknown", "valid", "due", "expired", "missing", "error"
    };

    return names[state];
}

/* ------------------------------------------------------------ certificates */

static void state_judge(live_status_t *status, apr_time_t now)
{
    if (status->not_after && status->not_after <= now
        && status->state != LIVE_STATE_ERROR) {
        status->state = LIVE_STATE_EXPIRED;
    }
    else if (status->state == LIVE_STATE_VALID && status->renew_at
             && status->renew_at <= now) {
        status->state = LIVE_STATE_DUE;
    }
    if (status->ordering + LIVE_ORDER_MAX < now) {
        status->ordering = 0;
    }
}

static int is_automatic(const acme_domain_t *domain)
{
    switch (acme_domain_renew_mode(domain)) {
    case ACME_RENEW_UNSET:
    case ACME_RENEW_MANUAL:
        return 0;
    case ACME_RENEW_AUTO:
        return domain->servers->nelts > 0;
    case ACME_RENEW_ALWAYS:
        return 1;
    }
    return 0;
}

void acme_view_make(acme_view_t *view, const acme_domain_t *domain, int k,
                    apr_time_t now)
{
    const live_t *live = acme_state_get()->live;
    const acme_certificate_t *certificate =
        APR_ARRAY_IDX(domain->certificates, k, acme_certificate_t *);

    view->domain = domain;
    view->certificate = certificate;
    view->generation = certificate->loaded;
    view->swaps = 0;
    view->served = acme_domain_user(domain) != NULL;
    view->automatic = is_automatic(domain);
    if (live && certificate->status != LIVE_NO_SLOT) {
        (void)live_child_status(&view->status, live, certificate->status);
    }
    else {
        memset(&view->status, 0, sizeof(view->status));
    }
    if (live && certificate->slot != LIVE_NO_SLOT) {
        view->swaps = live_child_version(live, certificate->slot);
    }
    if (view->swaps) {
        view->generation = live_child_generation(live, certificate->slot);
    }
    state_judge(&view->status, now);
}

int acme_view_urgency(const acme_view_t *view)
{
    static const int urgencies[ACME_STATES] = { 4, 0, 2, 10, 8, 12 };
    int urgency = urgencies[view->status.state];

    if (view->status.failures) {
        urgency = urgency < 6 ? 7 : urgency + 1;
    }
    return urgency;
}

const char *acme_view_next(const acme_view_t *view,
                           const acme_manager_view_t *manager,
                           apr_time_t *pwhen, apr_time_t now)
{
    const live_status_t *status = &view->status;

    *pwhen = 0;
    if (status->ordering) {
        *pwhen = status->ordering;
        return "being ordered since";
    }
    if (!view->automatic) {
        return "by hand";
    }
    if (status->next_try > now) {
        *pwhen = status->next_try;
        return "next try";
    }
    if (status->state == LIVE_STATE_VALID) {
        *pwhen = status->renew_at;
        return "renewal";
    }
    return manager->running ? "order" : "acmectl renew";
}

void acme_summary_make(acme_summary_t *summary, apr_time_t now)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    acme_view_t view;
    int i, k;

    memset(summary, 0, sizeof(*summary));
    summary->domains = domains->nelts;
    for (i = 0; i < domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    acme_domain_t *);

        for (k = 0; k < domain->certificates->nelts; k++) {
            acme_view_make(&view, domain, k, now);
            summary->certificates++;
            summary->states[view.status.state]++;
            summary->ordering += view.status.ordering != 0;
            summary->failing += view.status.failures != 0;
        }
    }
}

/* ------------------------------------------------------------- the manager */

/* It should have woken long ago: its number is another process's by now, or
 * it hangs. Orders may take their time. */
static int manager_late(const live_manager_t *manager, apr_time_t now)
{
    apr_time_t due = manager->next_wake > manager->last_pass
        ? manager->next_wake : manager->last_pass;

    return !manager->ordering && due && due + LATE_MAX < now;
}

/* Children may not signal it, and that says that it is there. */
static int manager_alive(const live_manager_t *manager, apr_time_t now)
{
    pid_t pid = (pid_t)manager->pid;

    return pid > 1 && !manager_late(manager, now)
        && (kill(pid, 0) == 0 || errno != ESRCH);
}

void acme_manager_view_make(acme_manager_view_t *view)
{
    const acme_state_t *state = acme_state_get();

    memset(view, 0, sizeof(*view));
    view->enabled = acme_manager_enabled();
    if (state->live) {
        (void)live_child_manager(&view->live, state->live);
    }
    view->running = manager_alive(&view->live, apr_time_now());
}

/* ----------------------------------------------------------------- helpers */

const char *acme_view_time(apr_time_t t, apr_pool_t *p)
{
    apr_time_exp_t x;

    if (!t || apr_time_exp_gmt(&x, t) != APR_SUCCESS || x.tm_year > 8099) {
        return NULL;
    }
    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02dZ", x.tm_year + 1900,
                        x.tm_mon + 1, x.tm_mday, x.tm_hour, x.tm_min,
                        x.tm_sec);
}

int acme_view_method(request_rec *r)
{
    if (r->method_number != M_GET) {
        /* httpd adds HEAD. */
        ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    return ap_discard_request_body(r);
}

/* ------------------------------------------------- what the parent knows */

static apr_time_t asn1_time(const ASN1_TIME *time)
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(time, &tm)) {
        return 0;
    }
    return apr_time_from_sec((apr_time_t)timegm(&tm));
}

static void serial_put(char *to, apr_size_t size, const X509 *leaf)
{
    static const char digits[] = "0123456789abcdef";
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    const unsigned char *data = ASN1_STRING_get0_data(serial);
    apr_size_t at = 0;
    int i;

    memset(to, 0, size);
    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER) {
        to[at++] = '-';
    }
    for (i = 0; i < ASN1_STRING_length(serial) && at + 2 < size; i++) {
        to[at++] = digits[data[i] >> 4];
        to[at++] = digits[data[i] & 15];
    }
}

/* The last common name, as acmectl shows it; "" if there is none. */
static void issuer_put(char *to, apr_size_t size, const X509 *leaf)
{
    const X509_NAME *name = X509_get_issuer_name(leaf);
    BIO *bio = BIO_new(BIO_s_mem());
    int last = -1, at = -1, n;
    char text[256];

    while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0) {
        last = at;
    }
    n = last >= 0 && bio
        && ASN1_STRING_print_ex(bio, X509_NAME_ENTRY_get_data(
               X509_NAME_get_entry(name, last)), ASN1_STRFLGS_ESC_CTRL
               | ASN1_STRFLGS_ESC_MSB | ASN1_STRFLGS_UTF8_CONVERT) >= 0
        ? BIO_read(bio, text, sizeof(text) - 1) : 0;
    text[n > 0 ? n : 0] = '\0';
    live_text(to, size, text);
    BIO_free(bio);
    ERR_clear_error();
}

static void validity_put(live_status_t *status, const X509 *leaf)
{
    status->not_before = asn1_time(X509_get0_notBefore(leaf));
    status->not_after = asn1_time(X509_get0_notAfter(leaf));
    serial_put(status->serial, sizeof(status->serial), leaf);
    issuer_put(status->issuer, sizeof(status->issuer), leaf);
    status->renew_at = 0;
    status->ca[0] = '\0';
    status->state = LIVE_STATE_VALID;
}

/* What there was is gone: nobody but the parent would notice. */
static void validity_clear(live_status_t *status)
{
    status->not_before = status->not_after = status->renew_at = 0;
    memset(status->serial, 0, sizeof(status->serial));
    memset(status->issuer, 0, sizeof(status->issuer));
    memset(status->ca, 0, sizeof(status->ca));
    status->state = LIVE_STATE_MISSING;
}

/* Tell of a certificate that a host serves what this start has loaded,
 * unless acmectl has written since, or knows the same one better. */
static void view_fill(void *baton, int i, live_status_t *status)
{
    const apr_array_header_t *certificates = baton;
    const acme_certificate_t *certificate =
        APR_ARRAY_IDX(certificates, i, acme_certificate_t *);
    char serial[sizeof(status->serial)];

    if (status->written >= live_child_started(acme_state_get()->live)) {
        return;
    }
    if (!certificate->leaf) {
        /* Two types of one kind: mod_ssl has kept the other. */
        if (!certificate->loaded) {
            validity_clear(status);
        }
        return;
    }
    serial_put(serial, sizeof(serial), certificate->leaf);
    if (strcmp(serial, status->serial) != 0) {
        validity_put(status, certificate->leaf);
    }
}

/* The certificates that hosts serve, and their ids, in the same order. */
static apr_array_header_t *served_list(apr_array_header_t *ids,
                                       apr_pool_t *p)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    apr_array_header_t *list = apr_array_make(p, domains->nelts + 1,
                                              sizeof(acme_certificate_t *));
    int i, k;

    for (i = 0; i < domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    acme_domain_t *);

        for (k = 0; acme_domain_user(domain)
             && k < domain->certificates->nelts; k++) {
            acme_certificate_t *certificate =
                APR_ARRAY_IDX(domain->certificates, k, acme_certificate_t *);

            APR_ARRAY_PUSH(list, acme_certificate_t *) = certificate;
            APR_ARRAY_PUSH(ids, const char *) = certificate->id;
        }
    }
    return list;
}

/* acmectl compares it with the store: a run that was killed may have left
 * something newer there. */
static apr_status_t loaded_put(live_writer_t *writer,
                               const apr_array_header_t *list)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < list->nelts && (rv == APR_SUCCESS || rv == APR_NOTFOUND);
         i++) {
        const acme_certificate_t *certificate =
            APR_ARRAY_IDX(list, i, acme_certificate_t *);

        rv = live_writer_loaded_put(writer, certificate->id,
                                    certificate->loaded);
    }
    return rv == APR_NOTFOUND ? APR_SUCCESS : rv;
}

void acme_view_start(server_rec *s, apr_pool_t *ptemp)
{
    const acme_state_t *state = acme_state_get();
    apr_array_header_t *ids = apr_array_make(ptemp, state->domains->nelts + 1,
                                             sizeof(const char *));
    live_writer_t *writer;
    const char *error = "it cannot be written";
    apr_status_t rv;

    if (!state->live) {
        return;
    }
    rv = live_writer_open(&writer, acme_live_path(), &error, ptemp);
    if (rv == APR_SUCCESS) {
        apr_array_header_t *list = served_list(ids, ptemp);

        rv = live_writer_status_edit(writer, ids, view_fill, list);
        if (rv == APR_SUCCESS) {
            rv = loaded_put(writer, list);
        }
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, "ACME0701: status "
                     "pages do not know the certificates that httpd has "
                     "loaded: %s", error);
    }
}
